"""Writes `report.html`: one file that holds everything it shows and asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import math
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rote.core.errors import RunError
from rote.core.runs import write_text
from rote.core.stats import Rate
from rote.report import words
from rote.report.audit_page import HOLDOUT_AT_MOST, audit_context, class_names
from rote.report.gallery import gallery_data
from rote.report.read import Point, Search, read_manifest, read_search

# A control beyond this says that the measurement itself is in doubt.
OPTIMUM_AT_LEAST = 0.99


def write_report(run_dir: Path) -> Path:
    """Write the report of a finished search or audit.

    Parameters
    ----------
    run_dir
        The directory: it holds `emm.json` (from ``rote emm``) or `audit.json` (from ``rote audit``).

    Returns
    -------
    Path
        `report.html` in that directory, replaced whole if it was there.

    Raises
    ------
    RunError
        If the directory holds no finished result, or a file of it is missing or damaged.
    """
    run_dir = Path(run_dir)
    if (run_dir / "emm.json").exists():
        context = _search_context(read_search(run_dir))
    elif (run_dir / "audit.json").exists():
        context = audit_context(run_dir)
    else:
        raise _nothing_to_show(run_dir)
    manifest = _tables(_without_version(read_manifest(run_dir)), rest="run")
    target = run_dir / "report.html"
    write_text(target, _render({**context, "manifest": manifest}))
    return target


def _nothing_to_show(run_dir: Path) -> RunError:
    """Return the error for a directory without a result, with the way out."""
    if not run_dir.is_dir():
        return RunError(
            f"{run_dir} is not a directory; give the --out of `rote emm` or `rote audit`"
        )
    if (run_dir / "points").exists():
        return RunError(
            f"the search in {run_dir} is not finished (there is no emm.json); "
            f"run `rote emm` again with --out {run_dir} to finish it"
        )
    if (run_dir / "audit" / "audit.json").exists():
        return RunError(
            f"{run_dir} holds its audit in a folder; report {run_dir / 'audit'} instead"
        )
    return RunError(
        f"{run_dir} holds neither emm.json nor audit.json; if a search was stopped there, run "
        "`rote emm` again to finish it"
    )


def _search_context(search: Search) -> dict[str, Any]:
    """Collect what the page of a search shows."""
    from rote.report import charts

    fields = search.fields
    data = fields.child("data")
    holdout_failed = search.holdout is not None and search.holdout[1].low > HOLDOUT_AT_MOST
    return {
        "template": "emm.html.j2",
        "title": f"EMM {_headline(search)[0]} · {data.text('source')}",
        "search": search,
        "headline": _headline(search),
        "sides": [("Training data", data)],
        "configs": _tables(fields.child("config").values, rest="other"),
        "cost": fields.child("cost"),
        "preset": fields.values.get("preset") or "own configuration",
        "seeds": _seed_rows(search),
        "space": search.space,
        "criterion_c": search.ratio_threshold,
        "optimum_failed": search.optimum[1].value < OPTIMUM_AT_LEAST,
        "holdout_failed": holdout_failed,
        "shown": _nearest_point(search),
        "vector": data.one_of("kind", "image", "vector") == "vector",
        "source_text": search.text,
        "source_name": "emm.json",
        "gallery": gallery_data(
            [(_point_name(search, point), point.audit) for point in search.points],
            chosen=_nearest_point(search),
            labels=class_names(data),
        ),
        "charts": {
            "light": charts.theme(dark=False),
            "dark": charts.theme(dark=True),
            "specs": {"curve": charts.curve(search), "snapshots": charts.snapshots(search)},
        },
    }


def _headline(search: Search) -> tuple[str, str, str]:
    """Return the big number, its bracket in words, and what the status means."""
    low, high = (None if x is None else words.format_size(x) for x in (search.low, search.high))
    if search.status != "bracketed" and low is None and high is None:
        return (
            "open",
            "no size was decided",
            "the intervals are too wide to place any size: more fresh samples are needed",
        )
    if search.status == "above":
        return (
            f"≥\u2009{low}",
            "no upper end found",
            "even the largest size tried is at or above the line: larger sizes are needed",
        )
    if search.status == "below":
        return (
            f"<\u2009{high}",
            "no lower end found",
            "even the smallest size tried is below the line: smaller sizes are needed",
        )
    value = "?" if search.value is None else words.format_size(search.value)
    return value, f"between {low} and {high}", "sizes on both sides of the line were measured"


def _nearest_point(search: Search) -> int:
    """Return the point whose size is nearest the EMM on a log scale; the first of several."""
    known = [x for x in (search.value, search.low, search.high) if x]
    aim = known[0] if known else search.points[0].size
    return min(range(len(search.points)), key=lambda n: abs(math.log(search.points[n].size / aim)))


def _point_name(search: Search, point: Point) -> str:
    several = sum(other.size == point.size for other in search.points) > 1
    return f"{point.size:,}" + (f" · seed {point.seed}" if several else "")


def _seed_rows(search: Search) -> list[tuple[str, str]]:
    training = sorted({point.seed for point in search.points})
    return words.flatten({"root seed": search.fields.count("seed"), "training seeds": training})


def _tables(values: dict[str, Any], *, rest: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return one table for every nested object and one, ``rest``, for all single values."""
    nested = [(key, words.flatten(part)) for key, part in values.items() if isinstance(part, dict)]
    single = {key: part for key, part in values.items() if not isinstance(part, dict)}
    tables = [*nested, *([(rest, words.flatten(single))] if single else [])]
    return [(name, rows) for name, rows in tables if rows]


def _without_version(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != "format_version"}


def _render(context: dict[str, Any]) -> str:
    """Fill the templates; every text passes through autoescape."""
    environment = Environment(
        loader=PackageLoader("rote.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "plain": words.plain,
        "size": words.format_size,
        "ratio": words.format_ratio,
        "rate": words.format_rate,
        "interval": words.format_interval,
        "seconds": words.format_seconds,
        "share": _share_style,
        "percent": words.format_percent,
        "signed": words.format_signed,
        "and_list": words.join,
        "embed": lambda value: Markup(words.embed_json(value)),
    }
    names = ["charts.js", "gallery.js", "report.js", *context.get("scripts", [])]
    scripts = [_vega(), *(_template_text(name) for name in names)]
    return environment.get_template(context["template"]).render(
        **{key: value for key, value in context.items() if key != "scripts"},
        css=Markup(_template_text("report.css") + _template_text("audit.css")),
        scripts=[Markup(script) for script in scripts],
        script_hashes=" ".join(f"'sha256-{_sha256(script)}'" for script in scripts),
    )


def _share_style(rate: Rate) -> str:
    """Return the custom properties that place a small bar with its interval."""
    return f"--value:{rate.value:.4f};--low:{rate.low:.4f};--high:{rate.high:.4f}"


def _vega() -> str:
    """Return Vega's bundle as one classic script that leaves no stray names behind."""
    from rote.report import charts

    script = f"(() => {{{charts.javascript()}\n}})();\n"
    # Browsers end a script at these even inside a string.
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--").replace("\r", "")


def _template_text(name: str) -> str:
    return (resources.files("rote.report") / "templates" / name).read_text(encoding="utf-8")


def _sha256(script: str) -> str:
    """Return the hash by which the page's content security policy knows a script."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
