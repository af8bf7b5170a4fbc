"""`Space`: where distances are taken, and the one contract that all spaces keep.

A space turns uint8 images (N, H, W, C) into rows, float32 (N, D), and distances are L2 between rows;
under the metric "cosine" rows are first scaled to length 1, so that the squared distance is 2 - 2 cos.
Three things make a space what it is, and travel with every score: the weights (by SHA-256), the
preprocessing (in words that fix it), and the metric. A threshold for one says nothing about another.

Three kinds have no rows of their own: `pixel` measures the images themselves, on integers; `patch` and
`st-lpips` measure pairs of images, among candidates that are near in pixels.

Rows do not depend on how many images are computed together: a network always sees tiles of one size, the
last filled up by repeating its last image (decision 2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from rote.core.errors import DataError
from rote.core.progress.work import reported
from rote.data.dataset import Dataset

Metric = Literal["l2", "cosine", "gower"]
Images = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.float32]
Prepare = Callable[[Images], torch.Tensor]
Network = Callable[[torch.Tensor], torch.Tensor]
Pairs = Callable[[Images, Images, npt.NDArray[np.int64]], npt.NDArray[np.float64]]
"""(queries (N, H, W, C), references, candidates (N, k)) -> squared distances float64 (N, k)."""

CLOSEST_TO_ZERO = 1e-12
MOST_NUMBERS = 1 << 22
"""Of a row: more than any image here has pixels."""


def _ignore(done: int, total: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True, eq=False)
class Space:
    """Where distances are taken.

    Attributes
    ----------
    name
        As it is asked for, such as "pixel" or "imgsim:64".
    preprocessing
        What is done to an image before the network, in words that fix it.
    metric
        "l2"; "cosine": L2 between rows of length 1; or "gower", for rows of a table.
    source, license
        Where the weights come from, and on what terms; empty without weights.
    weights_sha256
        Of the weights' file; None without weights.
    beside
        What else rows depend on, in words or digests; None where that cannot be known: such rows are not
        kept from one audit to the next.
    prepare
        uint8 (T, H, W, C) -> what the network takes; None for spaces without rows.
    network
        A prepared tile -> float (T, D).
    pairs
        Of a space of pairs: squared distances between queries and their candidates.
    candidates
        How many candidates near in pixels a space of pairs looks at.
    tile
        Images that the network sees at once; part of what its rows are.
    smallest
        The smallest height and width it takes.
    width
        D, where it is known beforehand: a network of another width is refused.
    words
        What it is, for people; empty: those of its entry in the catalog.
    takes
        The kind of data.
    of_volumes
        The same for volumes (N, D, H, W, C); None: it takes none.
    foreign
        Whether its network came from outside, as a file or as a function of the user's: such a one is
        tried before it is believed (`rote.spaces.guard`).
    """

    name: str
    preprocessing: str
    metric: Metric = "l2"
    source: str = ""
    license: str = ""
    weights_sha256: str | None = None
    beside: str | None = None
    prepare: Prepare | None = None
    network: Network | None = None
    pairs: Pairs | None = None
    candidates: int = 0
    tile: int = 64
    smallest: int = 1
    width: int | None = None
    words: str = ""
    takes: Literal["images", "volumes", "series", "numbers", "tables"] = "images"
    of_volumes: Space | None = None
    foreign: Literal["", "file", "function"] = ""

    @property
    def kind(self) -> Literal["images", "rows", "pairs"]:
        """What is measured: the images themselves, rows of features, or pairs of images."""
        if self.pairs is not None:
            return "pairs"
        return "images" if self.network is None else "rows"

    def features(
        self,
        images: Images,
        *,
        out: Rows | None = None,
        on_progress: Callable[[int, int], None] = _ignore,
    ) -> Rows:
        """Return the rows of images.

        Parameters
        ----------
        images
            uint8 (N, H, W, C), N >= 1.
        out
            Where to put the rows, float32 (N, D), such as a mapped file; None makes room.
        on_progress
            Called with images done and their total.

        Raises
        ------
        DataError
            If the images are too small, or the network fails, gives another width, or NaN.
        """
        assert self.prepare is not None and self.network is not None, self.name
        self.check_size(images.shape)
        with reported("images through the network", len(images), on_progress) as report:
            for start in range(0, len(images), self.tile):
                part = self.rows_of_tile(images[start : start + self.tile])
                if out is None:
                    out = np.empty((len(images), part.shape[1]), np.float32)
                out[start : start + len(part)] = part
                report(start + len(part), len(images))
        assert out is not None, "no images"
        return out

    def rows_of_tile(self, images: Images) -> Rows:
        """Return the rows of at most one tile of images."""
        count = len(images)
        filled = np.concatenate([images, np.repeat(images[-1:], self.tile - count, axis=0)])
        prepared = self._prepared(filled)
        rows = self._checked(self._run(prepared, images.shape), count)
        return unit_rows(rows) if self.metric == "cosine" else rows

    def check_size(self, shape: tuple[int, ...]) -> None:
        """Refuse images (N, H, W, C) that are smaller than the network takes."""
        if len(shape) < 4:
            return
        *_, height, width = shape[1:-1]
        if min(height, width) < self.smallest:
            raise DataError(
                f"`space` {self.name} takes images from {self.smallest}x{self.smallest} on, and these "
                f"are {width}x{height}; leave it out, or load larger ones (`resolution`)"
            )

    def describe(self, dimension: int | None = None) -> dict[str, Any]:
        """Return what it is, as plain types; ``dimension`` where only its rows tell."""
        return {
            "name": self.name,
            "words": self.words,
            "metric": self.metric,
            "preprocessing": self.preprocessing,
            "weights_sha256": self.weights_sha256,
            "dimension": self.width or dimension,
            "candidates": self.candidates or None,
            "source": self.source,
            "license": self.license,
        }

    def _prepared(self, images: Images) -> torch.Tensor:
        assert self.prepare is not None
        return self.prepare(np.ascontiguousarray(images))

    def _run(self, prepared: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """Run the network on a prepared tile of images of ``shape`` (N, H, W, C)."""
        assert self.network is not None
        try:
            with torch.inference_mode():
                return self.network(prepared)
        except (RuntimeError, ValueError, IndexError, MemoryError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]
            raise DataError(
                f"`space` {self.name} failed on images of {shape[2]}x{shape[1]}: {reason}; if they are "
                "of another size than it takes, bring them to it with ?size=N behind the file"
            ) from error

    def _checked(self, found: torch.Tensor, count: int) -> Rows:
        """Refuse what are not rows of the right width, all finite."""
        if not isinstance(found, torch.Tensor) or found.ndim < 2 or len(found) != self.tile:
            got = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
            raise DataError(
                f"`space` {self.name} gave {got} for {self.tile} images; a tensor ({self.tile}, D) is "
                "expected"
            )
        if found.numel() > MOST_NUMBERS * self.tile:
            raise DataError(
                f"`space` {self.name} gave rows of {found.numel() // self.tile:,} numbers; at most "
                f"{MOST_NUMBERS:,} are taken"
            )
        rows = found[:count].flatten(1).to("cpu", torch.float32).numpy()
        if self.width is not None and rows.shape[1] != self.width:
            raise DataError(
                f"`space` {self.name} gave rows of {rows.shape[1]} numbers, and {self.width} are "
                "expected; is it another network?"
            )
        if not np.isfinite(rows).all():
            raise DataError(
                f"`space` {self.name} gave NaN or infinity; its weights do not fit, or its values "
                "overflow"
            )
        return rows


def unit_rows(rows: Rows) -> Rows:
    """Return rows (N, D) scaled to length 1; a row of zeros has no direction and stays.

    >>> unit_rows(np.array([[3, 4], [0, 0]], np.float32)).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    wide = rows.astype(np.float64)
    length = np.sqrt(np.square(wide).sum(axis=1, keepdims=True))
    return (wide / np.maximum(length, CLOSEST_TO_ZERO)).astype(np.float32)


PIXEL = Space(
    "pixel",
    "8-bit values as they are",
    words="The images themselves, or the voxels of volumes, compared on integers.",
)
"""The space of the images or volumes themselves."""
COLUMNS = Space(
    "columns",
    "values as they are given",
    words="Numbers, each in units of its own spread.",
    takes="numbers",
)
"""The space of vectors and series, and of tables where it is asked for."""
GOWER = Space(
    "gower",
    "mean over the columns of |difference| / range of a numeric and 0 or 1 of a categorical one",
    metric="gower",
    source="Gower (1971)",
    words="Rows of tables: the mean over the columns of how far their cells differ.",
    takes="tables",
)
"""The space of tables with categorical columns (`rote.spaces.gower`)."""


def own_space(dataset: Dataset) -> Space:
    """Return where distances between items of this kind are taken unless another space is asked for."""
    if dataset.in_levels:
        return PIXEL
    return GOWER if dataset.schema is not None and dataset.schema.mixed else COLUMNS
