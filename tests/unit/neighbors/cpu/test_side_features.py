"""Arrays that cannot change: searched as those that can, with directions that are fitted once."""

import numpy as np
import pytest

from rote.data.known import keep_beside
from rote.neighbors.brute_force import brute_force_nearest
from rote.neighbors.cpu import index, side_features
from rote.neighbors.search import components_within, nearest_among, open_index


def photographs(count: int, *, size: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 230, (count, 4, 4, 3))
    large = coarse.repeat(size // 4, axis=1).repeat(size // 4, axis=2)
    return (large + generator.integers(0, 26, large.shape)).astype(np.uint8)


def still(items: np.ndarray) -> np.ndarray:
    items = items.copy()
    items.flags.writeable = False
    return items


def test_a_long_array_that_cannot_change_is_fitted_once(monkeypatch) -> None:
    items = photographs(80, size=76, seed=0)
    items[40:44] = items[:4] ^ 1
    fixed, rows = still(items), np.arange(0, 80, 2)
    expected = nearest_among(items[:20], items, rows, k=3)
    radius = 4.0 * items[0].size
    groups = components_within(items, np.arange(80), radius)
    found = nearest_among(items[:20], fixed, rows, k=3)
    with monkeypatch.context() as patch:
        patch.setattr(side_features, "fit_sketch_projection", None)
        other = still(photographs(40, size=76, seed=1))
        assert len(np.unique(components_within(other, np.arange(40), radius))) == 40
        assert np.array_equal(components_within(fixed, np.arange(80), radius), groups)
    assert np.array_equal(found.indices, expected.indices)
    assert np.array_equal(found.sq_distances, expected.sq_distances)
    assert len(np.unique(groups)) == 76


@pytest.mark.parametrize("size", [16, 76])
def test_directions_are_kept_beside_an_entry_of_the_cache(tmp_path, monkeypatch, size) -> None:
    items = photographs(300 if size < 76 else 60, size=size, seed=2)
    flat = items.reshape(len(items), -1)
    expected = brute_force_nearest(flat[:9], flat, 2)
    for turn in range(2):
        fixed = still(items)
        keep_beside(fixed, tmp_path / "entry.npy")
        # As what was kept for one that is not there any more.
        monkeypatch.setattr(side_features, "_fitted", {})
        if turn:
            monkeypatch.setattr(side_features, "fit_sketch_projection", None)
            monkeypatch.setattr(index, "fit_projection", None)
        references = fixed if size == 76 else items
        found = open_index(references, kept=(fixed, "all")).nearest(flat[:9], 2)
        assert np.array_equal(found[0], expected[0])
        assert np.array_equal(found[1], expected[1])
    assert len(list(tmp_path.iterdir())) == 1
