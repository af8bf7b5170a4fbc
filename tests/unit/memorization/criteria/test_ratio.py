"""The ratio criterion: strict in exact integers, 0/0, thresholds, no overflow."""

import math

import numpy as np
import pytest

from rote.core.errors import ConfigError
from rote.memorization.criteria import RatioCriterion, distance_ratio


def verdicts(near, far, threshold=1 / 3):
    criterion = RatioCriterion(threshold)
    return criterion.memorized(np.array(near, np.int64), np.array(far, np.int64)).tolist()


def test_strict_at_equality():
    assert verdicts([1, 1, 1], [8, 9, 10]) == [False, False, True]
    assert verdicts([1, 1, 1], [3, 4, 5], 0.5) == [False, False, True]
    assert verdicts([4, 4], [4, 5], 1.0) == [False, True]


def test_nothing_over_nothing_is_memorized():
    assert verdicts([0, 0, 5], [0, 3, 5]) == [True, True, False]


def test_written_out_thirds_are_thirds():
    # 0.3333 means 1/3: at 9 * 111 = 999 the exact test is an equality
    for written in (1 / 3, 0.3333, 0.333333):
        assert verdicts([111, 111], [999, 1000], written) == [False, True]


def test_distances_of_large_images_do_not_overflow():
    # Images of 512x512 in color, as far apart as they can be: 5.1e10, where 9 d is 4.6e11; with a
    # threshold of 999/1000 the products reach 5.1e16, below 9.2e18.
    far = 512 * 512 * 3 * 255**2
    for threshold, (p, q) in [(1 / 3, (1, 3)), (0.999, (999, 1000)), (0.001, (1, 1000))]:
        near = far * p * p // (q * q)
        expected = [q * q * d < p * p * far for d in (near, near + 1)]  # Python's integers
        assert verdicts([near, near + 1], [far, far], threshold) == expected
        assert expected[1] is False


def test_float_distances_follow_the_same_rule():
    criterion = RatioCriterion()
    near, far = np.array([1.0, 0.99, 0.0]), np.array([9.0, 9.0, 0.0])
    assert criterion.memorized(near, far).tolist() == [False, True, True]


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.01, 0.0009, math.nan])
def test_thresholds_out_of_range_are_one_line(threshold):
    with pytest.raises(ConfigError, match=r"`ratio_threshold` is .* it must lie in"):
        RatioCriterion(threshold)


def test_the_least_threshold_still_flags_exact_copies():
    assert verdicts([0, 1], [1, 10**7], 0.001) == [True, True]
    assert verdicts([1], [10**6], 0.001) == [False]


def test_json():
    expected = {"name": "ratio", "ratio_threshold": 1 / 3, "space": "pixel"}
    assert RatioCriterion().to_json() == expected


def test_ratio_of_distances():
    near, far = np.array([0, 1, 4, 0]), np.array([9, 9, 4, 0])
    assert distance_ratio(near, far).tolist() == [0.0, pytest.approx(1 / 3), 1.0, 0.0]
