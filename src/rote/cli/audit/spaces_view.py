"""What a person sees of an audit in several spaces: rates side by side, and which space sees what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rote.core.console import console, say, table

if TYPE_CHECKING:
    from rich.table import Table

    from rote.memorization.audit.agreement import Agreement, RecallAtFPR
    from rote.memorization.audit.audit import Audit


def show_spaces(found: Audit) -> None:
    """Print the spaces of an audit for people."""
    from rote.memorization.audit.agreement import recall_at_fpr
    from rote.report.words import format_rate

    for result in found.spaces:
        if result.timed is not None:
            speed = result.timed.images / max(result.timed.seconds, 1e-9)
            say(
                f"features in {result.space['name']}: {result.timed.images:,} images in "
                f"{result.timed.seconds:.1f} s, {speed:,.0f} images/s"
                + ("" if result.timed.known else "; not kept: what it reads cannot be known")
            )
    names = [criterion.name for criterion in found.spaces[0].criteria]
    rows = []
    for result in found.spaces:
        rates = {criterion.name: criterion.rate for criterion in result.criteria}
        cells = [rates.get(name) for name in names]
        shown = [
            "none" if r is None else f"{format_rate(r)} [{r.low:.2g}, {r.high:.2g}]" for r in cells
        ]
        rows.append([result.space["name"], *shown])
    console.print(table("memorized, by space and criterion", ["space", *names], rows))
    agreed = found.agreement
    if agreed is not None:
        say(
            f"on {len(agreed.disputed):,} of {len(found.generated):,} images the "
            f"{len(agreed.rulers)} rulers differ"
        )
        console.print(_agreement_table(agreed))
    seen = recall_at_fpr(
        found.spaces,
        false_positive_rate=found.settings.false_positive_rate,
        confidence=found.settings.confidence,
    )
    if seen is not None:
        console.print(_recall_at_fpr_table(seen))


def _agreement_table(agreed: Agreement) -> Table:
    """Return how far every other ruler agrees with the first, with intervals."""
    first, *others = [f"{ruler.space} {ruler.criterion}" for ruler in agreed.rulers]
    columns = [
        [_agreed(pair) for pair in zip(values[0], intervals[0], strict=True)][1:]
        for values, intervals in (
            (agreed.kappa, agreed.kappa_interval),
            (agreed.spearman, agreed.spearman_interval),
        )
    ]
    rows = [list(row) for row in zip(others, *columns, strict=True)]
    title = f"agreement with {first}"
    if agreed.unit is not None:
        title += f", intervals with the {agreed.unit} as the unit"
    return table(title, ["ruler", "kappa", "rank correlation"], rows)


def _agreed(pair: tuple[float | None, tuple[float, float] | None]) -> str:
    value, interval = pair
    if value is None or interval is None:
        return "not known"
    return f"{value:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]"


def _recall_at_fpr_table(seen: RecallAtFPR) -> Table:
    """Return the recall by ratio in every space, a row per corruption, mild to strong."""
    columns = [n for n, detector in enumerate(seen.detectors) if detector.score == "ratio"]
    rows: dict[str, list[str]] = {}
    strengths: dict[str, list[str]] = {}
    for kind, rates in zip(seen.kinds, seen.recall, strict=True):
        cells = rows.setdefault(kind.name, [""] * len(columns))
        strengths.setdefault(kind.name, []).append(f"{kind.strength:g}")
        for place, column in enumerate(columns):
            cells[place] += f" {rates[column].value:.2f}".replace(" 0.", " .")
    shown = [
        [f"{name} {' '.join(strengths[name])}", *(cell.strip() for cell in cells)]
        for name, cells in rows.items()
    ]
    title = (
        f"which space sees what: recall by the ratio at {100 * seen.false_positive_rate:g} % false "
        "positives"
    )
    return table(title, ["copies made by", *(seen.detectors[n].space for n in columns)], shown)
