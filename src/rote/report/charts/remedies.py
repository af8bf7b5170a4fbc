"""The chart of remedies: quality against the rate, every point with its intervals."""

from __future__ import annotations

from typing import Literal

import altair as alt

from rote.report.charts.chart import Spec, finish, inline
from rote.results.mitigation.remedies import RemediesFile
from rote.stats.jackknife import Estimate
from rote.stats.rates import Rate

AS_IT_IS = "the model as it is"
SIDES: tuple[tuple[str, Literal["left", "right"], int], ...] = (
    ("datum.rate < 0.7", "left", 8),
    ("datum.rate >= 0.7", "right", -8),
)
"""Where names stand: inside the chart."""


def front(file: RemediesFile) -> Spec:
    """Return precision against the rate by the first judge, of the model and of every remedy."""
    rows = [_row(t.title, t.verdict, t.judged[0].after, t.quality[0].after) for t in file.tried]
    first = file.tried[0]
    rows.insert(0, _row(AS_IT_IS, AS_IT_IS, first.judged[0].before, first.quality[0].before))
    x = alt.X(
        "rate:Q",
        title=f"copies by {file.judges[0]}",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format=".2~f"),
    )
    y = alt.Y("precision:Q", title="precision, more is better", scale=alt.Scale(domain=[0, 1]))
    words = [AS_IT_IS, "helps", "evades", "harms", "undecided"]
    color = alt.Color(
        "verdict:N",
        sort=words,
        title="verdict",
        scale=alt.Scale(domain=words, range="ordinal"),
        legend=alt.Legend(orient="bottom", columns=5, titleOrient="top"),
    )
    tooltip = [
        alt.Tooltip("name:N", title="remedy"),
        alt.Tooltip("verdict:N"),
        alt.Tooltip("rate:Q", format=".3f"),
        alt.Tooltip("precision:Q", format=".3f"),
    ]
    data = alt.Chart(inline(rows))
    shape = alt.Shape(
        "verdict:N",
        sort=words,
        title="verdict",
        scale=alt.Scale(
            domain=words, range=["diamond", "circle", "triangle-up", "cross", "square"]
        ),
    )
    layers = [
        data.mark_rule(strokeWidth=2, opacity=0.5).encode(
            x=x, y=alt.Y("precision_low:Q"), y2="precision_high:Q", color=color
        ),
        data.mark_rule(strokeWidth=2, opacity=0.5).encode(
            x=alt.X("low:Q"), x2="high:Q", y=y, color=color
        ),
        data.mark_point(size=110, opacity=1, filled=True).encode(
            x=x,
            y=y,
            color=color,
            shape=shape,
            tooltip=tooltip,
            description=alt.Description("spoken:N"),
        ),
    ]
    layers += [
        data.transform_filter(side)
        .transform_filter(f"(datum.name == '{AS_IT_IS}') == {str(below).lower()}")
        .mark_text(style="target-label", align=align, dx=dx, dy=16 if below else -8)
        .encode(x=x, y=y, text="name:N")
        for side, align, dx in SIDES
        for below in (False, True)
    ]
    return finish(alt.layer(*layers), "Precision against the rate of copies, of every remedy")


def _row(name: str, verdict: str, rate: Rate, precision: Estimate) -> Spec:
    return {
        "name": name,
        "verdict": verdict,
        "rate": rate.value,
        "low": rate.low,
        "high": rate.high,
        "precision": precision.value,
        "precision_low": precision.low,
        "precision_high": precision.high,
        "spoken": f"{name}: rate {rate.value:.3f}, precision {precision.value:.3f}, {verdict}",
    }
