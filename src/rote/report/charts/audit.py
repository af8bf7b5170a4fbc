"""The charts of an audit: what every threshold would give, and how the distances are distributed."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rote.report.audit.read import Audit
from rote.report.charts.chart import Spec, finish, inline, rate_axis, rate_row, rate_tooltip
from rote.report.words import format_ratio
from rote.stats.rates import wilson

BINS = 50
DRAWN = ("control-", "", "within-")
Line = tuple[float, str]
Side = tuple[str, str, NDArray[np.float64]]


def threshold_lines(audit: Audit, calibrated: float | None) -> list[Line]:
    """Return the ratio thresholds in use with their labels."""
    c = audit.file.criterion.ratio_threshold
    lines = [(c, f"c = {format_ratio(c)}")]
    return lines + ([(calibrated, f"calibrated {calibrated:.3g}")] if calibrated else [])


def thresholds(audit: Audit, lines: Sequence[Line]) -> Spec:
    """Return the rate that every ratio threshold would give, with its Wilson band."""
    x = alt.X(
        "threshold:Q",
        title="ratio threshold c",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f"),
    )
    y = rate_axis("share of images with nn1 / nn2 below c")
    rate, held_out = audit.file.rate, audit.neighbors.held_out
    here = [{"threshold": audit.file.criterion.ratio_threshold, **rate_row(rate)}]
    tooltip = rate_tooltip(alt.Tooltip("threshold:Q", title="threshold c", format=".3f"))
    layers: list[alt.Chart] = []
    if held_out is not None:
        layers += _curve(held_out.ratios, rate.confidence, "control-", x, y)
    layers += _curve(audit.neighbors.ratios, rate.confidence, "", x, y)
    layers += _lines(lines)
    layers += [
        alt.Chart(inline(here)).mark_circle(style="dot", size=95).encode(x=x, y=y, tooltip=tooltip),
        *_control_mark(audit, x, y),
    ]
    return finish(
        alt.layer(*layers), "Share of generated images that each ratio threshold calls memorized"
    )


def _curve(
    ratios: NDArray[np.float64], confidence: float, style: str, x: alt.X, y: alt.Y
) -> list[alt.Chart]:
    grid = np.linspace(0, 1, 201)
    counts = np.searchsorted(np.sort(ratios), grid, side="left")  # strictly below
    rows = [
        {
            "threshold": round(float(c), 3),
            **rate_row(wilson(int(count), len(ratios), confidence=confidence)),
        }
        for c, count in zip(grid, counts, strict=True)
    ]
    title = "held out, threshold c" if style else "threshold c"
    tooltip = rate_tooltip(alt.Tooltip("threshold:Q", title=title, format=".3f"))
    data = alt.Chart(inline(rows))
    return [
        data.mark_area(style=f"{style}band").encode(x=x, y=alt.Y("low:Q"), y2="high:Q"),
        data.mark_line(style=f"{style}curve").encode(x=x, y=y, tooltip=tooltip),
    ]


def _lines(lines: Sequence[Line]) -> list[alt.Chart]:
    """Draw a labelled line at every threshold; labels lie one below the other."""
    layers: list[alt.Chart] = []
    for number, (value, text) in enumerate(lines):
        data = alt.Chart(inline([{"at": value, "text": text}]))
        layers += [
            data.mark_rule(style="target").encode(x=alt.X("at:Q")),
            data.mark_text(style="target-label", align="left", dx=7, y=10 + 17 * number).encode(
                x=alt.X("at:Q"), text="text:N"
            ),
        ]
    return layers


def _control_mark(audit: Audit, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Mark the held-out rate at the same threshold, where a control was given."""
    control, c = audit.file.control, audit.file.criterion.ratio_threshold
    if control is None:
        return []
    row = {"threshold": c, **rate_row(control.rate)}
    data = alt.Chart(inline([row]))
    tooltip = rate_tooltip(alt.Tooltip("threshold:Q", title="held-out at c", format=".3f"))
    return [
        data.mark_rule(style="control-interval", strokeCap="round").encode(
            x=x, y=alt.Y("low:Q"), y2="high:Q"
        ),
        data.mark_circle(style="control", size=95).encode(x=x, y=y, tooltip=tooltip),
    ]


