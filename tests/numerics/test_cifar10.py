"""Figures on CIFAR-10 that every release must reproduce."""

from pathlib import Path

import numpy as np
import pytest

from rote.data.convert import from_model
from rote.data.dataset import ImageDataset
from rote.data.sources import load_images
from rote.diffusion.config import SampleConfig
from rote.diffusion.optimum import OptimalDenoiser
from rote.diffusion.sample import sample
from rote.memorization.audit import audit
from rote.memorization.neighbors import nearest_neighbors
from rote.memorization.verdicts import memorized

pytestmark = pytest.mark.cifar10


@pytest.fixture(scope="module")
def train(cifar10_folder: Path) -> ImageDataset:
    return load_images(cifar10_folder / "cifar10_train.npz")


@pytest.fixture(scope="module")
def test(cifar10_folder: Path) -> ImageDataset:
    return load_images(cifar10_folder / "cifar10_test.npz")


def test_the_optimum_of_the_first_thousand_copies(train: ImageDataset) -> None:
    subset = train.subset(1000, seed=None)
    drawn = sample(
        OptimalDenoiser(subset), range(128), shape=subset.shape, config=SampleConfig(tile=128)
    )
    found = audit(ImageDataset(from_model(drawn, kind="image")), subset)
    assert found.rate.count == 128
    # Heun's last step ends at sigma 0.002: the copies are exact after rounding to 8 bits.
    assert found.nn1_sq.max() == 0


def test_eleven_test_images_look_like_copies(train: ImageDataset, test: ImageDataset) -> None:
    found = nearest_neighbors(test.images, train.images)
    near, far = found.sq_distances[:, 0], found.sq_distances[:, 1]
    flagged = 9 * near < far
    assert flagged.sum() == 11
    assert np.array_equal(memorized(test.images, train.images), flagged)
    # One of the pairs, counted by hand in integers.
    query, reference = test.images[6864].astype(np.int64), train.images[44426].astype(np.int64)
    assert found.indices[6864, 0] == 44426
    assert near[6864] == ((query - reference) ** 2).sum() == 1_040_550


def test_distances_equal_integer_brute_force(train: ImageDataset, test: ImageDataset) -> None:
    queries = np.concatenate([test.images[:2], train.images[100:102]])
    found = nearest_neighbors(np.repeat(queries, 50, axis=0), train.images, k=10)
    references = train.images.reshape(len(train), -1).astype(np.int64)
    for row, query in enumerate(queries):
        sq = ((references - query.reshape(-1).astype(np.int64)) ** 2).sum(axis=1)
        order = np.argsort(sq, kind="stable")[:10]
        for copy in range(50):
            assert np.array_equal(found.indices[50 * row + copy], order)
            assert np.array_equal(found.sq_distances[50 * row + copy], sq[order])
