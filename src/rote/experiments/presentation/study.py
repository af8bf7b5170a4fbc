"""A study in Python: in words, as a frame, as a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rote.core.presentation.figures import intervals
from rote.results.study import Effect, StudyFile

if TYPE_CHECKING:
    import pandas as pd

MOST_EFFECTS = 8


def sentences(found: StudyFile) -> list[str]:
    """Return the answer, what the paper says, and the differences with their intervals."""
    lines = [found.sentence, found.question]
    if found.verdict is not None:
        lines.append(f"the paper: {found.paper.finding} ({found.verdict})")
    lines += [_difference(effect) for effect in found.effects[:MOST_EFFECTS]]
    if len(found.effects) > MOST_EFFECTS:
        lines.append(f"and {len(found.effects) - MOST_EFFECTS} more differences")
    confidence = f"{100 * found.method.confidence:g} %"
    lines.append(f"{found.cost.runs} runs; intervals hold together at {confidence}")
    return lines


def _difference(effect: Effect) -> str:
    first, second, by = effect.first, effect.second, effect.difference
    return (
        f"{first.value} against {second.value} at {first.size:,}: "
        f"{by.value:+.3f} [{by.low:+.3f}, {by.high:+.3f}]"
    )


def frame(found: StudyFile) -> pd.DataFrame:
    """Return a row for every run; needs pandas."""
    import pandas as pd

    return pd.DataFrame(
        {
            "value": cell.value,
            "size": cell.size,
            "replicate": run.replicate,
            "rate": run.rate.value,
            "low": run.rate.low,
            "high": run.rate.high,
            "count": run.rate.count,
            "total": run.rate.total,
            "images_seen": run.images_seen,
        }
        for cell in found.cells
        for run in cell.runs
    )


def rates(found: StudyFile) -> Any:
    """Return an Altair chart of the mean rate of every value and size, with its interval."""
    rows = [
        {
            "name": f"{cell.value} at {cell.size:,}",
            "value": cell.rate.value,
            "low": cell.rate.low,
            "high": cell.rate.high,
        }
        for cell in found.cells
    ]
    return intervals(rows, "share of copies, mean over runs", domain=(0, 1))
