"""The memorization rate as a metric of torchmetrics: in a collection, on any device, over processes.

metrics = MetricCollection({"memorized": MemorizationMetric(training), "fid": ...})
metrics.update(images)
metrics.compute()["memorized"]
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rote.data.dataset import Dataset
from rote.integrations.missing import missing
from rote.memorization.defaults import CONFIDENCE
from rote.memorization.monitor.rate import MemorizationRate
from rote.memorization.monitor.value_range import Images, ValueRange
from rote.stats.rates import Rate, wilson

try:
    from torchmetrics import Metric
except ImportError as error:
    raise missing("torchmetrics", "torchmetrics") from error


class MemorizationMetric(Metric):
    """Share of images that are copies of training images, as torchmetrics wants a metric.

    `compute` returns the rate alone, a float64 scalar, as loggers expect; `rate` has its interval and its
    counts. The counts are summed over processes.

    Parameters
    ----------
    training, criterion, duplicate_rms, value_range
        As `rote.MemorizationRate` takes them.
    confidence
        Of the interval of `rate`.
    search_device
        Where the search runs: "cpu" or "cuda". Where this metric is (`device`) is where its counts are;
        images may come from any device.
    **settings
        Of `torchmetrics.Metric`, such as ``sync_on_compute``.

    Raises
    ------
    DataError, ConfigError
        As `rote.MemorizationRate`.

    Notes
    -----
    Silent differences are looked for in each process's own images, and warned of once.

    >>> from rote import load_images
    >>> digits = load_images("digits")
    >>> metric = MemorizationMetric(digits.take(range(100)))
    >>> metric.update(digits.tensor()[50:150])
    >>> metric.compute().item()
    0.5
    >>> print(metric.rate)
    0.5 [0.4038, 0.5962] (50 of 100)
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0
    count: Tensor
    total: Tensor

    def __init__(
        self,
        training: Dataset | Images,
        *,
        criterion: Any = None,
        confidence: float = CONFIDENCE,
        duplicate_rms: float | None = None,
        value_range: ValueRange | None = None,
        search_device: str = "cpu",
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self._own = MemorizationRate(
            training,
            criterion=criterion,
            confidence=confidence,
            duplicate_rms=duplicate_rms,
            device=search_device,
            value_range=value_range,
        )
        self._confidence, self._fed = confidence, False
        self._rate: Rate | None = None
        for name in ("count", "total"):
            self.add_state(name, default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, images: Images) -> None:
        """Count a batch: uint8 torch (N, C, H, W) or numpy (N, H, W, C), any N; floats with a range.

        Raises
        ------
        DataError
            As `rote.MemorizationRate.update`.
        """
        found = self._own(images)
        if found is not None:
            self._fed = True
            self.count += found.count
            self.total += found.total

    def compute(self) -> Tensor:
        """Return the rate of all images of all processes; NaN before any.

        Raises
        ------
        DataError
            If the values of all small batches together plainly have another range than was said.
        """
        if self._fed:
            self._own.compute()  # the range is judged, and silent differences are looked for
        count, total = int(self.count), int(self.total)
        self._rate = wilson(count, total, confidence=self._confidence) if total else None
        return self.count / self.total.double()

    @property
    def rate(self) -> Rate | None:
        """The rate of the last `compute` with its interval; None before, and of no images."""
        return self._rate

    def forward(self, images: Images) -> Tensor:
        """Count a batch and return its own rate: one search, where torchmetrics' own way takes two."""
        count, total = self.count.clone(), self.total.clone()
        self.update(images)
        rate = (self.count - count) / (self.total - total).double()
        self._forward_cache: Any = rate  # what Lightning logs at each step
        return rate

    def reset(self) -> None:
        """Begin anew; the training side stays prepared."""
        super().reset()
        self._own.reset()
        self._fed, self._rate = False, None
