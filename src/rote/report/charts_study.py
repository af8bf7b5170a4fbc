"""The charts of a study and of the overview of several."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from rote.report.charts import Spec, finish, inline
from rote.report.study_read import Effect, Study, StudyCell
from rote.report.words import plain

ROW = 46


def rates(study: Study, cells: Sequence[StudyCell]) -> Spec:
    """Return the mean rate of each value with its interval, and every run beside it."""
    order = [plain(cell.value) for cell in cells]
    y = alt.Y("value:N", sort=order, title=None, axis=alt.Axis(labelLimit=190, grid=False))
    rows = [
        {
            "value": plain(cell.value),
            "rate": cell.rate.value,
            "low": cell.rate.low,
            "high": cell.rate.high,
            "interval": f"{cell.rate.low:.3f} to {cell.rate.high:.3f}",
            "runs": len(cell.runs),
            "spoken": f"{plain(cell.value)}: rate {cell.rate.value:.3f}, interval "
            f"{cell.rate.low:.3f} to {cell.rate.high:.3f}",
        }
        for cell in cells
    ]
    runs = [
        {"value": plain(cell.value), "rate": run.rate.value, "run": run.replicate}
        for cell in cells
        for run in cell.runs
    ]
    tooltip = [
        alt.Tooltip("value:N", title=plain(study.title).lower()),
        alt.Tooltip("rate:Q", title="mean rate", format=".3f"),
        alt.Tooltip("interval:N", title="interval"),
        alt.Tooltip("runs:Q", title="runs"),
    ]
    x = alt.X(
        "rate:Q",
        title="memorization rate",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f", grid=True),
    )
    data = alt.Chart(inline(rows))
    layers = [
        data.mark_rule(style="interval", strokeCap="round").encode(
            y=y, x=alt.X("low:Q"), x2="high:Q", tooltip=tooltip
        ),
        alt.Chart(inline(runs))
        .mark_tick(style="control", thickness=2, height=18)
        .encode(y=y, x=x, tooltip=[alt.Tooltip("rate:Q", title="rate of one run", format=".3f")]),
        data.mark_circle(style="dot", size=95).encode(
            y=y, x=x, tooltip=tooltip, description=alt.Description("spoken:N")
        ),
    ]
    spec = finish(alt.layer(*layers), "Mean memorization rate of each value, with its interval")
    return spec | {"height": ROW * len(rows)}


def figures(study: Study) -> Spec:
    """Return what the paper found, value by value."""
    rows = [
        {"name": f"{plain(value)} \N{MIDDLE DOT} {size:,}", "rate": rate, "size": size}
        for value, size, rate in study.figures
    ]
    order = [str(row["name"]) for row in rows]
    data = alt.Chart(inline(rows))
    x = alt.X(
        "rate:Q",
        title="rate in the paper",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f", grid=True),
    )
    y = alt.Y("name:N", sort=order, title=None, axis=alt.Axis(labelLimit=190, grid=False))
    layers = [
        data.mark_circle(style="control", size=80).encode(x=x, y=y, tooltip=["name:N", "rate:Q"])
    ]
    spec = finish(alt.layer(*layers), "Rates in the paper: value and training-set size")
    return spec | {"height": 24 * len(rows) + 20}


def effects(rows: Sequence[tuple[Study, Effect]]) -> Spec:
    """Return the effect that stands for each study, with its interval."""
    data = [
        {
            "study": study.name,
            "difference": effect.difference.value,
            "low": effect.difference.low,
            "high": effect.difference.high,
            "pair": f"{plain(effect.first[0])} against {plain(effect.second[0])}",
            "verdict": study.verdict or "no claim",
        }
        for study, effect in rows
    ]
    order = [str(row["study"]) for row in data]
    y = alt.Y("study:N", sort=order, title=None, axis=alt.Axis(labelLimit=170, grid=False))
    x = alt.X(
        "difference:Q",
        title="difference of the memorization rates",
        scale=alt.Scale(domain=[-1, 1]),
        axis=alt.Axis(values=[-1, -0.5, 0, 0.5, 1], format="+.2~f", grid=True),
    )
    tooltip = [
        alt.Tooltip("pair:N", title="compared"),
        alt.Tooltip("difference:Q", format="+.3f"),
        alt.Tooltip("low:Q", format="+.3f"),
        alt.Tooltip("high:Q", format="+.3f"),
        alt.Tooltip("verdict:N", title="paper"),
    ]
    chart = alt.Chart(inline(data))
    zero = alt.Chart(inline([{"difference": 0}])).mark_rule(style="target").encode(x=x)
    layers = [
        zero,
        chart.mark_rule(style="interval", strokeCap="round").encode(
            y=y, x=alt.X("low:Q"), x2="high:Q", tooltip=tooltip
        ),
        chart.mark_circle(style="dot", size=80).encode(y=y, x=x, tooltip=tooltip),
    ]
    spec = finish(alt.layer(*layers), "The largest effect of each study, with its interval")
    return spec | {"height": 28 * len(data) + 20}
