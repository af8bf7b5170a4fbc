"""Copies of the positive control: made item by item, the same as each kind makes of all by itself."""

import numpy as np
import pytest

from rote.core.memory import Blocks, held_in
from rote.core.seeds import child_seed
from rote.data.dataset import Dataset
from rote.memorization.controls import degraded_copies
from rote.memorization.corruptions import default_copies, degradations

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 12, 10, 3), np.uint8)


@pytest.mark.parametrize("block", [1, 20_000, 10**9])
def test_copies_lie_by_kind_whatever_fits_into_a_block(block):
    with held_in(Blocks(block)):
        copies = degraded_copies(Dataset(IMAGES), positions=np.arange(6), copies=4, seed=3)
        assert copies is not None
        found = np.concatenate([part.copy() for part in copies.batches()])[copies.by_kind]
    ways = list(dict.fromkeys(kind.name for kind in degradations()))
    for number, kind in enumerate(copies.kinds):
        seed = child_seed(3, "degrade", 1 + ways.index(kind.name))
        expected = kind(IMAGES[copies.chosen], seed=seed)
        assert np.array_equal(found[4 * number : 4 * number + 4], expected), kind
        assert np.array_equal(copies.sources[4 * number : 4 * number + 4], copies.chosen)


def test_noise_of_several_strengths_is_the_same_noise_scaled():
    flat = Dataset(np.full((2, 40, 40, 1), 128, np.uint8))
    copies = degraded_copies(flat, positions=np.arange(2), copies=2, seed=0)
    assert copies is not None
    found = np.concatenate([*copies.batches()])[copies.by_kind].astype(float) - 128
    names = [(kind.name, kind.strength) for kind in copies.kinds]
    mild, strong = (found[2 * names.index(("noise", sigma))] for sigma in (4, 16))
    assert np.abs(strong - 4 * mild).max() <= 2.5  # each is rounded: 4 times a half, and a half
    assert mild.std() == pytest.approx(4, rel=0.1)  # 1,600 draws: a standard error of 2 %


def test_fewer_of_larger_images():
    found = [default_copies(side * side * 3) for side in (32, 256, 512, 768, 2048)]
    assert found == [100, 100, 42, 25, 25]
