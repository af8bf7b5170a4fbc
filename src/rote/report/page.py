"""Writes `report.html`: one file that holds everything it shows and asks the network for nothing."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rote.core.atomic_files import remove_left_over, write_text
from rote.core.errors import RunError
from rote.core.files.saved_together import COUNTED, read_together
from rote.report import words
from rote.report.audit import criteria
from rote.report.audit.index import index_context
from rote.report.audit.page import audit_context
from rote.report.compare.page import compare_context
from rote.report.emm.definitions import emm_text
from rote.report.emm.page import search_context
from rote.report.remedies.page import remedies_context
from rote.report.study.page import overview_context, study_context
from rote.report.training import is_training, training_context
from rote.results.criterion import Tolerance
from rote.results.run import Manifest
from rote.results.schema import read_result
from rote.stats.rates import Rate

STYLES = ("report.css", "audit.css", "emm.css", "study.css")


def write_report(run_dir: Path) -> Path:
    """Write the report of a finished search, audit or study, or of a training as far as it is.

    Parameters
    ----------
    run_dir
        The directory: it holds `emm.json` (from ``rote emm``), `audit.json` (from ``rote audit``),
        `study.json` (from ``rote study``), `compare.json` (from ``rote compare``), `remedies.json` (from
        ``rote remedy try``), or folders with a
        `study.json` or an `audit.json` each (audits without a page get theirs, too), or it is a training
        (from ``rote train``).

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
        context = search_context(run_dir)
        context |= {"configs": _tables(context["configs"], rest="other")}
    elif (run_dir / "audit.json").exists() or (run_dir / COUNTED).exists():
        context = read_together(run_dir, functools.partial(audit_context, run_dir))
    elif (run_dir / "study.json").exists():
        context = study_context(run_dir)
    elif (run_dir / "compare.json").exists():
        context = compare_context(run_dir)
    elif (run_dir / "remedies.json").exists():
        _write_missing(run_dir.glob("audits/*/audit.json"))
        context = remedies_context(run_dir)
    elif any(run_dir.glob("*/study.json")):
        context = overview_context(run_dir)
    elif is_training(run_dir):
        context = training_context(run_dir)
        context |= {"configs": _tables(context["configs"], rest="other")}
    elif set(run_dir.glob("*/audit.json")) - {run_dir / "audit" / "audit.json"}:
        _write_missing(run_dir.glob("*/audit.json"))
        context = index_context(run_dir)
    else:
        raise _nothing_to_show(run_dir)
    made = context.get("provenance") or _manifest(run_dir / "manifest.json")
    manifest = _tables(made, rest="run")
    seconds = sum((made.get("seconds") or {}).values())
    target = run_dir / "report.html"
    remove_left_over(run_dir)
    write_text(target, _render({**context, "manifest": manifest, "seconds": seconds}))
    return target


def _write_missing(audits: Iterable[Path]) -> None:
    """Write the pages of audits that a page leads to."""
    for path in sorted(audits):
        if not (path.parent / "report.html").exists():
            write_report(path.parent)


def _nothing_to_show(run_dir: Path) -> RunError:
    """Return the error for a directory without a result, with the way out."""
    if not run_dir.is_dir():
        return RunError(
            f"{run_dir} is not a directory; give the `out` of `rote emm`, `rote audit` or `rote train`"
        )
    if (run_dir / "points").exists():
        return RunError(
            f"the search in {run_dir} is not finished (there is no emm.json); "
            f"run `rote emm` again with `out` {run_dir} to finish it"
        )
    if (run_dir / "audit" / "audit.json").exists():
        return RunError(
            f"{run_dir} holds its audit in a folder; report {run_dir / 'audit'} instead"
        )
    return RunError(
        f"{run_dir} holds neither emm.json nor audit.json; if a search was stopped there, run "
        "`rote emm` again to finish it"
    )


def _tables(values: dict[str, Any], *, rest: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return one table for every nested object and one, ``rest``, for all single values."""
    nested = [(key, words.flatten(part)) for key, part in values.items() if isinstance(part, dict)]
    single = {key: part for key, part in values.items() if not isinstance(part, dict)}
    tables = [*nested, *([(rest, words.flatten(single))] if single else [])]
    return [(name, rows) for name, rows in tables if rows]


def _manifest(path: Path) -> dict[str, Any]:
    """Return what made the result, empty where nobody wrote it down."""
    values = read_result(path, Manifest).to_json() if path.exists() else {}
    return {key: value for key, value in values.items() if key != "format_version"}


def _render(context: dict[str, Any]) -> str:
    """Fill the templates; every text passes through autoescape."""
    gallery = ["gallery_rows.js", "viewer.js", "gallery_link.js", "gallery.js"]
    shown = gallery if context["gallery"] else []
    names = ["tables.js", "charts.js", *shown, "report.js", *context.get("scripts", [])]
    scripts = [_vega(), *(_template_text(name) for name in names)]
    return (
        _environment()
        .get_template(context["template"])
        .render(
            **{"beside": None, "heard": None}
            | {key: value for key, value in context.items() if key != "scripts"},
            css=Markup("".join(map(_template_text, STYLES))),
            scripts=[Markup(script) for script in scripts],
            script_hashes=" ".join(f"'sha256-{_sha256(script)}'" for script in scripts),
        )
    )


@functools.cache  # compiling the templates takes longer than filling them
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("rote.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "plain": words.plain,
        "one": words.one,
        "short": words.short,
        "criterion": criteria.criterion_title,
        "calibration": criteria.calibration_sentence,
        "difference": criteria.excess_interval,
        "emm_text": emm_text,
        "size": words.format_size,
        "ratio": words.format_ratio,
        "tolerance": Tolerance.in_words,
        "reach": words.format_reach,
        "rate": words.format_rate,
        "interval": words.format_interval,
        "seconds": words.format_seconds,
        "share": _share_style,
        "percent": words.format_percent,
        "signed": words.format_signed,
        "points": words.format_points,
        "and_list": words.join,
        "embed": lambda value: Markup(words.embed_json(value)),
    }
    return environment


def _share_style(rate: Rate) -> str:
    """Return the custom properties that place a small bar with its interval."""
    return f"--value:{rate.value:.4f};--low:{rate.low:.4f};--high:{rate.high:.4f}"


def _vega() -> str:
    """Return Vega's bundle as one classic script that leaves no stray names behind."""
    from rote.report.charts import chart as charts

    script = f"(() => {{{charts.javascript()}\n}})();\n"
    # Browsers end a script at these even inside a string.
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--").replace("\r", "")


def _template_text(name: str) -> str:
    return (resources.files("rote.report") / "templates" / name).read_text(encoding="utf-8")


def _sha256(script: str) -> str:
    """Return the hash by which the page's content security policy knows a script."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
