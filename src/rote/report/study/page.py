"""Collects what the page of a study shows, and the overview of a folder of studies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rote.report import words
from rote.report.emm.definitions import read_study_definitions
from rote.report.study.read import Effect, read_study, strips

VERDICT_CHIPS = {"agrees": "good", "disagrees": "bad", "not decided": "", None: ""}
GROUPS = ("data", "model", "training", "conditioning")


def study_context(folder: Path) -> dict[str, Any]:
    """Read the folder of a study and return what its page shows."""
    from rote.report.charts import chart as charts
    from rote.report.charts import criteria as charts_criteria
    from rote.report.charts import study as charts_study

    study = read_study(folder)
    fields = study.fields
    own_sizes = {cell.value: 0 for cell in study.cells}
    for cell in study.cells:
        own_sizes[cell.value] += 1
    sizes = sorted({cell.size for cell in study.cells}) if max(own_sizes.values()) > 1 else [0]
    groups = [(n, [c for c in study.cells if not n or c.size == n]) for n in sizes]
    specs = {f"rates-{n}": charts_study.rates(study, cells) for n, cells in groups}
    if study.figures:
        specs["paper"] = charts_study.figures(study)
    if study.effects:
        specs["differences"] = charts_study.differences(study)
    curves = charts_study.curves(study)
    if curves is not None:
        specs["curves"] = curves
    runs = [run for cell in study.cells for run in cell.runs]
    definitions = read_study_definitions(folder)
    if definitions and definitions.dots:
        for statistic in ("frechet", "coverage"):
            specs[f"quality-{statistic}"] = charts_criteria.quality(
                definitions.dots, statistic=statistic, group=study.title
            )
    return {
        "template": "study.html.j2",
        "title": f"{study.title} · study",
        "study": study,
        "sizes": sizes,
        "chips": VERDICT_CHIPS,
        "paper": fields.child("paper"),
        "cost": fields.child("cost"),
        "data": fields.child("data"),
        "method": fields.child("method"),
        "spread": fields.child("method").child("spread_between_runs"),
        "emms": [(row.text("of"), _emm(row.child("emm").values)) for row in fields.children("emm")],
        "ratios": fields.children("emm_ratios"),
        "strips": strips(study),
        "definitions": definitions,
        "claim": claim,
        "drawn": set(specs),
        "any_labels": any(run.own_label is not None for run in runs),
        "any_repeated": any(run.repeated is not None for run in runs),
        "source_text": study.text,
        "source_name": "study.json",
        "gallery": None,
        "charts": {
            "light": charts.theme(dark=False),
            "dark": charts.theme(dark=True),
            "specs": specs,
        },
    }


def overview_context(folder: Path) -> dict[str, Any]:
    """Read the studies in a folder and return what their overview shows."""
    from rote.report.charts import chart as charts
    from rote.report.charts import study as charts_study

    studies = [read_study(path.parent) for path in sorted(folder.glob("*/study.json"))]
    studies.sort(key=lambda study: GROUPS.index(study.fields.one_of("group", *GROUPS)))
    rows = [(study, effect) for study in studies if (effect := study.headline()) is not None]
    unique = {run.key: run for study in studies for cell in study.cells for run in cell.runs}
    counts = {name: sum(study.verdict == name for study in studies) for name in VERDICT_CHIPS}
    return {
        "template": "overview.html.j2",
        "title": f"{len(studies)} studies · {studies[0].fields.child('data').text('source')}",
        "rows": rows,
        "studies": studies,
        "chips": VERDICT_CHIPS,
        "counts": counts,
        "runs": len(unique),
        "run_seconds": sum(run.seconds for run in unique.values()),
        "data": studies[0].fields.child("data"),
        "scale": studies[0].fields.text("scale"),
        "claim": claim,
        "gallery": None,
        "charts": {
            "light": charts.theme(dark=False),
            "dark": charts.theme(dark=True),
            "specs": {"effects": charts_study.effects(rows)},
        },
    }


def claim(effect: Effect) -> str:
    """Say what the paper claims of a comparison, in words; empty where it claims nothing."""
    if effect.paper is None:
        return ""
    first, second = words.plain(effect.first[0]), words.plain(effect.second[0])
    if effect.paper == "like":
        return f"{first} like {second}"
    return f"{first} {effect.paper} than {second}"


def _emm(values: dict[str, Any]) -> str:
    status, low, value, high = (values.get(key) for key in ("status", "low", "value", "high"))
    if status == "bracketed":
        return f"{value:,.0f} [{low:,.0f}, {high:,.0f}]"
    if status == "above":
        return "above the sizes trained" if low is None else f"at least {low:,.0f}"
    return "below the sizes trained" if high is None else f"at most {high:,.0f}"
