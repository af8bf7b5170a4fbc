"""A search for the EMM in Python: in words, as a frame, as a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rote.core.presentation.figures import COPY, LINE, WIDTH, inline
from rote.memorization.presentation.summary import percent
from rote.results.emm import EmmFile, SizeRate

if TYPE_CHECKING:
    import pandas as pd

ENDED = {"exact": "", "at-least": "ended early: at least", "at-most": "ended early: at most"}


def sentences(found: EmmFile) -> list[str]:
    """Return the answer, what it rests on, the controls, and what was left out."""
    sizes = sorted({point.size for point in found.points})
    cost = found.cost
    lines = [
        found.sentence,
        *([found.budget.sentence] if found.budget else ()),
        f"{len(found.points)} runs of {len(sizes)} sizes from {sizes[0]:,} to {sizes[-1]:,}; "
        f"{cost.images_trained:,} images seen in training, {cost.seconds / 60:,.1f} min; "
        f"stopped: {found.design.stopped}",
        f"control: samples of the theoretical optimum, which only copies: {_of(found.controls.optimum)}",
    ]
    if found.controls.holdout is not None:
        lines.append(f"control: items that were not trained on: {_of(found.controls.holdout)}")
    if found.fit is not None:
        lines += [
            f"left out: run {one.replicate} of size {one.size:,}, which alone lies off the curve, with "
            f"the rate {one.rate:.3g}"
            for one in found.fit.set_aside
        ]
    return lines


def _of(control: SizeRate) -> str:
    return f"{percent(control.rate)} copies, at {control.size:,}"


def frame(found: EmmFile) -> pd.DataFrame:
    """Return a row for every run, by size and replicate; needs pandas."""
    import pandas as pd

    return pd.DataFrame(_rows(found))


def _rows(found: EmmFile) -> list[dict[str, Any]]:
    return [
        {
            "size": point.size,
            "replicate": point.replicate,
            "rate": point.rate.value,
            "low": point.rate.low,
            "high": point.rate.high,
            "count": point.rate.count,
            "total": point.rate.total,
            "bound": point.observation.bound,
            "images_seen": point.images_seen,
        }
        for point in found.points
    ]


def curve(found: EmmFile) -> Any:
    """Return an Altair chart: every run, the curve with its band, 1 - epsilon, and the EMM."""
    import altair

    sizes = [point.size for point in found.points]
    ends = [min(sizes) / 1.3, max(sizes) * 1.3]
    band = [
        row.model_dump(include={"size", "rate", "low", "high"})
        for row in found.curve.band
        if ends[0] <= row.size <= ends[1]
    ]
    x = altair.X(
        "size:Q", title="training items", scale=altair.Scale(type="log", domain=ends, nice=False)
    )
    y = altair.Y("rate:Q", title="share of copies", scale=altair.Scale(domain=[0, 1]))
    fitted = altair.Chart(inline(band))
    runs = altair.Chart(inline(_rows(found)))
    line = altair.Chart(inline([{"rate": 1 - found.epsilon}]))
    layers = [
        fitted.mark_area(color=LINE, opacity=0.2).encode(x=x, y=altair.Y("low:Q"), y2="high:Q"),
        fitted.mark_line(color=LINE).encode(x=x, y=y),
        line.mark_rule(strokeDash=[4, 4], color="#888").encode(y="rate:Q"),
        runs.mark_rule(color=COPY).encode(x=x, y="low:Q", y2="high:Q"),
        runs.mark_circle(color=COPY, size=60, opacity=1).encode(x=x, y=y),
    ]
    if found.emm.value is not None:
        at = altair.Chart(inline([{"size": found.emm.value}]))
        layers.append(at.mark_rule(color="#888").encode(x="size:Q"))
    return altair.layer(*layers).properties(width=WIDTH, height=220)
