"""An absolute threshold and authenticity: by hand, against scipy's distances, and their known defects."""

import numpy as np
import pytest
from picture_kinds import faint_objects
from scipy.spatial.distance import cdist

import rote
from rote.core.errors import ConfigError
from rote.data.dataset import Dataset
from rote.memorization.criteria import AbsoluteCriterion, AuthenticityCriterion
from rote.memorization.criteria.absolute import PUBLISHED, published
from rote.neighbors.search import nearest_neighbors

MATCHES = None  # these rules need none beside the score


def test_absolute_pixels_by_hand():
    rule = AbsoluteCriterion()
    score = rule.of_distances(np.array([0, 400, 399, 10**6]), 4)
    assert score.tolist() == [0, 10, pytest.approx(9.98749), 500]
    assert rule.verdict(score, MATCHES).tolist() == [True, False, True, False]


def test_absolute_confuses_flat_pictures_with_copies_where_the_ratio_does_not():
    flat = np.arange(0, 250, 5, dtype=np.uint8)[:, None] * np.ones((1, 16), np.uint8)
    found = nearest_neighbors(flat + np.uint8(2), flat, k=2)  # between two training images
    assert (
        AbsoluteCriterion()
        .verdict(AbsoluteCriterion().of_distances(found.sq_distances[:, 0], 16), MATCHES)
        .all()
    )
    assert (9 * found.sq_distances[1:-1, 0] >= found.sq_distances[1:-1, 1]).all()


def test_cosine_thresholds_are_those_of_the_source():
    rng = np.random.default_rng(0)
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in rng.normal(size=(2, 50, 8)))
    cosine = (a * b).sum(1)
    for entry in PUBLISHED:
        rule = AbsoluteCriterion.of(entry)
        score = rule.of_distances(np.square(a - b).sum(1), 8)
        assert score == pytest.approx(1 - cosine, abs=1e-12)
        assert rule.verdict(score, MATCHES).tolist() == (cosine > entry.similarity).tolist()


def test_published_thresholds_differ_in_preprocessing():
    assert len({entry.preprocessing for entry in PUBLISHED}) == len(PUBLISHED)
    assert published("sscd_disc_mixup", 0.5).source.startswith("Somepalli")
    with pytest.raises(ConfigError, match=r"no threshold of 0.6 is published for sscd_disc_mixup"):
        published("sscd_disc_mixup", 0.6)
    with pytest.raises(ConfigError, match="threshold is 0"):
        AbsoluteCriterion(threshold=0)


def authentic(generated, training):
    """Alaa et al., written out over all distances: shares of unauthentic items."""
    across, within = cdist(generated, training), cdist(training, training)
    np.fill_diagonal(within, np.inf)
    nearest = across.argmin(1)
    return across.min(1) < within.min(1)[nearest]


def score(generated, training):
    found = nearest_neighbors(generated, training, k=1)
    own = nearest_neighbors(training, training, k=2).sq_distances[:, 1]
    return AuthenticityCriterion().of_distances(found.sq_distances[:, 0], own[found.indices[:, 0]])


def test_authenticity_equals_its_definition():
    rng = np.random.default_rng(1)
    training = rng.integers(0, 256, (200, 12), np.uint8)
    generated = np.concatenate([training[:40] ^ 3, rng.integers(0, 256, (100, 12), np.uint8)])
    verdict = AuthenticityCriterion().verdict(score(generated, training), MATCHES)
    assert verdict.tolist() == authentic(generated, training).tolist()
    assert verdict[:40].all()


def test_swapping_the_sides_of_authenticity_changes_the_answer():
    rng = np.random.default_rng(2)
    training, generated = rng.normal(size=(300, 2)), rng.normal(size=(300, 2)) * 0.1
    right, wrong = authentic(generated, training).mean(), authentic(training, generated).mean()
    assert score(generated, training).shape == (300,)
    ours = AuthenticityCriterion().verdict(score(generated, training), MATCHES).mean()
    assert ours == right
    assert abs(right - wrong) > 0.2


def test_held_out_items_are_no_fifty_percent():
    # The mean AuthPct of fresh items is far from 50 % even in one dimension: 2/3 there.
    rng = np.random.default_rng(3)
    training, fresh = rng.uniform(size=(1000, 1)), rng.uniform(size=(3000, 1))
    share = 1 - AuthenticityCriterion().verdict(score(fresh, training), MATCHES).mean()
    # four standard errors of 3,000 shares (0.034) and the draw of 1,000 spacings
    assert share == pytest.approx(authentic_share_of_a_line(), abs=0.045)
    assert abs(share - 0.5) > 0.05


def authentic_share_of_a_line():
    """Simulate exponential spacings: x falls into a gap by its length; its nearer end's other gap."""
    rng = np.random.default_rng(4)
    gap, other = rng.gamma(2.0, size=10**6), rng.exponential(size=10**6)
    near = gap * rng.uniform(0, 0.5, 10**6)
    return 1 - (near < np.minimum(gap, other)).mean()


def test_a_sample_of_the_training_side_changes_authenticity():
    rng = np.random.default_rng(5)
    training = rng.normal(size=(2000, 6))
    copies = training + 0.02 * rng.normal(size=training.shape)
    assert authentic(copies, training).mean() > 0.99
    assert authentic(copies, training[:400]).mean() < 0.6


def test_the_default_of_pixels_follows_from_the_spacing_of_the_data():
    training, fresh = faint_objects(300, 100)
    alone = {"positive_control": 0, "training_sample": 0, "device": "cpu"}
    for options in ({}, {"duplicate_rms": 0.0}):
        found = rote.audit(
            Dataset(fresh),
            Dataset(training),
            criterion=["ratio", "absolute"],
            **alone,
            **options,
        )
        rule, rate = found.criteria[1].description, found.criteria[1].rate
        assert rule["threshold"] == pytest.approx(0.23 * found.settings.spacing, rel=0.05)
        assert rule["threshold"] < 1  # 10 levels would call every faint object a copy
        assert f"of the {found.settings.spacing:.3g} levels" in rule["source"]
        assert rate.count == 0
    own = rote.audit(Dataset(fresh), Dataset(training), criterion="absolute=10", **alone)
    assert own.criteria[1].rate.count > 90
