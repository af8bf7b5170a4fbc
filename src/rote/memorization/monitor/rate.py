"""`MemorizationRate`: the memorization rate as a metric that is fed batch by batch.

What torchmetrics users expect (`update`, `compute`, `reset`), without torchmetrics. The training side is
prepared once; a verdict depends on the image alone, so neither order nor batches change the rate.
"""

from __future__ import annotations

from typing import Any

from rote.core.errors import ConfigError, DataError
from rote.data.dataset import Dataset
from rote.memorization.criteria import RatioCriterion
from rote.memorization.defaults import CONFIDENCE
from rote.memorization.differences.image_sample import SIZE, ImageSample
from rote.memorization.monitor.references import References
from rote.memorization.monitor.value_range import Images, ValueRange
from rote.memorization.notice import Notice
from rote.stats.rates import Rate, wilson


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

    A sample of the images is probed for silent differences as in an audit (`notices`), once as soon as it
    is full, and at `compute`.

    >>> from rote import load_images
    >>> digits = load_images("digits")
    >>> metric = MemorizationRate(digits.take(range(100)))
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
        self._sample.see(items)
        if self._probed is None and len(self._sample) == SIZE:
            self._probe()
        return wilson(count, len(items), confidence=self._confidence)

    def compute(self) -> Rate:
        """Return the rate of all images so far, with its Wilson interval.

        Raises
        ------
        DataError
            If there were none, or their values plainly have another range than was said.

        Warns
        -----
        RoteWarning
            Of each silent difference once: the rate is then doubtful.
        """
        if not self._total:
            raise DataError("there are no images to compute a rate of; call update(images) first")
        self._guard.judge("images")
        self._probe()
        return wilson(self._count, self._total, confidence=self._confidence)

    def reset(self) -> None:
        """Forget all images; the prepared training side stays."""
        self._count = self._total = 0
        self._guard = self._references.guard()
        self._sample = ImageSample(seed=0)
        self._probed: tuple[bytes, ...] | None = None
        self._notices: tuple[Notice, ...] = ()

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What makes the rate so far doubtful: the most telling silent difference, if there is one."""
        self._probe()
        return self._notices

    def _probe(self) -> None:
        """Look for silent differences, if the sample has changed since the last look."""
        if self._probed != self._sample.digests:
            self._probed = self._sample.digests
            self._notices = self._references.notices(self._sample, stacklevel=3)

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
            "sample": self._sample.state,
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
        self._sample.merge(theirs.get("sample", []))
