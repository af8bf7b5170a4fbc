"""The training side of a metric and of a monitor, prepared once; and how images come in."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.errors import ConfigError, DataError, RoteWarning
from rote.data.convert import from_model
from rote.data.dataset import Dataset
from rote.data.duplicates import exact_duplicates
from rote.memorization.criteria import RatioCriterion
from rote.memorization.differences.image_sample import ImageSample
from rote.memorization.differences.silent_differences import Probe, notices_of
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
from rote.memorization.notice import Notice

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
        self._probe = Probe(images, positions=exact.representative, group=groups.group)
        self._told: set[str] = set()

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

    def notices(self, sample: ImageSample, *, stacklevel: int) -> tuple[Notice, ...]:
        """Return what a sample gives reason to say, and warn of each difference once."""
        found = notices_of(self._probe.differences(sample))
        for notice in found:
            if notice.numbers["name"] not in self._told:
                self._told.add(notice.numbers["name"])
                warnings.warn(notice.text, RoteWarning, stacklevel=stacklevel + 1)
        return tuple(found)


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
            + _instead(images)
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


def _instead(images: object) -> str:
    """Say what to give in place of what pipelines return, if it is such."""
    if hasattr(images, "images") and not hasattr(images, "shape"):
        return '; of a pipeline\'s output give its .images, asked for with output_type="np"'
    first = images[0] if isinstance(images, list) and images else None
    if isinstance(images, tuple | dict) or isinstance(first, tuple | dict):
        return (
            "; if these are images and their captions, give the images alone, and to watch some captions "
            'apart a sampler for each: {"trained": f, "unseen": g}'
        )
    if hasattr(first, "convert"):
        return "; of Pillow images give np.stack([np.asarray(image) for image in images])"
    return ""


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
