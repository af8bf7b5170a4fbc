"""`rote data`: what sources there are and what is in one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rote.cli import options
from rote.cli.app import app, command
from rote.cli.command import takes_options
from rote.cli.flags import as_flags
from rote.cli.source import SourceOptions, check_source, describe_data, load

data_app = typer.Typer(
    help="List the named data sets, or look into any source.", rich_markup_mode=None
)
app.add_typer(data_app, name="data")


@command("list", example="rote data list", of=data_app)
def list_named() -> None:
    """List the named data sets."""
    from rote.core.console import print_text
    from rote.data.named.names import named_sources

    for name, description in named_sources().items():
        print_text(f"{name:16} {description}")


@command("show", example="rote data show photos/ --resolution 32", of=data_app)
@takes_options
def show(
    *,
    source: Annotated[
        str,
        typer.Argument(
            help="A named set, a folder, or a zip, npz, npy, csv, parquet or scan file."
        ),
    ],
    how: SourceOptions,
    json: options.Json = False,
) -> None:
    """Load a source and say what is in it: items, size, classes, exact duplicates."""
    check_source(source, flag="")
    import numpy as np

    from rote.core.console import print_result, print_table, table
    from rote.data.duplicates import exact_duplicates

    dataset = load(source, how, flag="")
    value = describe_data(dataset)
    value["range"] = [float(dataset.items.min()), float(dataset.items.max())]
    value["duplicates"] = exact_duplicates(dataset.items).to_json()
    if json:
        print_result(value)
        return
    account = dataset.account
    rows = _rows(value, [] if account is None else account.parts(all_of_it=True))
    if dataset.labels is not None:
        counts = np.bincount(dataset.labels, minlength=len(dataset.classes))
        shown = [f"{name} {count}" for name, count in zip(dataset.classes, counts, strict=True)]
        rows.append(["classes", ", ".join(shown[:20]) + (" ..." if len(shown) > 20 else "")])
    shown_table = table(dataset.source, ["", ""], rows)
    shown_table.columns[1].justify = "left"
    print_table(shown_table)


def _rows(value: dict[str, Any], told: list[str]) -> list[list[str]]:
    """Say in words what the JSON of a source holds, and what became of what lies under it."""
    from rote.data.messages import first_few

    count, shape = value["count"], value["shape"]
    if value["kind"] == "image":
        size = f"{count:,} images, {shape[2]} wide, {shape[1]} high, {shape[0]} channel"
    elif value["kind"] == "volume":
        sides = f"{shape[1]} deep, {shape[2]} high, {shape[3]} wide"
        size = f"{count:,} volumes, {sides}, {shape[0]} channel"
    elif value["kind"] == "series":
        rate = value.get("sample_rate")
        lasting = f" ({shape[1] / rate:.3g} s at {rate:,} a second)" if rate else ""
        size = f"{count:,} series of {shape[1]} times{lasting}, {shape[0]} channel"
    else:
        size = f"{count:,} rows of {shape[0]} number"
    same = value["duplicates"]
    repeated = (
        f"{same['images']:,} items in {same['groups']:,} groups; {same['distinct']:,} distinct"
    )
    low, high = value["range"]
    rows = [
        ["items", size if shape[0] == 1 else f"{size}s"],
        ["values", f"from {low:g} to {high:g}"],
        ["exact duplicates", repeated if same["groups"] else "none"],
        ["digest", value["digest"]],
    ]
    rows += [["account", as_flags(part)] for part in told]
    if value["unreadable"] and not value.get("account", {}).get("left_out"):
        left_out = f"{len(value['unreadable']):,} left out: {first_few(value['unreadable'])}"
        rows.append(["unreadable", left_out])
    return rows + [[f"column {c['name']}", _column(c)] for c in value.get("columns", [])]


def _column(column: dict[str, Any]) -> str:
    """Say what a column of a table holds."""
    from rote.data.messages import first_few
    from rote.data.tables.cells import ISO, date_text

    gaps = ", or no value" if column.get("missing") or "" in column.get("categories", ()) else ""
    if column["kind"] == "categorical":
        named = [name for name in column["categories"] if name]
        return f"{len(named)} categories: {first_few(named)}{gaps}"
    if column.get("date"):
        first, last = (
            date_text(column[end], column["first"], ISO, whole=True) for end in ("low", "high")
        )
        return f"dates from {first} to {last}{gaps}"
    kind = "whole numbers" if column["whole"] else "numbers"
    return f"{kind} from {column['low']:g} to {column['high']:g}{gaps}"


@command("cache", example="rote data cache --clear", of=data_app)
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all decoded images.")] = False,
    json: options.Json = False,
) -> None:
    """List the decoded images that audits keep, or remove them (downloads stay)."""
    from rote.core.console import console, print_result, print_text, table
    from rote.data.files import decoded_cache as store

    folder = store.decoded_folder()
    if clear:
        freed = store.clear(folder)
        if json:
            print_result({"freed": freed})
        else:
            print_text(f"freed {freed / 1e6:.1f} MB")
        return
    kept = store.kept_entries(folder)
    total = sum(entry.size for entry in kept)
    if json:
        rows = [
            {"source": entry.source, "images": entry.images, "bytes": entry.size} for entry in kept
        ]
        print_result({"folder": str(folder), "bytes": total, "entries": rows})
        return
    shown = [[entry.source, f"{entry.images:,}", f"{entry.size / 1e6:.1f} MB"] for entry in kept]
    console.print(table(str(folder), ["source", "images", "size"], shown))
    print_text(f"{len(kept)} decoded sources, {total / 1e6:.1f} MB")
