"""A notice: one sentence for the reader, and the numbers it rests on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Topic = Literal[
    "difference",
    "radius",
    "chains",
    "families",
    "groups",
    "control",
    "calibration",
    "overlap",
    "columns",
    "captions",
]


@dataclass(frozen=True)
class Notice:
    """One sentence for the reader.

    Attributes
    ----------
    topic
        What it is about.
    text
        The sentence; arguments are named in backticks, as in errors.
    numbers
        What the sentence rests on, as plain types.
    doubtful
        Whether a gate decides nothing for it.
    """

    topic: Topic
    text: str
    numbers: dict[str, Any]
    doubtful: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return plain types."""
        return asdict(self)
