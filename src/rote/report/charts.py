"""The charts as Vega-Lite specifications, built with Altair.

A specification carries no colors: marks name a style, and the two themes below give the styles
their colors, so that the page can redraw a chart when the reader changes the theme. The colors are
told apart in the common forms of color blindness (vermilion against blue, and by lightness).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import altair as alt

from rote.core.stats import Rate
from rote.report.read import Point, Search
from rote.report.words import format_interval, format_rate, format_size

HEIGHT = 340
Spec = dict[str, Any]


@cache
def javascript() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that needs no network."""
    import vl_convert

    wanted = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    known = vl_convert.get_vegalite_versions()
    bundle: str = vl_convert.javascript_bundle(
        "window.vegaEmbed = vegaEmbed;",
        vl_version=wanted if wanted in known else None,  # None: the newest it has
    )
    return bundle


def theme(*, dark: bool) -> Spec:
    """Return the Vega-Lite configuration of the light or the dark theme."""
    text, soft, grid = (
        ("#e8eaf0", "#a3a9b8", "#2a2f3c") if dark else ("#1c2028", "#5b6270", "#e7e5df")
    )
    copy, fresh, paper = (
        ("#ff9a62", "#7db8ff", "#171a22") if dark else ("#c2410c", "#1d5fbf", "#ffffff")
    )
    axis = {
        "labelColor": soft,
        "titleColor": soft,
        "gridColor": grid,
        "domainColor": grid,
        "tickColor": grid,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelPadding": 6,
        "titlePadding": 12,
    }
    return {
        "background": "transparent",
        "font": 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif',
        "view": {"stroke": None},
        "axis": axis,
        "axisX": {"grid": False},
        "axisY": {"ticks": False, "domain": False},
        "legend": {
            "labelColor": text,
            "titleColor": soft,
            "titleFontWeight": "normal",
            "labelFontSize": 12,
            "titleFontSize": 12,
            "symbolStrokeWidth": 3,
        },
        "range": {
            # Ordered sizes: plasma, without the end that the background swallows.
            "ordinal": {"scheme": "plasma", "extent": [0.22, 0.98] if dark else [0, 0.85]},
        },
        "style": {
            "bracket": {"color": fresh, "opacity": 0.17 if dark else 0.1},
            "target": {"color": soft, "strokeDash": [5, 4], "strokeWidth": 1.25},
            "target-label": {"color": soft, "fontSize": 12},
            "crossing": {"color": fresh, "strokeWidth": 1.5},
            "crossing-label": {"color": fresh, "fontSize": 12.5, "fontWeight": "bold"},
            "interval": {"color": copy, "strokeWidth": 5, "opacity": 0.5, "strokeCap": "round"},
            "curve": {"color": copy, "strokeWidth": 2},
            "dot": {"color": copy, "stroke": paper, "strokeWidth": 1.5, "opacity": 1},
            "band": {"color": copy, "opacity": 0.18},
            "control-band": {"color": fresh, "opacity": 0.15},
            "control-curve": {"color": fresh, "strokeWidth": 2},
            "within-curve": {"color": text, "strokeWidth": 1.75, "strokeDash": [3, 3]},
            "control": {"color": fresh, "stroke": paper, "strokeWidth": 1.5, "opacity": 1},
            "control-interval": {
                "color": fresh,
                "strokeWidth": 5,
                "opacity": 0.5,
                "strokeCap": "round",
            },
            "chosen": {"fill": paper, "strokeWidth": 2.5},
        },
    }


def rate_row(rate: Rate) -> Spec:
    """Return a rate as the columns that marks and tooltips use."""
    return {
        "rate": rate.value,
        "low": rate.low,
        "high": rate.high,
        "interval": format_interval(rate),
        "count": f"{rate.count:,} of {rate.total:,}",
    }


def rate_axis(title: str) -> alt.Y:
    """Return an axis of rates from 0 to 1 with its title above."""
    return alt.Y(
        "rate:Q",
        title=title,
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(
            values=[0, 0.25, 0.5, 0.75, 1],
            format=".2~f",
            titleAngle=0,
            titleAnchor="end",
            titleAlign="left",
            titleX=0,
            titleY=-14,
        ),
    )


