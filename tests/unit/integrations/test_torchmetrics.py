"""The metric does in torchmetrics what `MemorizationRate` does by itself."""

import copy
import pickle

import pytest
import torch
from torchmetrics import MetricCollection

import rote
from rote.integrations.torchmetrics import MemorizationMetric


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    """Return uint8 (1797, 1, 8, 8)."""
    return rote.load_images("digits").tensor()


@pytest.fixture
def metric(digits: torch.Tensor) -> MemorizationMetric:
    return MemorizationMetric(digits[:200])


def test_it_goes_into_a_collection_and_on_a_device(metric, digits) -> None:
    metrics = MetricCollection({"memorized": metric}, prefix="val/").to("cpu")
    for start in (190, 195, 200):  # ten copies, five others
        metrics.update(digits[start : start + 5])
    assert metrics.compute() == {"val/memorized": pytest.approx(2 / 3)}
    assert metrics["memorized"].rate == rote.wilson(10, 15)
    metrics.reset()
    metrics.update(digits[200:210])
    assert metrics.compute()["val/memorized"] == 0
    counts = metric.to("meta").count  # another device than that of images and search
    assert counts.device.type == "meta"


def test_a_call_gives_the_rate_of_its_batch_and_counts(metric, digits) -> None:
    assert metric(digits[190:200]) == 1
    assert metric(digits[200:230]) == 0
    assert metric.compute() == 0.25
    assert metric.compute() == metric.compute()


def test_counts_of_processes_are_summed(metric, digits) -> None:
    other = metric.clone()
    metric.update(digits[190:200])
    other.update(digits[200:230])
    there = iter([other.count, other.total])
    alone = metric.compute()
    metric.dist_sync_fn = lambda own, group: [own, next(there)]
    metric.distributed_available_fn = lambda: True
    metric._computed = None
    assert (alone, metric.compute()) == (1, 0.25)
    assert metric.rate == rote.wilson(10, 40)
    assert metric.total == 10  # its own again


def test_copies_share_the_training_side_and_nothing_else(metric, digits) -> None:
    for other in (copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):
        other.update(digits[:10])
        assert other.compute() == 1
        assert metric.total == 0


def test_errors_are_those_of_the_rate(metric, digits) -> None:
    with pytest.warns(UserWarning, match="before the ``update``"):  # torchmetrics' own
        assert metric.compute().isnan()
    assert metric.rate is None
    with pytest.raises(rote.RoteError, match="value_range"):
        metric.update(digits[:3].float())
