"""Collects what the page of a search for the EMM shows."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rote.report import words
from rote.report.audit.gallery import gallery_data
from rote.report.audit.page import HOLDOUT_AT_MOST, class_names
from rote.report.emm.definitions import read_definitions
from rote.report.emm.read import Interval, Round, Search, read_interval, read_search
from rote.report.emm.run_cards import point_name, run_cards
from rote.report.fields import Fields

# A control beyond this says that the measurement itself is in doubt.
OPTIMUM_AT_LEAST = 0.99


def search_context(run_dir: Path) -> dict[str, Any]:
    """Read the directory of a search and return what its page shows."""
    from rote.report.charts import chart as charts
    from rote.report.charts import criteria as charts_criteria
    from rote.report.charts import emm as charts_emm
    from rote.report.charts import gap as charts_gap

    search = read_search(run_dir)
    fields = search.fields
    data = fields.child("data")
    shown = _nearest_point(search)
    items = words.items_word(data)
    specs = {"curve": charts_emm.curve(search), "posterior": charts_emm.posterior(search)}
    if any(point.selection for point in search.points):
        specs["snapshots"] = charts_emm.snapshots(search)
    gap = search.points[shown].gap
    if gap:
        specs["gap"] = charts_gap.gap_curves(gap)
    if search.onset:
        specs["onset"] = charts_gap.onset_chart(search.onset)
    definitions = read_definitions(run_dir)
    if definitions:
        specs["definitions"] = charts_criteria.emm_by_criterion(definitions)
        if definitions.dots:
            for statistic in ("frechet", "coverage"):
                specs[f"quality-{statistic}"] = charts_criteria.quality(
                    definitions.dots, statistic=statistic, group="training-set size"
                )
    return {
        "template": "emm.html.j2",
        "title": f"EMM {headline(search.emm)[0]} · {data.text('source')}",
        "search": search,
        "headline": headline(search.emm),
        "data": data,
        "configs": fields.child("config").values,
        "cost": fields.child("cost"),
        "savings": _savings(fields.child("cost"), items),
        "fixed_grid": _fixed_grid(fields.child("cost")),
        "from_gaps": _from_gaps(fields),
        "estimand": fields.child("estimand").text("text"),
        "preset": fields.values.get("preset") or "own configuration",
        "seeds": words.flatten({"root seed": fields.count("seed")}),
        "sizes": len({point.size for point in search.points}),
        "rounds": [_round_row(search, number) for number in range(len(search.rounds))],
        "others": [(f"{epsilon:g}", emm, headline(emm)[0]) for epsilon, emm in search.others],
        "cards": run_cards(search),
        "definitions": definitions,
        "gap": (gap[0].count("points"), gap[0].count("holdout")) if gap else None,
        "gap_run": point_name(search, search.points[shown]),
        "optimum_failed": search.optimum[1].value < OPTIMUM_AT_LEAST,
        "holdout_failed": search.holdout is not None and search.holdout[1].low > HOLDOUT_AT_MOST,
        "vector": items != "images",
        "items": items,
        "source_text": search.text,
        "source_name": "emm.json",
        "gallery": gallery_data(
            [(point_name(search, point), point.audit) for point in search.points],
            chosen=shown,
            labels=class_names(data),
        ),
        "charts": {
            "light": charts.theme(dark=False),
            "dark": charts.theme(dark=True),
            "specs": words.reworded(specs, items),
        },
    }


def headline(emm: Interval) -> tuple[str, str, str]:
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


def _round_row(search: Search, number: int) -> RoundRow:
    entry: Round = search.rounds[number]
    sizes = [point.size for point in search.points]
    start, end = math.log(min(sizes)), math.log(max(sizes))

    def place(size: float) -> float:
        share = (math.log(size) - start) / (end - start) if end > start else 0.5
        return min(max(share, 0.0), 1.0)

    count = Counter(size for size, _ in entry.runs)
    emm = entry.after
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


def _savings(cost: Fields, items: str) -> list[Saving]:
    whole = cost.child("whole")
    return [
        Saving(name, cost.count(key), whole.count(key))
        for name, key in (
            (f"{items.capitalize()} trained on", "images_trained"),
            (f"{items.capitalize()} sampled", "images_sampled"),
        )
    ]


@dataclass(frozen=True)
class FixedGrid:
    """What a grid of octaves would have cost; ``runs`` is None where no affordable one would do."""

    sizes: str
    repeats: int | None
    runs: int | None
    images: int | None
    share: float | None
    """Images that the search trained on over those of the grid."""


def _fixed_grid(cost: Fields) -> FixedGrid | None:
    """Read the price of a fixed grid; none where the interval is open or the file is older than it."""
    price = cost.optional_child("fixed_grid")
    if price is None:
        return None
    sizes = price.values.get("sizes")
    if not isinstance(sizes, list) or not sizes or not all(isinstance(n, int) for n in sizes):
        raise price.wrong("sizes", "a list of sizes")
    named = words.join([f"{size:,}" for size in sizes])
    if price.values.get("repeats") is None:
        return FixedGrid(named, None, None, None, None)
    images = price.positive("images_trained")
    return FixedGrid(
        named,
        price.positive("repeats"),
        price.positive("runs"),
        images,
        cost.count("images_trained") / images,
    )


def _from_gaps(fields: Fields) -> tuple[str, str] | None:
    """Return the EMM from the gaps and its interval, in words; none where there is no such answer."""
    found = fields.optional_child("without_sampling")
    emm = found.optional_child("emm") if found else None
    return headline(read_interval(emm))[:2] if emm else None


def _nearest_point(search: Search) -> int:
    """Return the run whose size is nearest the EMM on a log scale; the first of several."""
    known = [x for x in (search.emm.value, search.emm.low, search.emm.high) if x]
    aim = known[0] if known else search.points[0].size
    return min(range(len(search.points)), key=lambda n: abs(math.log(search.points[n].size / aim)))