def rate_tooltip(*first: alt.Tooltip) -> list[alt.Tooltip]:
    """Return the lines of a tooltip: ``first``, then rate, interval and count."""
    return [
        *first,
        alt.Tooltip("rate:Q", title="memorization rate", format=".3f"),
        alt.Tooltip("interval:N", title="interval"),
        alt.Tooltip("count:N", title="copies"),
    ]


def inline(rows: list[Spec]) -> alt.InlineData:
    """Return rows as the data of a chart."""
    return alt.InlineData(values=rows)


def finish(chart: alt.LayerChart | alt.FacetChart, description: str) -> Spec:
    """Give a layered chart its size and turn it into plain JSON."""
    sized = chart.properties(
        width="container",
        height=HEIGHT,
        description=description,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        padding={"left": 2, "right": 14, "top": 8, "bottom": 4},
    )
    spec: Spec = sized.to_dict()
    return spec


def curve(search: Search) -> Spec:
    """Return the memorization rate against the training-set size, with the bracket of the EMM."""
    sizes = sorted({point.size for point in search.points})
    ends = [sizes[0] / 2**0.4, sizes[-1] * 2**0.4]
    x = alt.X(
        "size:Q",
        title="training-set size (log scale)",
        scale=alt.Scale(type="log", base=2, domain=ends, nice=False),
        axis=alt.Axis(values=sizes, format=",d", labelOverlap="greedy", tickSize=6),
    )
    rows = [
        {
            "size": point.size,
            "seed": point.seed,
            "images_seen": point.images_seen,
            "spoken": f"{point.size:,} training images: memorization rate {format_rate(point.rate)}, "
            f"interval {format_interval(point.rate)}",
            **rate_row(point.rate),
        }
        for point in search.points
    ]
    data = alt.Chart(inline(rows))
    tooltip = [
        alt.Tooltip("size:Q", title="training images", format=","),
        *rate_tooltip(),
        alt.Tooltip("images_seen:Q", title="images seen", format=","),
        alt.Tooltip("seed:Q", title="training seed"),
    ]
    y = rate_axis("memorization rate")
    layers: list[alt.Chart] = [
        _bracket(search, ends),
        *_target(search.epsilon, ends[1]),
        data.mark_rule(style="interval", strokeCap="round").encode(
            x=x, y=alt.Y("low:Q"), y2="high:Q", tooltip=tooltip
        ),
        alt.Chart(inline(_pooled(search.points))).mark_line(style="curve").encode(x=x, y=y),
        data.mark_circle(style="dot", size=95).encode(
            x=x, y=y, tooltip=tooltip, description=alt.Description("spoken:N")
        ),
        *_crossing(search.value),
    ]
    return finish(
        alt.layer(*layers),
        "Memorization rate of each training-set size, from 0 to 1, with its interval",
    )


def _pooled(points: tuple[Point, ...]) -> list[Spec]:
    """Return one rate per size: the copies of all its seeds over the images of all its seeds."""
    rows = []
    for size in sorted({point.size for point in points}):
        rates = [point.rate for point in points if point.size == size]
        pooled = sum(rate.count for rate in rates) / sum(rate.total for rate in rates)
        rows.append({"size": size, "rate": pooled})
    return rows


def _bracket(search: Search, ends: list[float]) -> alt.Chart:
    """Shade where the EMM lies; an open end reaches to the edge of the chart."""
    low = ends[0] if search.low is None else search.low
    high = ends[1] if search.high is None else search.high
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


def snapshots(search: Search) -> Spec:
    """Return the rate of every snapshot on the selection sample, one line per training run."""
    rows = [
        {
            "size": point.size,
            "run": f"{point.size} {point.seed}",
            "images_seen": seen,
            "chosen": seen == point.images_seen,
            **rate_row(rate),
        }
        for point in search.points
        for seen, rate in point.selection
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
