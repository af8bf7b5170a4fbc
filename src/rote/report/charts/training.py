"""The chart of one training: its loss along the images seen."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from rote.report.charts.chart import Spec, finish, inline

FEW = 40


def loss_curve(losses: Sequence[tuple[int, float]], snapshots: Sequence[int]) -> Spec:
    """Return the training loss over the images seen, with a mark at each snapshot.

    Parameters
    ----------
    losses
        (images seen, mean loss since the line before); a loss of 0 has no place on a log scale.
    snapshots
        Images seen at each snapshot.
    """
    x = alt.X("seen:Q", title="images seen", axis=alt.Axis(grid=False, format="~s", tickCount=5))
    y = alt.Y(
        "loss:Q",
        title="training loss (log scale)",
        scale=alt.Scale(type="log", nice=False),
        axis=alt.Axis(format=".3~g"),
    )
    rows: list[Spec] = [{"seen": seen, "loss": loss} for seen, loss in losses if loss > 0]
    tooltip = [
        alt.Tooltip("seen:Q", title="images seen", format=","),
        alt.Tooltip("loss:Q", title="loss", format=".4g"),
    ]
    lines = alt.Chart(inline(rows)).encode(x=x, y=y)
    saved = alt.Chart(inline([{"seen": seen} for seen in snapshots])).encode(x=x)
    return finish(
        alt.layer(
            saved.mark_rule(strokeDash=[2, 3], opacity=0.4),
            lines.mark_line(strokeWidth=1.75),
            # All of them answer the pointer; few are shown, and one alone makes no line.
            lines.mark_circle(size=40, opacity=float(len(rows) <= FEW)).encode(tooltip=tooltip),
        ),
        "Training loss against the images seen; dotted: a snapshot was saved",
    )