def ratio_distribution(audit: Audit, lines: Sequence[Line]) -> Spec:
    """Return how the ratios are distributed: generated, held out, within the training set."""
    sides = [(name, style, values) for name, style, values, _ in _sides(audit)]
    return _distribution(sides, end=1.0, title="ratio nn1 / nn2", lines=lines, digits=2)


def distance_distribution(audit: Audit, *, columns: int, unit: str) -> Spec:
    """Return how the distances to the nearest training image are distributed, by the same sides.

    They are shown over the root of the ``columns`` values of an item, as ``unit`` says.
    """
    scale = float(np.sqrt(columns))
    sides = [(name, style, nearest / scale) for name, style, _, nearest in _sides(audit)]
    end = max(float(values.max(initial=0.0)) for _, _, values in sides)
    title = f"nearest distance, {unit}"
    return _distribution(sides, end=end or 1.0, title=title, lines=[], digits=1)


def _sides(audit: Audit) -> list[tuple[str, str, NDArray[np.float64], NDArray[np.float64]]]:
    """Return the name, the style, the ratios and the nearest distances of each side there is."""
    found = audit.neighbors
    others = (
        ("held out", "control-", found.held_out),
        ("within training", "within-", found.within),
    )
    return [
        ("generated", "", found.ratios, found.nearest),
        *((name, style, x.ratios, x.nearest) for name, style, x in others if x is not None),
    ]


def _distribution(
    sides: Sequence[Side], *, end: float, title: str, lines: Sequence[Line], digits: int
) -> Spec:
    edges = np.linspace(0, end, BINS + 1)
    x = alt.X(
        "value:Q",
        title=title,
        scale=alt.Scale(domain=[0, end], nice=False),
        axis=alt.Axis(tickCount=5),
    )
    y = alt.Y(
        "share:Q",
        title="share of images (square-root scale)",
        scale=alt.Scale(type="sqrt"),
        axis=alt.Axis(
            format=".2~%",
            values=[0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.7, 1],
            titleAngle=0,
            titleAnchor="end",
            titleAlign="left",
            titleX=0,
            titleY=-14,
        ),
    )
    counted = [(name, style, _counts(values, edges), len(values)) for name, style, values in sides]
    layers = []
    # Generated ones lie over held-out ones, and the line within the training set over both.
    for _, style, count, total in sorted(counted, key=lambda side: DRAWN.index(side[1])):
        steps = [*(count / total), count[-1] / total]
        rows = [{"value": float(a), "share": float(b)} for a, b in zip(edges, steps, strict=True)]
        data = alt.Chart(inline(rows))
        if style != "within-":
            layers.append(
                data.mark_area(style=f"{style}band", interpolate="step-after").encode(x=x, y=y)
            )
        layers.append(
            data.mark_line(style=f"{style}curve", interpolate="step-after").encode(x=x, y=y)
        )
    names = [name for name, *_ in counted]
    readout = _readout(
        [(name, count, total) for name, _, count, total in counted], edges, x, digits
    )
    return finish(
        alt.layer(*layers, *_lines(lines), readout),
        f"Distribution of the {title}: {', '.join(names)}",
    )


def _counts(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.histogram(np.clip(values, 0, edges[-1]), bins=edges)[0].astype(np.int64)


def _readout(
    counted: Sequence[tuple[str, NDArray[np.int64], int]],
    edges: NDArray[np.float64],
    x: alt.X,
    digits: int,
) -> alt.Chart:
    """Return invisible bars over every bin that carry its numbers as a tooltip."""
    rows = [
        {
            "value": float(edges[n]),
            "end": float(edges[n + 1]),
            "range": f"{edges[n]:.{digits}f} to {edges[n + 1]:.{digits}f}",
            **{name: f"{count[n]:,} of {total:,}" for name, count, total in counted},
        }
        for n in range(BINS)
    ]
    tooltip = [alt.Tooltip("range:N", title="range")]
    tooltip += [alt.Tooltip(f"{name}:N", title=name) for name, *_ in counted]
    chart: alt.Chart = alt.Chart(inline(rows)).mark_rect(opacity=0)
    return chart.encode(x=x, x2="end:Q", tooltip=tooltip)
