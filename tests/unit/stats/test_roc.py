"""The ROC of a score: against scikit-learn, by hand, at its ends, and its intervals' coverage."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from sklearn.metrics import roc_auc_score

from rote.stats.roc import auc_interval, roc


def test_auc_is_scikit_learns():
    rng = np.random.default_rng(0)
    members, others = rng.integers(0, 9, 70), rng.integers(3, 12, 50)
    found = roc(members.astype(float), others.astype(float), fpr=0.1)
    truth, score = np.repeat([1, 0], (70, 50)), -np.concatenate([members, others])
    assert found.auc == pytest.approx(roc_auc_score(truth, score), abs=1e-12)
    swapped = roc(others.astype(float), members.astype(float), fpr=0.1)
    assert swapped.auc == pytest.approx(1 - found.auc, abs=1e-12)


def test_recall_at_few_errors_by_hand():
    others = np.arange(200.0)  # 1 % of 201: the second smallest, 1.0, is the threshold
    found = roc(np.array([0.0, 0.5, 1.0, 2.0]), others)
    assert (found.tpr, found.needed) == (0.5, 99)
    assert found.tpr_low == 0 and found.tpr_high > 0.9
    assert roc(np.zeros(4), others[:98]).tpr is None


def test_intervals_do_not_collapse_at_the_ends():
    found = roc(np.zeros(50), np.ones(600))
    assert found.auc == found.auc_high == 1 and 0.9 < found.auc_low < 1
    assert found.tpr == 1 and 0.8 < found.tpr_low < 1
    assert auc_interval(0.0, 50, 600) == (0, pytest.approx(1 - found.auc_low, abs=1e-9))
    low, high = auc_interval(0.7, 30, 40)
    assert (1 - high, 1 - low) == pytest.approx(auc_interval(0.3, 30, 40), abs=1e-9)


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
def test_intervals_hold(shift):
    # Normal scores with unit variance: AUC = Phi(shift / sqrt 2), recall = Phi(z_alpha + shift).
    rng, hits, runs = np.random.default_rng(1), np.zeros(2), 400
    auc, recall = ndtr(shift / 2**0.5), ndtr(ndtri(0.05) + shift)
    for _ in range(runs):
        found = roc(rng.normal(size=120) - shift, rng.normal(size=300), fpr=0.05)
        hits += [found.auc_low <= auc <= found.auc_high, found.tpr_low <= recall <= found.tpr_high]
    # four binomial errors below 0.95: 0.044; the second is conservative by construction
    assert (hits / runs > 0.95 - 4 * (0.95 * 0.05 / runs) ** 0.5).all()
