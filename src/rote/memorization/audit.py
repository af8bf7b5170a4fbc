"""The audit: which generated items are copies of training items, what share, how sure."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.core.runs import write_json, write_npz, write_text
from rote.core.stats import Rate, wilson
from rote.data.dataset import ImageDataset
from rote.memorization.criteria import RatioCriterion, distance_ratio
from rote.memorization.duplicates import DuplicateGroups, exact_duplicates
from rote.memorization.neighbors import nearest_neighbors

GALLERY_SIZE = 200
TOP_REFERENCES = 10
PAIR_COLUMNS = (
    *("generated", "name", "memorized", "ratio"),
    *("nn1_index", "nn1_name", "nn1_distance"),
    *("nn2_index", "nn2_name", "nn2_distance"),
)

Progress = Callable[[int, int], None]


def _no_progress(done: int, total: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True, eq=False)
class Audit:
    """What an audit found.

    Attributes
    ----------
    rate
        Share of memorized items.
    memorized
        bool (N,): the verdict of each generated item.
    nn1_index, nn2_index
        int64 (N,): positions of the nearest training item and of the nearest one of another
        duplicate group.
    nn1_sq, nn2_sq
        Squared distances (N,): int64 for images, float64 for vectors.
    control
        The same rate over held-out items, or None.
    """

    rate: Rate
    memorized: npt.NDArray[np.bool_]
    nn1_index: npt.NDArray[np.int64]
    nn2_index: npt.NDArray[np.int64]
    nn1_sq: npt.NDArray[Any]
    nn2_sq: npt.NDArray[Any]
    criterion: RatioCriterion
    duplicates: DuplicateGroups
    generated: ImageDataset
    training: ImageDataset
    control: Rate | None = None
    holdout: ImageDataset | None = None

    @property
    def ratio(self) -> npt.NDArray[np.float64]:
        """|x - NN1| / |x - NN2| of each item, float64 (N,) in [0, 1]."""
        return distance_ratio(self.nn1_sq, self.nn2_sq)

    def coverage(self) -> dict[str, Any]:
        """Return which training items were reproduced, and the most reproduced ones."""
        hits = np.bincount(self.nn1_index[self.memorized], minlength=len(self.training))
        order = np.argsort(-hits, kind="stable")[:TOP_REFERENCES]
        top = [
            {"index": int(i), "name": self.training.names[i], "count": int(hits[i])}
            for i in order
            if hits[i]
        ]
        return {
            "distinct_references": int((hits > 0).sum()),
            "references": len(self.training),
            "top": top,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the content of `audit.json`."""
        space = "pixel" if self.training.kind == "image" else "columns"
        control = None
        if self.control is not None and self.holdout is not None:
            control = {"rate": self.control.to_json(), **_side(self.holdout)}
        return {
            "kind": "audit",
            "rate": self.rate.to_json(),
            "criterion": {**self.criterion.to_json(), "space": space},
            "generated": _side(self.generated),
            "training": _side(self.training),
            "duplicates": self.duplicates.to_json(),
            "coverage": self.coverage(),
            "control": control,
            "calibrated": None,
        }

    def save(self, folder: Path, *, labels: npt.NDArray[np.int64] | None = None) -> None:
        """Write `neighbors.npz`, `pairs.csv`, `gallery.npz` and, last, `audit.json`."""
        write_npz(
            folder / "neighbors.npz",
            {
                "nn1_index": self.nn1_index,
                "nn2_index": self.nn2_index,
                "nn1_sq": self.nn1_sq,
                "nn2_sq": self.nn2_sq,
                "memorized": self.memorized,
            },
        )
        write_text(folder / "pairs.csv", self._pairs_csv())
        write_npz(folder / "gallery.npz", self._gallery(labels))
        write_json(folder / "audit.json", self.to_json())

    def _by_ratio(self) -> npt.NDArray[np.int64]:
        """Positions of the generated items, lowest ratio first, ties by position."""
        return np.argsort(self.ratio, kind="stable")

    def _pairs_csv(self) -> str:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(PAIR_COLUMNS)
        names, ratio = self.training.names, self.ratio
        nn1, nn2 = np.sqrt(self.nn1_sq.astype(float)), np.sqrt(self.nn2_sq.astype(float))
        for i in self._by_ratio():
            near, far = int(self.nn1_index[i]), int(self.nn2_index[i])
            verdict = "yes" if self.memorized[i] else "no"
            row = [i, self.generated.names[i], verdict, f"{ratio[i]:.6g}", near, names[near]]
            writer.writerow([*row, f"{nn1[i]:.6g}", far, names[far], f"{nn2[i]:.6g}"])
        return text.getvalue()

    def _gallery(self, labels: npt.NDArray[np.int64] | None) -> dict[str, npt.NDArray[Any]]:
        order = self._by_ratio()
        # The lowest ratios are what an auditor wants to see; the spread shows what the rest is like.
        lowest, rest = order[: GALLERY_SIZE // 2], order[GALLERY_SIZE // 2 :]
        spread = np.linspace(0, len(rest) - 1, min(GALLERY_SIZE // 2, len(rest)))
        chosen = np.concatenate([lowest, rest[np.unique(spread.round().astype(np.int64))]])
        if labels is None:
            labels = np.full(len(order), -1, np.int64)
        return {
            "generated_index": chosen,
            "generated": self.generated.images[chosen],
            "nn1": self.training.images[self.nn1_index[chosen]],
            "nn2": self.training.images[self.nn2_index[chosen]],
            "ratio": self.ratio[chosen],
            "memorized": self.memorized[chosen],
            "nn1_index": self.nn1_index[chosen],
            "labels": labels[chosen],
        }


def audit(
    generated: ImageDataset,
    training: ImageDataset,
    *,
    holdout: ImageDataset | None = None,
    criterion: RatioCriterion | None = None,
    confidence: float = 0.95,
    device: str = "cpu",
    on_progress: Progress = _no_progress,
) -> Audit:
    """Find which generated items are copies of training items.

    Parameters
    ----------
    generated, training
        The queries and the references: images of one size and channel count, or vectors in the same
        units (`rote.data.convert.Scaling` puts both into units of each column's spread).
    holdout
        Real items that were not trained on, scored as if they had been generated: the control.
    criterion
        The rule; None takes the ratio with c = 1/3.
    confidence
        Of the intervals.
    device
        "cpu" or "cuda".
    on_progress
        Called with generated items done and their total.

    Raises
    ------
    DataError
        If the sides do not fit together, or the training side has fewer than two distinct items.
    """
    criterion = criterion or RatioCriterion()
    for name, side in (("--generated", generated), ("--holdout", holdout)):
        if side is not None and side.shape != training.shape:
            raise DataError(
                f"{name} {side.source} has items of {_shape(side)} and --training "
                f"{training.source} of {_shape(training)}; bring both to one form with --resolution "
                "or --channels"
            )
    groups = exact_duplicates(training.images)
    if len(groups) < 2:
        raise DataError(
            f"--training {training.source} has {len(groups)} distinct item; the ratio to the second "
            "nearest needs at least two"
        )
    # One representative for each group: the second neighbor is then of another group by itself.
    distinct = training.images[groups.representative]

    def judge(
        side: ImageDataset, progress: Progress
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64], npt.NDArray[Any]]:
        found = nearest_neighbors(side.images, distinct, k=2, device=device, on_progress=progress)
        verdict = criterion.memorized(found.sq_distances[:, 0], found.sq_distances[:, 1])
        return verdict, groups.representative[found.indices], found.sq_distances

    memorized, indices, sq = judge(generated, on_progress)
    control = None
    if holdout is not None:
        flagged, _, _ = judge(holdout, _no_progress)
        control = wilson(int(flagged.sum()), len(flagged), confidence=confidence)
    return Audit(
        rate=wilson(int(memorized.sum()), len(memorized), confidence=confidence),
        memorized=memorized,
        nn1_index=indices[:, 0],
        nn2_index=indices[:, 1],
        nn1_sq=sq[:, 0],
        nn2_sq=sq[:, 1],
        criterion=criterion,
        duplicates=groups,
        generated=generated,
        training=training,
        control=control,
        holdout=holdout,
    )


def _side(dataset: ImageDataset) -> dict[str, Any]:
    return {
        "source": dataset.source,
        "digest": dataset.digest,
        "count": len(dataset),
        "shape": list(dataset.shape),
        "kind": dataset.kind,
        "unreadable": len(dataset.unreadable),
    }


def _shape(dataset: ImageDataset) -> str:
    """Say an item's form as a person would."""
    if dataset.kind == "vector":
        return f"{dataset.shape[0]} numbers"
    channels, height, width = dataset.shape
    return f"{width}x{height} pixels in {'grey' if channels == 1 else 'color'}"
