"""`Dataset`: all items of one source, in memory or mapped, with labels and a digest.

Images rest as uint8 (N, H, W, C) with C = 1 (grey) or 3 (RGB), volumes as uint8 (N, D, H, W, C);
vectors as float32 (N, D), the rows of a table among them; series as float32 (N, T, C). On a device the
whole set is one tensor, so training needs no loader: an 8-bit CIFAR-10 is 154 MB.
"""

from __future__ import annotations

import functools
import hashlib
import json
import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.core.seeds import child_seed
from rote.data.account import Account
from rote.data.files.mapped import blocks_of
from rote.data.item_digests import LONG, item_digests
from rote.data.known import known
from rote.data.messages import shown
from rote.data.options import Range
from rote.data.scaling import Scaling
from rote.data.tables.schema import Schema

if TYPE_CHECKING:
    import torch


Kind = Literal["image", "volume", "vector", "series"]
_KINDS: dict[int, Kind] = {1: "vector", 2: "series", 3: "image", 4: "volume"}
KINDS = tuple(_KINDS.values())


def kind_of_shape(shape: tuple[int, ...]) -> Kind:
    """Return the kind of items whose shape models see: (C, H, W), (C, D, H, W), (C, T) or (D,).

    >>> kind_of_shape((3, 8, 8)), kind_of_shape((1, 24)), kind_of_shape((13,))
    ('image', 'series', 'vector')
    """
    return _KINDS[len(shape)]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images, volumes, vectors or series with optional labels, held in memory.

    Attributes
    ----------
    items
        uint8 (N, H, W, C) images, uint8 (N, D, H, W, C) volumes, float32 (N, D) vectors, or float32
        (N, T, C) series.
    labels
        int64 (N,) class numbers in [0, len(classes)), or None.
    classes
        Class names; empty without labels.
    names
        What identifies each item for a person (a file name, or "#17"); untrusted text.
    source
        Where it came from, for a person.
    unreadable
        Names of the files that were left out with ``skip_unreadable``.
    seeds
        int64 (N,): the noise seed of each sample, where the source tells, or None.
    schema
        What the numbers of a vector are, where the source is a table; else None.
    scaling
        How the items were scaled (`rote.data.scaling`); None where they are in their own units.
    account
        What became of everything under the source, where it was files or arrays.
    window
        Which values became black and white, where images or volumes were deeper than 8 bits.
    groups
        Name of the group that each item belongs to, such as its patient, household or video; None where
        nothing is known of groups (`rote.data.groups`). Untrusted text.
    captions
        The text of each item, untrusted; None of one that has none, "" of an empty one. An empty tuple:
        there are none at all. They do not count in the digest.
    repeats
        int64 (N,): how often a training shows each item in a round, where the source tells, or None.
    sample_rate
        Samples a second, of sound; else None.
    """

    items: npt.NDArray[Any]
    labels: npt.NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    source: str = "array"
    unreadable: tuple[str, ...] = field(default=())
    seeds: npt.NDArray[np.int64] | None = None
    schema: Schema | None = None
    scaling: Scaling | None = None
    account: Account | None = None
    window: Range | None = None
    groups: tuple[str, ...] | None = None
    captions: tuple[str | None, ...] = ()
    repeats: npt.NDArray[np.int64] | None = None
    sample_rate: int | None = None

    def __post_init__(self) -> None:
        where = shown(self.source)
        if self.items.dtype == np.uint8 and self.items.ndim == 4:
            if self.items.shape[3] not in (1, 3):
                raise DataError(
                    f"{where}: images have {self.items.shape[3]} channels; 1 (grey) or 3 "
                    "(RGB) are expected, in the order (N, height, width, channels)"
                )
        elif not (self.items.dtype == np.float32 and self.items.ndim in (2, 3)) and not (
            self.items.dtype == np.uint8 and self.items.ndim == 5
        ):
            raise DataError(
                f"{where}: an array of {self.items.dtype} with shape {self.items.shape} is "
                "neither images (uint8, (N, height, width, channels)) nor volumes (uint8, (N, depth, "
                "height, width, channels)) nor vectors (float32, (N, D)) nor series (float32, (N, times, "
                "channels))"
            )
        assert self.schema is None or self.items.shape[1:] == (self.schema.width,)
        if self.labels is not None and self.labels.shape != (len(self.items),):
            raise DataError(
                f"{where}: {len(self.items)} items but labels of shape {self.labels.shape}; "
                "one label per item is expected"
            )
        if self.labels is not None and len(self):
            low, high = int(self.labels.min()), int(self.labels.max())
            if self.labels.dtype != np.int64 or low < 0 or high >= len(self.classes):
                raise DataError(
                    f"{where}: labels are {self.labels.dtype} from {low} to {high} and there "
                    f"are {len(self.classes)} class names; int64 labels from 0 to one less than "
                    "the number of classes are expected"
                )
        if not self.names:
            object.__setattr__(self, "names", tuple(f"#{i}" for i in range(len(self.items))))
        assert len(self.names) == len(self.items)
        if self.groups is not None and len(self.groups) != len(self.items):
            raise DataError(
                f"{where}: {len(self.items)} items but {len(self.groups)} groups; the name of one group "
                "per item is expected"
            )
        assert self.repeats is None or self.repeats.shape == (len(self.items),)
        if self.captions and len(self.captions) != len(self.items):
            raise DataError(
                f"{where}: {len(self.items)} items and {len(self.captions)} captions; give one "
                "each, None for an item without one"
            )

    def __len__(self) -> int:
        return len(self.items)

    @property
    def images(self) -> npt.NDArray[Any]:
        """The items, under the name that they had before tables lived here too; goes in 0.3."""
        warnings.warn("Dataset.images is now Dataset.items", DeprecationWarning, stacklevel=2)
        return self.items

    @property
    def kind(self) -> Kind:
        """Whether the items are images, volumes, vectors or series."""
        return _KINDS[self.items.ndim - 1]

    @property
    def in_levels(self) -> bool:
        """Whether values are 8-bit levels, of images and volumes; others have units that are scaled."""
        return self.items.dtype == np.uint8

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an item as models see it: (C, H, W), (C, D, H, W), series (C, T), vectors (D,)."""
        *places, channels = (int(size) for size in self.items.shape[1:])
        return (channels, *places)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 over dtype, shape, values, labels and columns (names and source do not count).

        The SHA-256 of a long item stands for its values, as in `rote.data.sampling`.
        """
        if self.schema is not None:
            return self._digest().hex()
        labels = hashlib.sha256(f"labels{self.classes}".encode())
        if self.labels is not None:
            labels.update(np.ascontiguousarray(self.labels).data)
        told = "" if self.labels is None else labels.hexdigest()
        found = known(
            self.items, f"digest {told}", lambda: np.frombuffer(self._digest(), np.uint8).copy()
        )
        return found.tobytes().hex()

    @functools.cached_property
    def captions_digest(self) -> str | None:
        """SHA-256 of the captions in their order, which `digest` does not count; None of none."""
        told = json.dumps(self.captions).encode()
        return hashlib.sha256(told).hexdigest() if self.captions else None

    def _digest(self) -> bytes:
        hasher = hashlib.sha256(f"{self.items.dtype}{self.items.shape}".encode())
        if self.schema is not None:
            hasher.update(f"columns{self.schema.grid}".encode())
        if self.items[:1].nbytes >= LONG:
            hasher.update(item_digests(self.items).data)
        else:
            for block in blocks_of(self.items):
                hasher.update(np.ascontiguousarray(block).data)
        if self.labels is not None:
            hasher.update(f"labels{self.classes}".encode())
            hasher.update(np.ascontiguousarray(self.labels).data)
        digest: bytes = hasher.digest()
        return digest

    def outside(self, other: Dataset) -> npt.NDArray[np.int64]:
        """Return the positions of the items that equal none of another set's, byte for byte.

        >>> items = Dataset(np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1))
        >>> items.outside(items.take([1, 3])).tolist()
        [0, 2]
        """
        seen = {item.tobytes() for item in other.items}
        rows = [row for row, item in enumerate(self.items) if item.tobytes() not in seen]
        return np.array(rows, np.int64)

    def describe(self) -> dict[str, Any]:
        """Return what it is, as plain types: source, digest, count, shape and kind.

        >>> Dataset(np.zeros((2, 4, 5, 3), np.uint8)).describe()["shape"]
        [3, 4, 5]
        """
        told = {
            "source": self.source,
            "digest": self.digest,
            "count": len(self),
            "shape": list(self.shape),
            "kind": self.kind,
        }
        if self.groups is not None:
            told["groups"] = len(set(self.groups))
        if self.sample_rate is not None:
            told["sample_rate"] = self.sample_rate
        if self.schema is None:
            return told
        return told | {"columns": [column.to_json() for column in self.schema.columns]}

    def provenance(self) -> dict[str, Any]:
        """Return `describe` and what was read, left out and changed on the way, as plain types."""
        told = self.describe()
        if self.account is not None:
            told["account"] = self.account.to_json()
        if self.window is not None:
            told["window"] = list(self.window)
        return told

    @property
    def texts(self) -> tuple[str, ...]:
        """The caption of each item as a cell of a table: "" where there is none."""
        return tuple(text or "" for text in self.captions) or ("",) * len(self)

    def tensor(self, device: str | torch.device = "cpu") -> torch.Tensor:
        """Return all items as a tensor, channels first: uint8 (N, C, ...), float32 (N, D), (N, C, T)."""
        import torch

        items = torch.from_numpy(np.ascontiguousarray(self.items))
        if items.ndim > 2:
            items = items.movedim(-1, 1).contiguous()
        return items.to(device)

    def take(self, indices: npt.NDArray[np.int64]) -> Dataset:
        """Return the items at ``indices``, in that order."""
        return replace(
            self,
            items=self.items[indices],
            labels=None if self.labels is None else self.labels[indices],
            names=tuple(self.names[i] for i in indices),
            seeds=None if self.seeds is None else self.seeds[indices],
            groups=None if self.groups is None else tuple(self.groups[i] for i in indices),
            captions=tuple(self.captions[i] for i in indices) if self.captions else (),
            repeats=None if self.repeats is None else self.repeats[indices],
        )

    def scaled(self, scaling: Scaling) -> Dataset:
        """Return vectors or series in units of each column's spread."""
        return replace(self, items=scaling.scaled(self.items), scaling=scaling)

    def subset(self, size: int, *, seed: int | None, stratify: bool = False) -> Dataset:
        """Return a nested random subset: that of a smaller size is part of that of a larger one.

        Parameters
        ----------
        size
            Number of items, 1 <= size <= len(self).
        seed
            Root seed of the order; None keeps the order of the source, as the paper did.
        stratify
            Take the same number from each class; ``size`` must be divisible by the classes.

        Raises
        ------
        DataError
            If the size is impossible, or classes are missing or too small.
        """
        return self.take(self.subset_indices(size, seed=seed, stratify=stratify))

    def subset_indices(
        self, size: int, *, seed: int | None, stratify: bool = False
    ) -> npt.NDArray[np.int64]:
        """Return the positions that `subset` takes; errors as there."""
        where, count = shown(self.source), len(self)
        if not 1 <= size <= count:
            raise DataError(
                f"a subset of {size} items was asked of {where}, which has {count}; "
                f"choose a size from 1 to {count}"
            )
        if seed is None:
            order = np.arange(count, dtype=np.int64)
        else:
            order = np.random.default_rng(child_seed(seed, "subset")).permutation(count)
        if not stratify:
            return order[:size]
        if self.labels is None:
            raise DataError(
                f"{where} has no labels, so its subsets cannot be class-balanced; drop "
                "`stratify` or give a source with classes"
            )
        classes = len(self.classes)
        if size % classes:
            raise DataError(
                f"a class-balanced subset of {size} items cannot be made of {classes} classes; "
                f"choose a multiple of {classes}, such as {max(1, size // classes) * classes}"
            )
        per_class = size // classes
        counts = np.bincount(self.labels, minlength=classes)
        smallest = int(counts.argmin())
        name = shown(self.classes[smallest])
        if counts[smallest] == 0:
            raise DataError(
                f"class '{name}' of {where} has no items, so no subset can "
                "be class-balanced; drop `stratify` or give items of every class"
            )
        if counts[smallest] < per_class:
            raise DataError(
                f"class '{name}' of {where} has {counts[smallest]} items, "
                f"fewer than the {per_class} that a balanced subset of {size} needs; choose at "
                f"most {int(counts[smallest]) * classes}"
            )
        labels = self.labels[order]
        chosen = [np.flatnonzero(labels == c)[:per_class] for c in range(classes)]
        return order[np.sort(np.concatenate(chosen))]
