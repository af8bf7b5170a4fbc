"""The charts of a search: the curve with all runs, the posterior of the EMM, the rates along training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import altair as alt

from rote.report.charts.chart import Spec, finish, inline, rate_axis, rate_row, rate_tooltip
from rote.report.emm.read import Run, Search
from rote.report.words import format_interval, format_rate, format_size
from rote.results.emm import Emm, EmmFile, SearchPoint

AXIS_PIXELS = 44
"""Width of the labels of both upper charts, so that their size axes lie on top of each other."""
APART = 0.035
"""Octaves between two runs of one size, which would else hide each other."""
SHAPES = {"exact": "circle", "at-least": "triangle-up", "at-most": "triangle-down"}
ENDED = {
    "exact": "trained to the end",
    "at-least": "ended early: at least this",
    "at-most": "ended early: at most this",
}


def curve(search: Search) -> Spec:
    """Return the rate against the training-set size: every run, the curve's band, the EMM's interval."""
    file = search.file
    ends = _ends(file)
    rows = [_run_row(run, x) for run, x in zip(search.runs, _apart(file.points), strict=True)]
    tooltip = [
        alt.Tooltip("size:Q", title="training images", format=","),
        alt.Tooltip("run:Q", title="run"),
        *rate_tooltip(),
        alt.Tooltip("ended:N", title="training"),
        alt.Tooltip("images_seen:Q", title="images seen", format=","),
    ]
    x, y = _size_axis(file, ends), rate_axis("memorization rate", extent=AXIS_PIXELS)
    band = alt.Chart(
        inline(
            [
                {"size": row.size, "rate": row.rate, "low": row.low, "high": row.high}
                for row in file.curve.band
            ]
        )
    ).transform_filter(f"datum.size >= {ends[0]} && datum.size <= {ends[1]}")
    exact = [row for row in rows if row["shape"] == "circle"]
    bounds = [row for row in rows if row["shape"] != "circle"]
    layers: list[alt.Chart] = [
        _interval(file.emm, ends),
        band.mark_area(style="band").encode(x=x, y=alt.Y("low:Q"), y2="high:Q"),
        *_target(file.epsilon, ends[1]),
        band.mark_line(style="curve").encode(x=x, y=y),
        *_rules(exact, "interval", "low", "high", tooltip),
        *_rules(bounds, "bound", "shown", "end", tooltip),
        alt.Chart(inline(rows))
        .mark_point(style="dot", filled=True)
        .encode(
            x=alt.X("x:Q"),
            y=alt.Y("shown:Q"),
            shape=alt.Shape("shape:N", scale=None, legend=None),
            size=alt.Size("area:Q", scale=None, legend=None),
            tooltip=tooltip,
            description=alt.Description("spoken:N"),
        ),
        *_crossing(file.emm.value),
    ]
    return finish(
        alt.layer(*layers),
        "Memorization rate of every run against its training-set size, with the fitted curve",
    )


def posterior(file: EmmFile) -> Spec:
    """Return the posterior density of the EMM over the sizes of the chart above."""
    ends = _ends(file)
    rows = [
        {"size": row.size, "density": row.density}
        for row in file.posterior
        if ends[0] <= row.size <= ends[1]
    ]
    x = _size_axis(file, ends)
    y = alt.Y(
        "density:Q", title=None, axis=alt.Axis(labels=False, grid=False, minExtent=AXIS_PIXELS)
    )
    layers: list[alt.Chart] = [
        _interval(file.emm, ends),
        alt.Chart(inline(rows))
        .mark_area(style="posterior", interpolate="monotone")
        .encode(x=x, y=y),
        *_crossing(file.emm.value)[:1],
    ]
    return finish(
        alt.layer(*layers), "Posterior density of the EMM over the training-set size", height=110
    )


def _run_row(run: Run, x: float) -> Spec:
    """Return a run as marks and tooltips use it; a bound is drawn where it lies and points on."""
    point, bound = run.point, run.point.observation.bound
    exact = bound == "exact"
    return {
        "size": point.size,
        "x": x,
        "run": point.replicate,
        "shown": point.rate.value if exact else run.bound_rate,
        "end": 1 if bound == "at-least" else 0,
        "shape": SHAPES[bound],
        "area": 95 if exact else 230,  # a triangle of the area of a circle looks much smaller
        "ended": ENDED[bound],
        "images_seen": point.images_seen,
        "spoken": f"{point.size:,} training images, run {point.replicate}: memorization rate "
        f"{format_rate(point.rate)}, interval {format_interval(point.rate)}, {ENDED[bound]}",
        **rate_row(point.rate),
    }


def _apart(points: Sequence[SearchPoint]) -> list[float]:
    """Return the place of every run on the axis: runs of one size side by side."""
    count = Counter(point.size for point in points)
    seen: Counter[int] = Counter()
    placed = []
    for point in points:
        offset = seen[point.size] - (count[point.size] - 1) / 2
        placed.append(point.size * 2.0 ** (APART * offset))
        seen[point.size] += 1
    return placed


def _ends(file: EmmFile) -> tuple[float, float]:
    sizes = [point.size for point in file.points]
    return min(sizes) / 2**0.4, max(sizes) * 2**0.4


def _size_axis(file: EmmFile, ends: tuple[float, float]) -> alt.X:
    return alt.X(
        "size:Q",
        title="training-set size (log scale)",
        scale=alt.Scale(type="log", base=2, domain=list(ends), nice=False),
        axis=alt.Axis(
            values=sorted({point.size for point in file.points}),
            format=",d",
            labelOverlap="greedy",
            tickSize=6,
        ),
    )


def _interval(emm: Emm, ends: tuple[float, float]) -> alt.Chart:
    """Shade the interval of the EMM; an open end reaches to the edge of the chart."""
    low = ends[0] if emm.low is None else max(emm.low, ends[0])
    high = ends[1] if emm.high is None else min(emm.high, ends[1])
    chart: alt.Chart = alt.Chart(inline([{"size": low, "end": high}])).mark_rect(style="bracket")
    return chart.encode(x=alt.X("size:Q"), x2="end:Q")


def _target(epsilon: float, edge: float) -> list[alt.Chart]:
    """Draw the line that the rate of an optimum-like model does not fall below."""
    level = 1 - epsilon
    data = alt.Chart(inline([{"rate": level, "size": edge, "text": f"1 − ε = {level:g}"}]))
    return [
        data.mark_rule(style="target").encode(y="rate:Q"),
        data.mark_text(style="target-label", align="right", dy=13, dx=-2).encode(
            x="size:Q", y="rate:Q", text="text:N"
        ),
    ]


def _rules(
    rows: list[Spec], style: str, start: str, end: str, tooltip: list[alt.Tooltip]
) -> list[alt.Chart]:
    """Return an upright line for each row; no layer without rows, which readers aloud would announce."""
    if not rows:
        return []
    rule = alt.Chart(inline(rows)).mark_rule(style=style, strokeCap="round")
    return [rule.encode(x=alt.X("x:Q"), y=alt.Y(f"{start}:Q"), y2=end, tooltip=tooltip)]


def _crossing(value: float | None) -> list[alt.Chart]:
    """Mark the crossing itself, where there is one."""
    if value is None:
        return []
    data = alt.Chart(inline([{"size": value, "rate": 0.04, "text": f"EMM {format_size(value)}"}]))
    return [
        data.mark_rule(style="crossing").encode(x="size:Q"),
        data.mark_text(style="crossing-label", align="left", dx=7).encode(
            x="size:Q", y="rate:Q", text="text:N"
        ),
    ]


def snapshots(points: Sequence[SearchPoint]) -> Spec:
    """Return the rate of every snapshot on the selection sample, one line per training run."""
    rows = [
        {
            "size": point.size,
            "run": f"{point.size} {point.replicate}",
            "replicate": point.replicate,
            "images_seen": scored.images_seen,
            "chosen": scored.images_seen == point.images_seen,
            **rate_row(scored.rate),
        }
        for point in points
        for scored in point.selection
    ]
    chosen = alt.selection_point(fields=["size"], bind="legend")
    x = alt.X(
        "images_seen:Q", title="images seen in training", axis=alt.Axis(format="~s", tickCount=6)
    )
    color = alt.Color(
        "size:O",
        title="training-set size",
        scale=alt.Scale(range="ordinal"),
        legend=alt.Legend(orient="bottom", symbolType="stroke", columns=6, titleOrient="top"),
    )
    opacity = alt.condition(chosen, alt.value(1), alt.value(0.15))
    tooltip = rate_tooltip(
        alt.Tooltip("size:O", title="training images"),
        alt.Tooltip("replicate:Q", title="run"),
        alt.Tooltip("images_seen:Q", title="images seen", format=","),
    )
    base = alt.Chart(inline(rows)).encode(
        x=x, y=rate_axis("rate on the selection sample"), opacity=opacity
    )
    marks = base.encode(tooltip=tooltip)
    layers = [
        base.mark_line(strokeWidth=2).encode(color=color, detail="run:N"),
        marks.transform_filter("!datum.chosen").mark_circle(size=26).encode(color=color),
        marks.transform_filter("datum.chosen")
        .mark_point(style="chosen", size=110, filled=False)
        .encode(stroke=alt.Stroke("size:O", scale=alt.Scale(range="ordinal"), legend=None)),
    ]
    layers[0] = layers[0].add_params(chosen)
    return finish(
        alt.layer(*layers),
        "Memorization rate of every snapshot against the training images seen, by size",
    )
