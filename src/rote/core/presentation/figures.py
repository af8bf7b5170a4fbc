"""Charts of results in Python, built with Altair; a notebook draws them, and cards hold them as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 480
_CARD = {
    "background": "transparent",
    "padding": {"left": 16, "right": 16, "top": 5, "bottom": 5},
    "view": {"stroke": None},
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "titleFontWeight": "normal",
        "titlePadding": 12,
        "gridColor": "#8883",
        "domainColor": "#8886",
        "tickColor": "#8886",
    },
    "legend": {"labelColor": "currentColor", "titleColor": "currentColor"},
    "text": {"fill": "currentColor"},
}
"""Colors that can be read on light and on dark pages."""
COPY, LINE = "#d9622b", "#4c8fd6"


def svg_html(chart: Any) -> str:
    """Return an Altair chart as HTML for a card."""
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(chart.to_dict() | {"config": _CARD})
    narrow = svg.replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1)
    return f'<div style="margin-top:12px">{narrow}</div>'


def inline(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return rows as data that stand in the chart itself."""
    import altair

    return altair.InlineData(values=[dict(row) for row in rows])


def intervals(
    rows: Sequence[Mapping[str, Any]], title: str, *, domain: tuple[float, float] | None = None
) -> Any:
    """Return a chart of values with intervals, one below the other.

    Parameters
    ----------
    rows
        Each with ``name``, ``value``, ``low`` and ``high``.
    title
        What the values are.
    domain
        Ends of the axis; None: those of the values.
    """
    import altair

    scale = altair.Undefined if domain is None else altair.Scale(domain=list(domain))
    names = altair.Y("name:N", sort=None, title=None, axis=altair.Axis(labelLimit=220))
    drawn = altair.Chart(inline(rows))
    rule = drawn.mark_rule(color=LINE, strokeWidth=2).encode(
        y=names, x=altair.X("low:Q", title=title, scale=scale), x2="high:Q"
    )
    dots = drawn.mark_circle(color=COPY, size=70, opacity=1).encode(y=names, x="value:Q")
    return (rule + dots).properties(width=WIDTH)
