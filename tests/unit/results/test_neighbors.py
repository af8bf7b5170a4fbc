"""`neighbors.npz`: distances and verdicts as they are stored."""

import numpy as np
import pytest

from rote.core.errors import RunError
from rote.results.neighbors import read_neighbors
from rote.stats.rates import wilson

ARRAYS = {
    "nn1_sq": np.array([0, 1, 4]),
    "nn2_sq": np.array([0, 9, 4]),
    "memorized": np.array([True, False, False]),
}


def test_ratios_and_distances_are_those_of_the_squares_and_verdicts_are_kept(tmp_path):
    more = {"generated_group": np.array([0, 1, 1]), "holdout_nn1_sq": np.array([4])}
    np.savez(tmp_path / "n.npz", **ARRAYS, **more, holdout_nn2_sq=np.array([16]))
    found = read_neighbors(tmp_path / "n.npz", wilson(1, 3))
    assert found.ratios.tolist() == [0, np.sqrt(1 / 9), 1]  # 0 / 0 is a copy
    assert found.nearest.tolist() == [0, 1, 2]
    assert found.memorized.tolist() == [True, False, False]
    assert found.repeated.tolist() == [False, True, True]
    assert found.label.tolist() == [-1, -1, -1]
    assert found.held_out is not None and found.held_out.ratios.tolist() == [0.5]
    assert found.within is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nn1_sq": np.array([0, 1])}, "does not have 3 rows"),
        ({"nn1_sq": np.array([0, -1, 4])}, "negative or not finite"),
        ({"memorized": np.array([True, True, False])}, "does not belong"),
        ({"label": np.array([0.5, 1, 2])}, "label does not have 3 rows"),
        ({"training_group": np.array([0, 1, -2])}, "training_group does not have 3 rows"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, change, message):
    np.savez(tmp_path / "n.npz", **(ARRAYS | change))
    with pytest.raises(RunError, match=message):
        read_neighbors(tmp_path / "n.npz", wilson(1, 3))


def test_a_missing_array_is_refused(tmp_path):
    np.savez(tmp_path / "n.npz", nn1_sq=np.array([1]))
    with pytest.raises(RunError, match="an array is missing"):
        read_neighbors(tmp_path / "n.npz", wilson(0, 1))
