"""Figures on CIFAR-10 that every release must reproduce."""

from pathlib import Path

import numpy as np
import pytest
from audits import ratio_audit as audit

from rote.data.convert import from_model
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.diffusion.config import SampleConfig
from rote.diffusion.optimal_denoiser import OptimalDenoiser
from rote.diffusion.sample import sample
from rote.neighbors.search import nearest_neighbors

pytestmark = pytest.mark.cifar10


@pytest.fixture(scope="module")
def train(cifar10_folder: Path) -> Dataset:
    return load_images(cifar10_folder / "cifar10_train.npz")


@pytest.fixture(scope="module")
def test(cifar10_folder: Path) -> Dataset:
    return load_images(cifar10_folder / "cifar10_test.npz")


def test_the_optimum_of_the_first_thousand_copies(train: Dataset) -> None:
    subset = train.subset(1000, seed=None)
    drawn = sample(
        OptimalDenoiser(subset), range(128), shape=subset.shape, config=SampleConfig(tile=128)
    )
    found = audit(Dataset(from_model(drawn, kind="image")), subset)
    assert found.rate.count == 128
    # Heun's last step ends at sigma 0.002: the copies are exact after rounding to 8 bits.
    assert found.nn1_sq.max() == 0


def test_eleven_test_images_look_like_copies(train: Dataset, test: Dataset) -> None:
    found = nearest_neighbors(test.items, train.items)
    near, far = found.sq_distances[:, 0], found.sq_distances[:, 1]
    flagged = 9 * near < far
    assert flagged.sum() == 11
    # One of the pairs, counted by hand in integers.
    query, reference = test.items[6864].astype(np.int64), train.items[44426].astype(np.int64)
    assert found.indices[6864, 0] == 44426
    assert near[6864] == ((query - reference) ** 2).sum() == 1_040_550


def test_distances_equal_integer_brute_force(train: Dataset, test: Dataset) -> None:
    queries = np.concatenate([test.items[:2], train.items[100:102]])
    found = nearest_neighbors(np.repeat(queries, 50, axis=0), train.items, k=10)
    references = train.items.reshape(len(train), -1).astype(np.int64)
    for row, query in enumerate(queries):
        sq = ((references - query.reshape(-1).astype(np.int64)) ** 2).sum(axis=1)
        order = np.argsort(sq, kind="stable")[:10]
        for copy in range(50):
            assert np.array_equal(found.indices[50 * row + copy], order)
            assert np.array_equal(found.sq_distances[50 * row + copy], sq[order])
