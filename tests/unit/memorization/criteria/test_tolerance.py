"""The tolerance of the ratio: the closed form against copies that are made and measured."""

import math

import numpy as np
import pytest
from audits import ratio_audit

from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.memorization.criteria.tolerance import reach_of, within_tolerance


def test_a_copy_at_right_angles_is_flagged_up_to_the_tolerance_and_not_beyond():
    # Two training points 8 apart, and copies of the first that leave in the third dimension: the ratio
    # flags those nearer than 8 / sqrt(8) = 2.83.
    training = np.zeros((3, 3), np.float32)
    training[1, 0], training[2, 1] = 8, 100
    errors = np.array([2.8, 2.82, 2.84, 2.9], np.float32)
    copies = np.zeros((4, 3), np.float32)
    copies[:, 2] = errors
    near, far = np.square(errors), 64 + np.square(errors)
    assert reach_of(1 / 3) * 8 == pytest.approx(math.sqrt(8))
    said = within_tolerance(np.square(errors), np.full(4, 64.0), ratio_threshold=1 / 3)
    assert said.tolist() == (9 * near < far).tolist() == [True, True, False, False]


def test_a_rule_that_flags_everything_has_no_tolerance():
    digits = load_images("digits").take(range(40))
    assert ratio_audit(digits, digits, ratio_threshold=1.0).tolerance is None


def test_the_tolerance_is_the_share_of_each_images_own_distance_to_another():
    digits = load_images("digits").take(range(60))
    found = ratio_audit(digits, digits).tolerance
    flat = digits.items.reshape(60, -1).astype(float)
    sq = np.square(flat[:, None] - flat).sum(axis=2) + np.diag(np.full(60, np.inf))
    own = 0.353553 * np.sqrt(sq.min(axis=1) / 64)
    assert found is not None and (found.sources, found.unit) == (60, "levels")
    assert found.quantiles == pytest.approx(
        np.quantile(own, [0.05, 0.25, 0.5, 0.75, 0.95]), rel=1e-5
    )


def test_a_twin_in_training_is_no_other_item():
    digits = load_images("digits").take(range(40))
    twice = Dataset(np.concatenate([digits.items, digits.items]))
    assert ratio_audit(digits, twice).tolerance == ratio_audit(digits, digits).tolerance


@pytest.mark.parametrize("names", ["tone", "flip"])
def test_matched_tones_have_no_levels(names):
    digits = load_images("digits").take(range(40))
    found = ratio_audit(digits, digits, invariances=names).tolerance
    assert (found is None) == (names == "tone")


def test_it_predicts_the_recall_of_noise_and_bounds_that_of_blur():
    # 100 copies: within four standard errors where the geometry holds; blur moves towards other images.
    digits = load_images("digits")
    found = ratio_audit(digits.take(range(20)), digits.take(range(1000)), positive_control=100)
    for cell in found.positive:
        assert cell.predicted is not None
        predicted, recall = cell.predicted.value, cell.recall["ratio"].value
        if cell.kind.name == "noise":
            assert predicted == pytest.approx(recall, abs=0.2)
        assert recall <= predicted + 0.05
