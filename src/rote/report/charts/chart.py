"""The charts as Vega-Lite specifications, built with Altair.

A specification carries no colors: marks name a style, and the two themes below give the styles
their colors, so that the page can redraw a chart when the reader changes the theme. The colors are
told apart in the common forms of color blindness (vermilion against blue, and by lightness).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import altair as alt

from rote.core.cache_folder import kept_text
from rote.report.words import format_interval
from rote.stats.rates import Rate

HEIGHT = 340
BUNDLES = {
    "vega-1.9.0.post1-6.4.js": "373b1f84072b31010f15ceb787be6b415c53936411aae267c8c2b2b6ccde46e7",
}
"""SHA-256 of the scripts by bundler and version; one of other versions is made again for each report."""
Spec = dict[str, Any]


@cache
def javascript() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that needs no network.

    Bundling takes seconds and always gives the same, so the script is kept in the cache. A page trusts
    it as its own: only what has the hash below is taken from there.
    """
    from importlib.metadata import version

    import vl_convert

    wanted = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    # None: the newest it has
    vega_lite = wanted if wanted in vl_convert.get_vegalite_versions() else None

    def bundle() -> str:
        made: str = vl_convert.javascript_bundle(
            "window.vegaEmbed = vegaEmbed;", vl_version=vega_lite
        )
        return made

    bundler = version("vl-convert-python")
    name = f"vega-{bundler}-{vega_lite or 'newest'}.js"
    return kept_text(name, bundle, sha256=BUNDLES.get(name, ""))


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
            "bound": {"color": copy, "strokeWidth": 1.5, "strokeDash": [2, 3], "opacity": 0.7},
            "posterior": {"color": fresh, "opacity": 0.35, "line": {"color": fresh}},
            "chosen": {"fill": paper, "strokeWidth": 2.5},
        },
    }


def on_page(specs: Mapping[str, Spec]) -> dict[str, Any]:
    """Return what a page is given to draw charts, by name, on a light and on a dark ground."""
    return {"light": theme(dark=False), "dark": theme(dark=True), "specs": specs}


def rate_row(rate: Rate) -> Spec:
    """Return a rate as the columns that marks and tooltips use."""
    return {
        "rate": rate.value,
        "low": rate.low,
        "high": rate.high,
        "interval": format_interval(rate),
        "count": f"{rate.count:,} of {rate.total:,}",
    }


def rate_axis(title: str, *, extent: int | None = None) -> alt.Y:
    """Return an axis of rates from 0 to 1 with its title above; ``extent`` pixels for its labels."""
    return alt.Y(
        "rate:Q",
        title=title,
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(
            values=[0, 0.25, 0.5, 0.75, 1],
            format=".2~f",
            minExtent=alt.Undefined if extent is None else extent,
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


def finish(
    chart: alt.LayerChart | alt.FacetChart, description: str, *, height: int = HEIGHT
) -> Spec:
    """Give a layered chart its size and turn it into plain JSON."""
    sized = chart.properties(
        width="container",
        height=height,
        description=description,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        padding={"left": 2, "right": 14, "top": 8, "bottom": 4},
    )
    spec: Spec = sized.to_dict()
    return spec
