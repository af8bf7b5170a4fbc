"""`MemorizationRate`: the memorization rate as a metric that is fed batch by batch.

What torchmetrics users expect (`update`, `compute`, `reset`), without torchmetrics. The training side is
prepared once; a verdict depends on the image alone, so neither order nor batches change the rate.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.errors import ConfigError, DataError
from rote.data.convert import from_model
from rote.data.dataset import Dataset
from rote.data.duplicates import exact_duplicates
from rote.memorization.criteria import RatioCriterion
from rote.memorization.defaults import CONFIDENCE
from rote.memorization.duplicate_radius import duplicate_radius, spacing_of
from rote.memorization.duplicates import check_rms, near_duplicates
from rote.memorization.invariances import Invariances
from rote.memorization.matching import Matcher, Matches
from rote.memorization.monitor.value_range import (
    Images,
    Levels,
    RangeGuard,
    ValueRange,
    check_range,
)
from rote.stats.rates import Rate, wilson

PREPARED_FROM = 5_000_000
"""Values on the training side from which a prepared search pays for itself within a few updates."""


class References:
    """The training side of many searches: duplicates grouped and the search prepared, once.

    Parameters
    ----------
    training
        As `MemorizationRate` takes it.
    criterion, duplicate_rms, device, value_range
        As there.

    Attributes
    ----------
    dataset
        The training images at rest.
    distinct
        How many groups of duplicates there are.
    """

    def __init__(
        self,
        training: Dataset | Images,
        *,
        criterion: RatioCriterion | None,
        duplicate_rms: float | None,
        device: str,
        value_range: ValueRange | None,
    ) -> None:
        check_range(value_range)
        check_rms(duplicate_rms or 0.0, name="duplicate_rms")
        self.criterion = criterion or RatioCriterion()
        self.value_range = value_range
        device = _checked_device(device)
        if isinstance(training, Dataset):
            images = training.items
        else:
            images = at_rest(training, value_range=value_range, name="training")
        if images.dtype != np.uint8:
            raise DataError("training holds vectors; only images can be monitored, use rote.audit")
        self.dataset = Dataset(images, source="training")
        exact = exact_duplicates(images)
        if duplicate_rms is None:
            duplicate_rms = duplicate_radius(spacing_of(images, exact.representative))
        self.duplicate_rms = duplicate_rms
        groups = near_duplicates(images, exact, rms=duplicate_rms) if duplicate_rms else exact
        if len(groups) < 2:
            raise DataError(
                f"training has {len(groups)} distinct images; the ratio to the second nearest "
                "needs at least two"
            )
        self.distinct = len(groups)
        self._shape = images.shape[1:]
        self._levels = Levels.of(images)
        # One representative for each exact group; near-duplicates are told apart by their group.
        large = exact.representative.size * int(np.prod(self._shape)) >= PREPARED_FROM
        self._matcher = Matcher(
            images,
            positions=exact.representative,
            group=groups.group,
            invariances=Invariances(),
            device=device,
            prepare_from=0 if large else math.inf,
        )

    def guard(self) -> RangeGuard:
        """Return what watches the value range of the images of one measurement."""
        return RangeGuard(self._levels)

    def to_json(self) -> dict[str, Any]:
        """Return what was searched, as plain types."""
        return {
            "digest": self.dataset.digest,
            "count": len(self.dataset),
            "distinct": self.distinct,
            "duplicate_rms": self.duplicate_rms,
        }

    def accept(
        self, images: Images, *, guard: RangeGuard, value_range: ValueRange | None, name: str
    ) -> npt.NDArray[Any]:
        """Return images to be judged as uint8 (N, H, W, C) of the training images' shape."""
        check_range(value_range)
        at_most = self.value_range if value_range is None else value_range
        found = at_rest(images, value_range=at_most, name=name)
        if found.shape[1:] != self._shape:
            raise DataError(
                f"{name} have shape {tuple(images.shape)}, which is {_form(found.shape)}; training "
                f"images are {_form(self.dataset.items.shape)} (numpy: (N, H, W, C), torch: "
                "(N, C, H, W))"
            )
        guard.see(images, at_most, name)
        return found

    def match(self, items: npt.NDArray[Any]) -> Matches:
        """Return the nearest training image of each item and the nearest of another group."""
        return self._matcher.match(items)[0]

    def memorized(self, items: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return the verdict (N,) of uint8 images (N, H, W, C)."""
        found = self.match(items)
        return self.criterion.memorized(found.nn1_sq, found.nn2_sq)


class MemorizationRate:
    """Share of images that are copies of training images, fed batch by batch.

    Parameters
    ----------
    training
        All training images: an `Dataset`, a uint8 numpy array (N, H, W, C), a uint8 torch tensor
        (N, C, H, W), or floats in one of these layouts with ``value_range``.
    criterion
        The rule; None takes the ratio with c = 1/3 (`RatioCriterion`).
    confidence
        Of the interval, in (0, 1).
    duplicate_rms
        Training images this near to each other (root-mean-square difference, in 8-bit levels) are one
        group, from which the second neighbor is not taken; 0: exact duplicates only; None: a share of
        their own spacing, as in an audit. Takes seconds for 50,000 small images, once.
    device
        Where the search runs: "cpu" or "cuda"; the training images are sent there once, and stay there
        as far as they fit. Duplicates are grouped on the CPU.
    value_range
        What floats mean, (-1, 1) or (0, 1); they are rounded to 8 bits. None: floats are an error,
        because a wrong guess finds no copies and says nothing.

    Raises
    ------
    DataError
        If the training images cannot be used, or fewer than two are distinct.
    ConfigError
        If an argument is out of range.

    Notes
    -----
    Several processes each feed their own metric; one then takes in the others' `state` by `merge_state`.

    >>> from rote import load_images
    >>> digits = load_images("digits")
    >>> metric = MemorizationRate(digits.take(np.arange(100)))
    >>> metric.update(digits.items[:50])  # copies
    >>> metric.update(digits.items[1000:1050])  # real digits that are no training images
    >>> print(metric.compute())
    0.5 [0.4038, 0.5962] (50 of 100)
    """

    def __init__(
        self,
        training: Dataset | Images,
        *,
        criterion: RatioCriterion | None = None,
        confidence: float = CONFIDENCE,
        duplicate_rms: float | None = None,
        device: str = "cpu",
        value_range: ValueRange | None = None,
    ) -> None:
        wilson(0, 1, confidence=confidence)  # says now what would else be said after the training
        self._references = References(
            training,
            criterion=criterion,
            duplicate_rms=duplicate_rms,
            device=device,
            value_range=value_range,
        )
        self._confidence = confidence
        self.reset()

    def update(self, images: Images, *, value_range: ValueRange | None = None) -> None:
        """Count a batch.

        Parameters
        ----------
        images
            uint8 numpy (N, H, W, C) or torch (N, C, H, W), any N; floats with a value range.
        value_range
            What these floats mean; None takes that of the metric.

        Raises
        ------
        DataError
            If shape, type or range do not fit the training images, or a value is not finite. The range
            of small batches is judged together; after that error `reset` begins anew.
        """
        self(images, value_range=value_range)

    def __call__(self, images: Images, *, value_range: ValueRange | None = None) -> Rate | None:
        """Count a batch and return its own rate; None for a batch of no images."""
        items = self._references.accept(
            images, guard=self._guard, value_range=value_range, name="images"
        )
        if not len(items):
            return None
        count = int(self._references.memorized(items).sum())
        self._count += count
        self._total += len(items)
        return wilson(count, len(items), confidence=self._confidence)

    def compute(self) -> Rate:
        """Return the rate of all images so far, with its Wilson interval.

        Raises
        ------
        DataError
            If there were none, or their values plainly have another range than was said.
        """
        if not self._total:
            raise DataError("there are no images to compute a rate of; call update(images) first")
        self._guard.judge("images")
        return wilson(self._count, self._total, confidence=self._confidence)

    def reset(self) -> None:
        """Forget all images; the prepared training side stays."""
        self._count = self._total = 0
        self._guard = self._references.guard()

    @property
    def state(self) -> dict[str, Any]:
        """What is counted, as plain types to be sent to another process (and merged there)."""
        return {
            "count": self._count,
            "total": self._total,
            "training": self._references.dataset.digest,
            "criterion": self._references.criterion.to_json(),
            "duplicate_rms": self._references.duplicate_rms,
            "extremes": self._guard.state,
        }

    def merge_state(self, other: MemorizationRate | dict[str, Any]) -> None:
        """Add what another metric, or its `state`, has counted.

        Raises
        ------
        ConfigError
            If it was counted against other training images or under another criterion.
        """
        theirs = other.state if isinstance(other, MemorizationRate) else other
        for key in ("training", "criterion", "duplicate_rms"):
            if theirs.get(key) != self.state[key]:
                raise ConfigError(
                    f"the {key} of the other state is {theirs.get(key)}, here it is "
                    f"{self.state[key]}; only rates over the same can be merged"
                )
        self._count += theirs["count"]
        self._total += theirs["total"]
        self._guard.merge(theirs.get("extremes", []))


def at_rest(images: Images, *, value_range: ValueRange | None, name: str) -> npt.NDArray[Any]:
    """Return images as uint8 (N, H, W, C).

    Parameters
    ----------
    images
        numpy (N, H, W, C) or torch (N, C, H, W); uint8, or floats in ``value_range``, whose
        excess is clipped as a display would.
    value_range
        (-1, 1), (0, 1), or None for uint8.
    name
        What they are called in messages.

    Raises
    ------
    DataError
        If they are neither, or a value is not finite.
    """
    if not isinstance(images, np.ndarray | torch.Tensor) or images.ndim != 4:
        got = f"of shape {tuple(images.shape)}" if hasattr(images, "shape") else ""
        raise DataError(
            f"{name} are {type(images).__name__} {got}".rstrip()
            + "; numpy (N, height, width, channels) or torch (N, channels, height, width) expected"
        )
    if isinstance(images, np.ndarray):
        tensor = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    else:
        tensor = images.detach()
    if tensor.dtype == torch.uint8:
        return tensor.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    if not tensor.is_floating_point():
        raise DataError(f"{name} are {tensor.dtype}; convert them to uint8 in [0, 255]")
    if value_range is None:
        raise DataError(
            f"{name} are {tensor.dtype}, whose range could be [0, 1], [-1, 1] or [0, 255]: say "
            "value_range=(-1, 1) or (0, 1), or convert them to uint8"
        )
    wide = tensor.to(torch.float64)
    return from_model(wide * 2 - 1 if value_range[0] == 0 else wide, kind="image")


def _checked_device(device: str) -> str:
    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise ConfigError(f'device is "{device}"; "cpu" or "cuda" is expected') from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f'device is "{device}", but torch sees no CUDA device; use "cpu"')
    return device


def _form(shape: tuple[int, ...]) -> str:
    _, height, width, channels = shape
    return f"{width}x{height} pixels in {channels} channels"
