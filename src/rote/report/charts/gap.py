"""Charts of the gap to the optimum and of the onset of memorization, from result files alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from rote.report.charts.chart import Spec, finish, inline
from rote.results.gap import GapSnapshot, Onset, OnsetAdvice, OnsetRun


def _log_axis(field: str, title: str, form: str) -> alt.Y:
    """Return a log axis with its title above; every layer names the same title, or they are joined."""
    return alt.Y(
        field,
        title=title,
        scale=alt.Scale(type="log", nice=False),
        axis=alt.Axis(
            format=form,
            tickCount=5,
            titleAngle=0,
            titleAnchor="end",
            titleAlign="left",
            titleX=0,
            titleY=-14,
        ),
    )


GAP_TITLE = "gap to the optimum of the training set (log scale)"
ONSET_TITLE = "images seen (log scale)"


def gap_curves(snapshots: Sequence[GapSnapshot]) -> Spec:
    """Return the gap over the noise level, one line per snapshot.

    Parameters
    ----------
    snapshots
        The entries ``snapshots`` of `gap.json`. Noise levels without a gap are left out.
    """
    rows = [row for snapshot in snapshots for row in _gap_rows(snapshot)]
    chosen = alt.selection_point(fields=["images_seen"], bind="legend")
    x = alt.X("sigma:Q", title="noise level σ (log scale)", scale=alt.Scale(type="log", nice=False))
    y = _log_axis("gap:Q", GAP_TITLE, "~g")
    color = alt.Color(
        "images_seen:O",
        title="images seen",
        scale=alt.Scale(range="ordinal"),
        legend=alt.Legend(
            orient="bottom", symbolType="stroke", columns=6, titleOrient="top", format=","
        ),
    )
    opacity = alt.condition(chosen, alt.value(1), alt.value(0.15))
    tooltip = [
        alt.Tooltip("images_seen:Q", title="images seen", format=","),
        alt.Tooltip("sigma:Q", title="σ", format="~g"),
        alt.Tooltip("gap:Q", title="gap", format=".3g"),
        alt.Tooltip("interval:N", title="interval"),
    ]
    base = alt.Chart(inline(rows)).encode(x=x, color=color, opacity=opacity)
    unseen = alt.Chart(inline([{"gap": 1.0}])).mark_rule(style="target").encode(y=y)
    layers = [
        base.mark_line(strokeWidth=2).encode(y=y).add_params(chosen),
        unseen,
        base.mark_rule(strokeWidth=4, opacity=0.4).encode(
            y=_log_axis("low:Q", GAP_TITLE, "~g"), y2="high:Q", tooltip=tooltip
        ),
        base.mark_circle(size=36).encode(y=y, tooltip=tooltip),
    ]
    return finish(
        alt.layer(*layers),
        "Gap to the optimum of the training set against the noise level, by images seen in training",
    )


def _gap_rows(snapshot: GapSnapshot) -> list[dict[str, Any]]:
    """Return a row per noise level; an exact 0 has no place on a log scale."""
    levels = zip(snapshot.sigmas, snapshot.gap, snapshot.low, snapshot.high, strict=True)
    return [
        {"images_seen": snapshot.images_seen, "sigma": sigma, "gap": gap, "low": low, "high": high}
        | {"interval": f"{low:.3g} to {high:.3g}"}
        for sigma, gap, low, high in levels
        if gap is not None and low is not None and high is not None and low > 0
    ]


def onset_chart(onset: Onset) -> Spec:
    """Return when each run began to memorize, over its size, with the law and where to stop.

    Parameters
    ----------
    onset
        The object ``onset`` of a result file (`rote.emm.onset.onset_json`). A run that began
        before its first snapshot, or did not begin, is drawn as a triangle on the end that is known.
    """
    runs = [_run_row(run) for run in onset.runs]
    x = alt.X(
        "size:Q",
        title="training-set size (log scale)",
        scale=alt.Scale(type="log", base=2, padding=16, nice=False),
        axis=alt.Axis(
            values=sorted({row["size"] for row in runs}), format=",d", labelOverlap="greedy"
        ),
    )
    y = _log_axis("images:Q", ONSET_TITLE, "~s")
    advice = [_advice_row(row) for row in onset.advice]
    layers: list[alt.Chart] = []
    if advice:
        data = alt.Chart(inline(advice))
        tooltip = [
            alt.Tooltip("size:Q", title="training images", format=","),
            alt.Tooltip("images:Q", title="typical onset", format=",.0f"),
            alt.Tooltip("stop:Q", title="stop before", format=",.0f"),
        ]
        layers += [
            data.mark_area(style="control-band").encode(
                x=x, y=_log_axis("low:Q", ONSET_TITLE, "~s"), y2="high:Q"
            ),
            data.mark_line(style="control-curve").encode(x=x, y=y),
            data.mark_line(style="target").encode(x=x, y=_log_axis("stop:Q", ONSET_TITLE, "~s")),
            data.mark_point(size=60, opacity=0).encode(x=x, y=y, tooltip=tooltip),
        ]
    bracketed = [row for row in runs if row["kind"] == "bracketed"]
    known = alt.Chart(inline(bracketed))
    marks = alt.Chart(inline(runs))
    tooltip = [
        alt.Tooltip("size:Q", title="training images", format=","),
        alt.Tooltip("text:N", title="memorization began"),
    ]
    if bracketed:  # a layer without rows has no extent on a log axis, and Vega warns
        layers.append(
            known.mark_rule(style="interval", strokeCap="round").encode(
                x=x, y=_log_axis("from:Q", ONSET_TITLE, "~s"), y2="to:Q", tooltip=tooltip
            )
        )
    layers += [
        marks.mark_point(style="dot", filled=True, size=70).encode(
            x=x,
            y=y,
            shape=alt.Shape(
                "kind:N",
                legend=None,
                scale=alt.Scale(
                    domain=["bracketed", "earlier", "later"],
                    range=["circle", "triangle-down", "triangle-up"],
                ),
            ),
            tooltip=tooltip,
        ),
    ]
    return finish(
        alt.layer(*layers), "Images seen when memorization began, against the training-set size"
    )


def _run_row(run: OnsetRun) -> dict[str, Any]:
    low, high = run.low, run.high
    if high is None:
        kind, middle, text = "later", low, f"not within {low:,.0f} images seen"
    elif low <= 0:
        kind, middle, text = "earlier", high, f"within the first {high:,.0f} images seen"
    else:
        kind, middle = "bracketed", math.sqrt(low * high)
        text = f"between {low:,.0f} and {high:,.0f} images seen"
    return {"size": run.size, "kind": kind, "images": middle, "from": low, "to": high, "text": text}


def _advice_row(row: OnsetAdvice) -> dict[str, Any]:
    return {
        "size": row.size,
        "images": row.onset.value,
        "low": row.onset.low,
        "high": row.onset.high,
        "stop": row.stop_before or None,
    }
