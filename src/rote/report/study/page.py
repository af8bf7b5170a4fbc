"""Collects what the page of a study shows, and the overview of a folder of studies."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from rote.report import words
from rote.report.emm.definitions import read_study_definitions
from rote.report.study.read import read_study, strips
from rote.results.emm import Emm
from rote.results.study import Effect, StudyCell, StudyFile, Verdict

FEW_RUNS = 3
"""What rests on so few runs of a value, or fewer, is said without a color that speaks for it."""
UNITS = {
    "train.images": "images seen in training",
    "data.resolution": "pixels each way",
    "data.classes": "classes",
    "data.times": "times that an image is there",
    "data.second_share": "share of the second source",
    "size": "training images",
    "model.width": "channels of the widest resolution",
    "model.blocks": "blocks of a resolution",
    "model.dropout": "share of values dropped",
    "train.random_classes": "random classes",
    "sample.guidance": "guidance strength",
    "train.learning_rate": "learning rate",
}
"""What the values of a factor count, by the one setting that they set."""
PAPER, REVIEWS = "the paper", "reviews of the paper"
GROUPS = ("data", "model", "training", "conditioning")


def study_context(folder: Path) -> dict[str, Any]:
    """Read the folder of a study and return what its page shows."""
    from rote.report.charts import chart as charts
    from rote.report.charts import criteria as charts_criteria
    from rote.report.charts import study as charts_study

    study = read_study(folder)
    file = study.file
    several = max(Counter(cell.value for cell in file.cells).values()) > 1
    sizes = sorted({cell.size for cell in file.cells}) if several else [0]
    specs = {
        f"rates-{n}": charts_study.rates(
            file.title, [cell for cell in file.cells if n in (0, cell.size)]
        )
        for n in sizes
    }
    if file.paper.figures:
        specs["paper"] = charts_study.figures(file.paper.figures)
    if file.effects:
        specs["differences"] = charts_study.differences(file)
    curves = charts_study.curves(study)
    if curves is not None:
        specs["curves"] = curves
    definitions = read_study_definitions(folder)
    not_known = [cell for cell in file.cells if not cell.rate.known]
    tolerances = [run.tolerance for run in study.runs if run.tolerance is not None]
    if definitions:
        specs |= charts_criteria.quality_charts(definitions.dots, group=file.title)
    return {
        "template": "study.html.j2",
        "title": f"{file.title} · study",
        "study": file,
        "items": file.data.items,
        "sizes": sizes,
        "chip": chip,
        "runs_of": partial(runs_of, file),
        "runs": fewest_runs(file),
        "whose": whose(file),
        "not_known": words.join([_cell_name(cell, several=several) for cell in not_known]),
        "not_known_count": len(not_known),
        "unit": unit_of(file),
        "emms": [(row.of, _emm(row.emm)) for row in file.emm],
        "strips": strips(study),
        "definitions": definitions,
        "claim": claim,
        "claims": any(effect.paper for effect in file.effects),
        "drawn": set(specs),
        "any_labels": any(run.own_label is not None for run in study.runs),
        "any_tolerance": bool(tolerances),
        "tolerance_unit": tolerances[0].unit if tolerances else "",
        "any_repeated": any(run.repeated is not None for run in study.runs),
        "source_text": (folder / "study.json").read_text(encoding="utf-8"),
        "source_name": "study.json",
        "gallery": None,
        "charts": charts.on_page(words.reworded(specs, file.data.items)),
    }


def overview_context(folder: Path) -> dict[str, Any]:
    """Read the studies in a folder and return what their overview shows."""
    from rote.report.charts import chart as charts
    from rote.report.charts import study as charts_study

    studies = [read_study(path.parent) for path in sorted(folder.glob("*/study.json"))]
    studies.sort(key=lambda study: GROUPS.index(study.file.group))
    rows = [(study, effect) for study in studies if (effect := study.headline()) is not None]
    unique = {run.key: run for study in studies for run in study.runs}
    verdicts = Counter((study.file.verdict, whose(study.file)) for study in studies)
    first = studies[0].file
    return {
        "template": "overview.html.j2",
        "title": f"{len(studies)} studies · {first.data.source}",
        "rows": rows,
        "studies": [study.file for study in studies],
        "chip": chip,
        "fewest_runs": fewest_runs,
        "whose": whose,
        "few": FEW_RUNS,
        "counts": [
            (verdict, source, verdicts[verdict, source])
            for source in (PAPER, REVIEWS)
            for verdict in ("agrees", "disagrees", "not decided")
        ],
        "unclaimed": sum(n for (verdict, _), n in verdicts.items() if verdict is None),
        "runs": len(unique),
        "run_seconds": sum(run.seconds for run in unique.values()),
        "data": first.data,
        "scale": first.scale,
        "claim": claim,
        "gallery": None,
        "charts": charts.on_page(
            {"effects": charts_study.effects([(study.file, effect) for study, effect in rows])}
        ),
    }


def whose(file: StudyFile) -> str:
    """Return who says what the study is held against: the paper, or public reviews of it."""
    return REVIEWS if file.paper.source.startswith("public reviews") else PAPER


def unit_of(file: StudyFile) -> str:
    """Return what the values of a study count; empty where they are names, or nobody has said."""
    keys = {key for cell in file.cells for key in cell.settings}
    return UNITS.get(keys.pop(), "") if len(keys) == 1 else ""


def runs_of(file: StudyFile, effect: Effect) -> tuple[int, int]:
    """Return how many runs each side of a comparison rests on."""
    counts = {(cell.value, cell.size): len(cell.runs) for cell in file.cells}
    first, second = effect.first, effect.second
    return counts.get((first.value, first.size), 0), counts.get((second.value, second.size), 0)


def fewest_runs(file: StudyFile) -> int:
    """Return the fewest runs that any side of the comparisons with a claim rests on."""
    spoken = [effect for effect in file.effects if effect.paper] or file.effects
    return min((min(runs_of(file, effect)) for effect in spoken), default=0)


def chip(verdict: Verdict, runs: int) -> str:
    """Return the class of a verdict: no color where it rests on few runs."""
    return "" if runs <= FEW_RUNS else {"agrees": "good", "disagrees": "bad"}.get(verdict, "")


def claim(effect: Effect) -> str:
    """Say what the paper claims of a comparison, in words; empty where it claims nothing."""
    if effect.paper is None:
        return ""
    first, second = words.plain(effect.first.value), words.plain(effect.second.value)
    if effect.paper == "like":
        return f"{first} like {second}"
    return f"{first} {effect.paper} than {second}"


def _cell_name(cell: StudyCell, *, several: bool) -> str:
    """Name a value, with its size where values have several."""
    return words.plain(cell.value) + (f" at {cell.size:,}" if several else "")


def _emm(emm: Emm) -> str:
    if emm.status == "bracketed":
        return f"{emm.value:,.0f} [{emm.low:,.0f}, {emm.high:,.0f}]"
    if emm.status == "unknown":
        return "not known: no falling curve"
    if emm.status == "above":
        return "above the sizes trained" if emm.low is None else f"at least {emm.low:,.0f}"
    return "below the sizes trained" if emm.high is None else f"at most {emm.high:,.0f}"
