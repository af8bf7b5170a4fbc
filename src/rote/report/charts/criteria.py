"""The charts of other definitions: the EMM under each, and quality against memorization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import altair as alt

from rote.report.charts.chart import Spec, finish, inline, rate_row
from rote.report.emm.definitions import QualityDot, emm_text
from rote.results.criteria import SearchCriteriaFile
from rote.stats.jackknife import Estimate

ROW = 40


def emm_by_criterion(file: SearchCriteriaFile) -> Spec:
    """Return the EMM with its interval under each criterion, over the sizes that were trained."""
    sizes = sorted({run.size for run in file.runs})
    ends = sizes[0] / 2**0.4, sizes[-1] * 2**0.4
    rows = []
    for entry in file.criteria:
        emm = entry.emm
        if emm is None or (emm.low is None and emm.high is None):
            continue
        row = {
            "criterion": entry.name,
            "low": ends[0] if emm.low is None else max(emm.low, ends[0]),
            "high": ends[1] if emm.high is None else min(emm.high, ends[1]),
            "text": emm_text(entry),
            "spoken": f"{entry.name}: EMM {emm_text(entry)}",
        }
        rows.append(row if emm.value is None else row | {"size": emm.value})
    y = alt.Y(
        "criterion:N",
        sort=[entry.name for entry in file.criteria],
        title=None,
        axis=alt.Axis(grid=False),
    )
    x = alt.X(
        "low:Q",
        title="EMM: training-set size (log scale); a bar that reaches an edge is open there",
        scale=alt.Scale(type="log", base=2, domain=list(ends), nice=False),
        axis=alt.Axis(values=sizes, format=",d", labelOverlap="greedy", grid=True),
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


def quality_charts(dots: Sequence[QualityDot], *, group: str) -> dict[str, Spec]:
    """Return two quality statistics against the memorization rate, one dot per run; none without dots.

    ``group`` is the title of what the color tells; the dashed line is what real items score.
    """
    if not dots:
        return {}
    frechet = f"Fréchet distance ({dots[0].quality.space})"
    return {
        "quality-frechet": _quality(dots, "frechet", f"{frechet}, less is better", group),
        "quality-coverage": _quality(dots, "coverage", "coverage, more is better", group),
    }


def _quality(
    dots: Sequence[QualityDot], statistic: Literal["frechet", "coverage"], title: str, group: str
) -> Spec:
    rows = []
    for dot in dots:
        number: Estimate = getattr(dot.quality.generated, statistic)
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
    name = title.partition(",")[0]
    x = alt.X("x:Q", title="memorization rate", scale=alt.Scale(domain=[0, 1]))
    y = alt.Y(
        "y:Q",
        title=title,
        scale=alt.Scale(zero=True) if statistic == "frechet" else alt.Scale(domain=[0, 1]),
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
    controls = [dot.quality.control for dot in dots if dot.quality.control is not None]
    real: list[float] = [getattr(control, statistic).value for control in controls]
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
