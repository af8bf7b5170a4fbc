"""What every moving figure is made of: layers over two axes, frames over sliders, saved as JSON.

`docs/site/figures.js` draws it. Numbers are rounded to three places, which is below a pixel.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rote.data.dataset import Dataset

FOLDER = Path(__file__).parent
Points = npt.NDArray[np.float64]
Mark = Literal["dots", "lines", "areas", "segments", "arrows", "discs", "words"]
Color = Literal["training", "sample", "held", "accent", "second", "quiet"]


@dataclass
class Scene:
    """A figure: ``says`` has a sentence for each position of the sliders in ``by`` (None: of all)."""

    x: dict[str, Any]
    y: dict[str, Any]
    equal: bool = False
    by: list[int] | None = None
    sliders: list[dict[str, Any]] = field(default_factory=list)
    layers: list[dict[str, Any]] = field(default_factory=list)
    says: list[str] = field(default_factory=list)

    def slider(self, label: str, values: Sequence[str], *, start: int = 0) -> None:
        """Add a slider; its first position is the left one."""
        self.sliders.append({"label": label, "values": list(values), "start": start})

    def stays(self, mark: Mark, color: Color, rows: Any, name: str = "", **more: Any) -> None:
        """Add a layer that no slider changes."""
        self.layers.append(
            {"mark": mark, "color": color, "name": name, "data": plain(rows), **more}
        )

    def moves(
        self, mark: Mark, color: Color, frames: Iterable[Any], name: str = "", **more: Any
    ) -> None:
        """Add a layer with one frame for each position of the sliders, the last slider the fastest."""
        shown = [plain(rows) for rows in frames]
        self.layers.append({"mark": mark, "color": color, "name": name, "frames": shown, **more})

    def save(self, name: str) -> None:
        """Check that every position has its frame, and write NAME.json beside this file."""
        counts = [len(slider["values"]) for slider in self.sliders]
        for layer in self.layers:
            by = layer.get("by", range(len(counts)))
            if "frames" in layer:
                assert len(layer["frames"]) == math.prod(counts[i] for i in by), (
                    name,
                    layer["name"],
                )
        by = range(len(counts)) if self.by is None else self.by
        assert len(self.says) == math.prod(counts[i] for i in by), (name, len(self.says))
        content = {key: value for key, value in vars(self).items() if value is not None}
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"{name}: {len(text) / 1024:.0f} KB")


def plain(value: Any) -> Any:
    """Return arrays, lists and numbers as short plain lists."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        short = round(value, 3)
        return int(short) if short == int(short) else short
    return value.item() if isinstance(value, np.generic) else value


def axis(low: float, high: float, label: str = "", ticks: Sequence[float] = ()) -> dict[str, Any]:
    """Return a straight axis; ticks are written as they are."""
    return {"range": [low, high], "label": label, "ticks": [[t, f"{t:g}"] for t in ticks]}


def log_axis(low: float, high: float, label: str, ticks: Sequence[float]) -> dict[str, Any]:
    """Return an axis of common logarithms; what is drawn over it takes log10 first."""
    shown = [[math.log10(t), f"{t:,g}".replace(",", " ")] for t in ticks]
    return {"range": [math.log10(low), math.log10(high)], "label": label, "ticks": plain(shown)}


def plane(reach: float = 1.6) -> dict[str, Any]:
    """Return both axes of a plane without ticks, and that its units are equal."""
    return {"x": axis(-reach, reach), "y": axis(-reach * 0.75, reach * 0.75), "equal": True}


def flower(count: int, seed: int) -> Points:
    """Return points (count, 2) near a wavy ring: the two-dimensional population of the figures."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, count)
    radius = 0.85 + 0.15 * np.cos(5 * angle) + 0.03 * rng.standard_normal(count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def as_dataset(points: Points, labels: npt.NDArray[np.int64] | None = None) -> Dataset:
    """Return points as a data set of vectors in model units."""
    classes = () if labels is None else tuple(f"{i}" for i in range(int(labels.max()) + 1))
    return Dataset(points.astype(np.float32), labels, classes, source="the plane")
