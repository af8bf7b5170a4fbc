"""Collects what the page of a search for the EMM shows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rote.report import words
from rote.report.audit.gallery import gallery_data
from rote.report.audit.page import HOLDOUT_AT_MOST, class_names
from rote.report.emm.definitions import Definitions, read_definitions
from rote.report.emm.meaning import ONLY_COPIES, for_your_set
from rote.report.emm.read import Search, read_search
from rote.report.emm.run_cards import point_name, run_cards, several_snapshots
from rote.results.emm import Cost, Emm, EmmFile, FixedGrid
from rote.results.gap import GapSnapshot

# A control beyond this says that the measurement itself is in doubt.
OPTIMUM_AT_LEAST = 0.99


def search_context(run_dir: Path) -> dict[str, Any]:
    """Read the directory of a search and return what its page shows."""
    from rote.report.charts import chart as charts

    search = read_search(run_dir)
    file = search.file
    shown = _nearest_run(search)
    gap = search.runs[shown].point.gap
    definitions = read_definitions(run_dir)
    items, optimum, holdout = file.data.items, file.controls.optimum, file.controls.holdout
    return {
        "template": "emm.html.j2",
        "title": f"EMM {headline(file.emm)[0]} · {file.data.source}",
        "search": file,
        "headline": headline(file.emm),
        "for_you": for_your_set(file),
        "only_copies": file.epsilon <= ONLY_COPIES,
        "configs": file.config,
        "savings": _savings(file.cost, items),
        "fixed_grid": _fixed_grid(file.cost),
        "from_gaps": _from_gaps(file),
        "preset": file.preset or "own configuration",
        "seeds": words.flatten({"root seed": file.seed}),
        "sizes": len({point.size for point in file.points}),
        "rounds": [_round_row(file, number) for number in range(len(file.design.rounds))],
        "others": [(f"{e.epsilon:g}", e, headline(e)[0]) for e in file.other_epsilons],
        "cards": run_cards(search),
        "definitions": definitions,
        "gap": (gap[0].points, gap[0].holdout) if gap else None,
        "gap_run": point_name(file, file.points[shown]),
        "optimum_failed": optimum.rate.value < OPTIMUM_AT_LEAST,
        "holdout_failed": holdout is not None and holdout.rate.low > HOLDOUT_AT_MOST,
        "vector": items not in ("images", "volumes"),
        "items": items,
        "source_text": (run_dir / "emm.json").read_text(encoding="utf-8"),
        "source_name": "emm.json",
        "gallery": gallery_data(
            [(point_name(file, run.point), run.audit) for run in search.runs],
            chosen=shown,
            labels=class_names(file.data),
        ),
        "charts": charts.on_page(words.reworded(_charts(search, gap, definitions), items)),
    }


def _charts(
    search: Search, gap: Sequence[GapSnapshot], definitions: Definitions | None
) -> dict[str, Any]:
    from rote.report.charts import criteria, emm
    from rote.report.charts.gap import gap_curves, onset_chart

    specs = {"curve": emm.curve(search), "posterior": emm.posterior(search.file)}
    if several_snapshots(search.file):
        specs["snapshots"] = emm.snapshots(search.file.points)
    if gap:
        specs["gap"] = gap_curves(gap)
    if search.file.onset:
        specs["onset"] = onset_chart(search.file.onset)
    if definitions:
        specs["definitions"] = criteria.emm_by_criterion(definitions.file)
        specs |= criteria.quality_charts(definitions.dots, group="training-set size")
    return specs


def headline(emm: Emm) -> tuple[str, str, str]:
    """Return the big number, its interval in words, and what the status means."""
    low, high = (None if x is None else words.format_size(x) for x in (emm.low, emm.high))
    sure, one_sided = f"{100 * emm.confidence:g} %", f"{50 * (1 + emm.confidence):g} %"
    if emm.status == "bracketed":
        value = "?" if emm.value is None else words.format_size(emm.value)
        return (
            value,
            f"{low} to {high}, {sure} interval",
            "the interval lies within the sizes that were trained",
        )
    if emm.status == "unknown":
        return (
            "not known",
            "the runs do not lie on one falling curve",
            "an interval would trust a shape that the runs speak against: it would be too narrow",
        )
    if low is not None:
        return (
            f"≥\u2009{low}",
            f"{one_sided} confidence, no upper end",
            "the interval reaches beyond the largest size that was trained: larger sizes are needed",
        )
    if high is not None:
        return (
            f"≤\u2009{high}",
            f"{one_sided} confidence, no lower end",
            "the interval reaches below the smallest size that was trained: smaller sizes are needed",
        )
    return (
        "open",
        "no end of the interval is known",
        "the interval reaches beyond the sizes trained on both sides: more runs are needed",
    )


@dataclass(frozen=True)
class RoundRow:
    """A round as the table shows it; the bar is in shares of the axis from 0 to 1."""

    number: int
    trained: str
    why: str
    emm: str
    interval: str
    low: float
    high: float
    value: float | None


def _round_row(file: EmmFile, number: int) -> RoundRow:
    rounds = file.design.rounds
    entry = rounds[number]
    sizes = [point.size for point in file.points]
    start, end = math.log(min(sizes)), math.log(max(sizes))

    def place(size: float) -> float:
        share = (math.log(size) - start) / (end - start) if end > start else 0.5
        return min(max(share, 0.0), 1.0)

    count = Counter(run.size for run in entry.runs)
    # The file has the EMM before each round, a reader wants it after each.
    emm = (rounds[number + 1].emm if number + 1 < len(rounds) else None) or file.emm
    known = headline(emm)
    return RoundRow(
        number=number + 1,
        trained=words.join(
            [f"{size:,}" + (f" ({many} times)" if many > 1 else "") for size, many in count.items()]
        ),
        why=entry.why,
        emm=known[0],
        interval=known[1].partition(",")[0] if emm.status == "bracketed" else "",
        low=0.0 if emm.low is None else place(emm.low),
        high=1.0 if emm.high is None else place(emm.high),
        value=None if emm.value is None else place(emm.value),
    )


@dataclass(frozen=True)
class Saving:
    """What was spent beside what the same runs, whole and sampled to the most, would have taken."""

    name: str
    spent: int
    whole: int

    @property
    def share(self) -> float:
        """Spent over whole, at most 1."""
        return min(self.spent / self.whole, 1.0) if self.whole else 1.0


def _savings(cost: Cost, items: str) -> list[Saving]:
    called, whole = items.capitalize(), cost.whole
    if whole is None:
        return []
    return [
        Saving(f"{called} trained on", cost.images_trained, whole.images_trained),
        Saving(f"{called} sampled", cost.images_sampled, whole.images_sampled),
    ]


def _fixed_grid(cost: Cost) -> tuple[FixedGrid, str, float | None] | None:
    """Return the price of a fixed grid, its sizes in words, and the share of it that was spent.

    None where the interval is open or the file is older than it; no share where no affordable grid
    would do.
    """
    grid = cost.fixed_grid
    if grid is None:
        return None
    share = cost.images_trained / grid.images_trained if grid.images_trained else None
    return grid, words.join([f"{size:,}" for size in grid.sizes]), share


def _from_gaps(file: EmmFile) -> tuple[str, str] | None:
    """Return the EMM from the gaps and its interval, in words; none where there is no such answer."""
    emm = file.without_sampling.emm if file.without_sampling else None
    return headline(emm)[:2] if emm else None


def _nearest_run(search: Search) -> int:
    """Return the run whose size is nearest the EMM on a log scale; the first of several."""
    emm, points = search.file.emm, search.file.points
    aim = next((x for x in (emm.value, emm.low, emm.high) if x), points[0].size)
    return min(range(len(points)), key=lambda n: abs(math.log(points[n].size / aim)))
