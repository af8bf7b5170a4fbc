"""The charts of other definitions: the EMM under each, and quality against memorization."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from rote.report.charts.chart import Spec, finish, inline, rate_row
from rote.report.emm.definitions import Definitions, QualityDot

ROW = 40


def emm_by_criterion(found: Definitions) -> Spec:
    """Return the EMM with its interval under each criterion, over the sizes that were trained."""
    ends = min(found.sizes) / 2**0.4, max(found.sizes) * 2**0.4
    rows = []
    for ruler in found.rulers:
        if ruler.low is None and ruler.high is None:
            continue
        row = {
            "criterion": ruler.name,
            "low": ends[0] if ruler.low is None else max(ruler.low, ends[0]),
            "high": ends[1] if ruler.high is None else min(ruler.high, ends[1]),
            "text": ruler.text,
            "spoken": f"{ruler.name}: EMM {ruler.text}",
        }
        rows.append(row if ruler.value is None else row | {"size": ruler.value})
    y = alt.Y(
        "criterion:N",
        sort=[ruler.name for ruler in found.rulers],
        title=None,
        axis=alt.Axis(grid=False),
    )
    x = alt.X(
        "low:Q",
        title="EMM: training-set size (log scale); a bar that reaches an edge is open there",
        scale=alt.Scale(type="log", base=2, domain=list(ends), nice=False),
        axis=alt.Axis(
            values=sorted(set(found.sizes)), format=",d", labelOverlap="greedy", grid=True
        ),
    )
    tooltip = [alt.Tooltip("criterion:N"), alt.Tooltip("text:N", title="EMM")]
    data = alt.Chart(inline(rows))
    layers: list[alt.Chart] = [
        data.mark_rule(style="interval", strokeCap="round").encode(
            y=y, x=x, x2="high:Q", tooltip=tooltip, description=alt.Description("spoken:N")
        ),
        alt.Chart(inline([row for row in rows if "size" in row]))
        .mark_circle(style="dot", size=95)
        .encode(y=y, x=alt.X("size:Q"), tooltip=tooltip),
    ]
    return finish(
        alt.layer(*layers), "The EMM under each criterion", height=ROW * max(len(rows), 1)
    )


def quality(dots: Sequence[QualityDot], *, statistic: str, group: str) -> Spec:
    """Return a quality statistic against the memorization rate, one dot per run.

    ``statistic`` is "frechet" or "coverage", ``group`` the title of what the color tells; the dashed line
    is what real items score.
    """
    place = ("frechet", "coverage").index(statistic)
    rows = []
    for dot in dots:
        number = (dot.frechet, dot.coverage)[place]
        rows.append(
            {
                "x": dot.rate.value,
                "x_low": dot.rate.low,
                "x_high": dot.rate.high,
                "y": number.value,
                "y_low": number.low,
                "y_high": number.high,
                "run": dot.label,
                "group": dot.group,
                "value": f"{number.value:.3g} ({number.low:.3g} to {number.high:.3g})",
                "spoken": f"{dot.label}: {statistic} {number.value:.3g}, rate {dot.rate.value:.3f}",
                **rate_row(dot.rate),
            }
        )
    name = f"Fréchet distance ({dots[0].space})" if place == 0 else "coverage"
    x = alt.X("x:Q", title="memorization rate", scale=alt.Scale(domain=[0, 1]))
    y = alt.Y(
        "y:Q",
        title=f"{name}, {'less' if place == 0 else 'more'} is better",
        scale=alt.Scale(zero=True) if place == 0 else alt.Scale(domain=[0, 1]),
    )
    color = alt.Color(
        "group:N",
        sort=list(dict.fromkeys(dot.group for dot in dots)),
        title=group,
        scale=alt.Scale(range="ordinal"),
        legend=alt.Legend(orient="bottom", columns=6, titleOrient="top"),
    )
    tooltip = [
        alt.Tooltip("run:N"),
        alt.Tooltip("value:N", title=name),
        alt.Tooltip("rate:Q", title="memorization rate", format=".3f"),
        alt.Tooltip("interval:N", title="interval"),
    ]
    data = alt.Chart(inline(rows))
    layers: list[alt.Chart] = []
    real = [dot.real[place].value for dot in dots if dot.real is not None]
    if real:
        line = alt.Chart(inline([{"y": sum(real) / len(real)}]))
        layers.append(line.mark_rule(style="target").encode(y="y:Q"))
    layers += [
        data.mark_rule(strokeWidth=2, opacity=0.5).encode(
            x=x, y=alt.Y("y_low:Q"), y2="y_high:Q", color=color
        ),
        data.mark_rule(strokeWidth=2, opacity=0.5).encode(
            x=alt.X("x_low:Q"), x2="x_high:Q", y=y, color=color
        ),
        data.mark_circle(size=95, opacity=1).encode(
            x=x, y=y, color=color, tooltip=tooltip, description=alt.Description("spoken:N")
        ),
    ]
    return finish(alt.layer(*layers), f"{name} against the memorization rate of every run")
