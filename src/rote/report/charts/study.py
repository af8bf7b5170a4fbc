"""The charts of a study and of the overview of several."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from rote.report.charts.chart import Spec, finish, inline
from rote.report.study.read import Study
from rote.report.words import plain
from rote.results.study import Effect, Figure, StudyCell, StudyFile

ROW = 46


def rates(title: str, cells: Sequence[StudyCell]) -> Spec:
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
        alt.Tooltip("value:N", title=plain(title).lower()),
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


def figures(found: Sequence[Figure]) -> Spec:
    """Return what the paper found: a row for each value, a dot for each size of the training set."""
    rows = [
        {
            "value": plain(row.value),
            "rate": row.rate,
            "size": f"{row.size:,}",
            "short": _short(row.size),
        }
        for row in found
    ]
    order = list(dict.fromkeys(str(row["value"]) for row in rows))
    chart = alt.Chart(inline(rows))
    x = alt.X(
        "rate:Q",
        title="rate in the paper",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f", grid=True),
    )
    y = alt.Y("value:N", sort=order, title=None, axis=alt.Axis(labelLimit=190, grid=False))
    tooltip = [
        alt.Tooltip("value:N"),
        alt.Tooltip("size:N", title="training images"),
        alt.Tooltip("rate:Q", format=".3f"),
    ]
    layers = [
        chart.mark_text(style="target-label", dy=-13).encode(x=x, y=y, text="short:N"),
        chart.mark_circle(style="control", size=80).encode(x=x, y=y, tooltip=tooltip),
    ]
    spec = finish(alt.layer(*layers), "Rates in the paper, by value and training-set size")
    return spec | {"height": ROW * len(order)}


def _short(size: int) -> str:
    return f"{size / 1000:g}k" if size >= 1000 else str(size)


def differences(file: StudyFile) -> Spec:
    """Return every comparison of a study with its interval, and where the paper expects it."""
    several = len({effect.first.size for effect in file.effects}) > 1
    rows = [
        _row(
            f"{plain(effect.first.value)} against {plain(effect.second.value)}"
            + (f" \N{MIDDLE DOT} {effect.first.size:,}" if several else ""),
            effect,
            file.design.margin,
            effect.verdict or "no claim",
        )
        for effect in file.effects
    ]
    return _effect_chart(rows, "Differences between the rates of two values", row=34)


def curves(study: Study) -> Spec | None:
    """Return every run along its training: rates of its snapshots, else its loss. None without logs."""
    cells = study.file.cells
    scored = any(len(run.selection) > 1 for run in study.runs)
    several = len({cell.size for cell in cells}) > 1
    rows: list[Spec] = []
    for cell in cells:
        name = plain(cell.value) + (f", N = {cell.size:,}" if several else "")
        for run in cell.runs:
            snapshots = [(one.images_seen, one.rate.value) for one in run.selection]
            for seen, value in snapshots if scored else study.loss[run.key]:
                rows.append({"name": name, "run": run.key, "seen": seen, "height": value})
    if not rows:
        return None
    order = list(dict.fromkeys(str(row["name"]) for row in rows))
    title = "memorization rate of each snapshot" if scored else "training loss"
    y = alt.Y(
        "height:Q",
        title=title,
        scale=alt.Scale(domain=[0, 1]) if scored else alt.Scale(type="log", nice=False),
    )
    lines = (
        alt.Chart(inline(rows))
        .mark_line(strokeWidth=1.75, clip=True)
        .encode(
            x=alt.X(
                "seen:Q", title="images seen", axis=alt.Axis(grid=False, format="~s", tickCount=5)
            ),
            y=y,
            color=alt.Color(
                "name:O", sort=order, title=None, legend=alt.Legend(orient="top", columns=3)
            ),
            detail="run:N",
            tooltip=["name:N", alt.Tooltip("seen:Q", format=","), alt.Tooltip("height:Q")],
        )
    )
    return finish(alt.layer(lines), f"Every run along its training: {title}")


def effects(rows: Sequence[tuple[StudyFile, Effect]]) -> Spec:
    """Return the effect that stands for each study, with its interval, and where the paper expects it."""
    data = [
        _row(file.study, effect, file.design.margin, file.verdict or "no claim")
        for file, effect in rows
    ]
    return _effect_chart(data, "The largest effect of each study, with its interval", row=28)


def _row(name: str, effect: Effect, margin: float, verdict: str) -> Spec:
    """Return one comparison; ``from`` and ``to`` bound where the paper expects the difference."""
    expected = {"more": (0.0, 1.0), "less": (-1.0, 0.0), "like": (-margin, margin)}
    start, end = expected.get(effect.paper or "", (0.0, 0.0))
    return {
        "name": name,
        "difference": effect.difference.value,
        "low": effect.difference.low,
        "high": effect.difference.high,
        "pair": f"{plain(effect.first.value)} against {plain(effect.second.value)}",
        "verdict": verdict,
        "from": start,
        "to": end,
    }


def _effect_chart(data: list[Spec], description: str, *, row: int) -> Spec:
    order = [str(entry["name"]) for entry in data]
    y = alt.Y("name:N", sort=order, title=None, axis=alt.Axis(labelLimit=190, grid=False))
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
    ]
    chart = alt.Chart(inline(data))
    zero = alt.Chart(inline([{"difference": 0}])).mark_rule(style="target").encode(x=x)
    layers: list[alt.Chart] = [zero]
    if any(entry["from"] != entry["to"] for entry in data):  # the paper speaks of one
        tooltip.append(alt.Tooltip("verdict:N", title="paper"))
        expected = chart.mark_bar(style="bracket", height=row - 8)
        layers.insert(
            0, expected.encode(y=y, x=alt.X("from:Q", scale=alt.Scale(domain=[-1, 1])), x2="to:Q")
        )
    layers += [
        chart.mark_rule(style="interval", strokeCap="round").encode(
            y=y, x=alt.X("low:Q"), x2="high:Q", tooltip=tooltip
        ),
        chart.mark_circle(style="dot", size=80).encode(y=y, x=x, tooltip=tooltip),
    ]
    spec = finish(alt.layer(*layers), description)
    return spec | {"height": row * len(data) + 20}
