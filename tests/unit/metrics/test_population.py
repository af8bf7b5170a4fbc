"""Definitions over whole sets, against independent implementations and by their known defects."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.special import ndtr, ndtri
from scipy.stats import mannwhitneyu, multivariate_normal
from sklearn.cluster import KMeans
from sklearn.neighbors import KNeighborsClassifier

from rote.core.errors import ConfigError, DataError
from rote.metrics import data_copying, feature_likelihood
from rote.metrics.data_copying import three_sample_test
from rote.metrics.feature_likelihood import (
    FLOOR,
    fit_variances,
    likelihood_gap,
    log_likelihood,
    sq_distances,
)
from rote.metrics.nn_accuracy import nearest_accuracy
from rote.metrics.population import measure_population
from rote.stats.mann_whitney import mann_whitney


def sets(seed, copies, *, counts=(300, 400, 300), dimension=4):
    """Generated, training and held-out items of one distribution; some of the first are copies."""
    rng = np.random.default_rng(seed)
    generated, training, holdout = (rng.normal(size=(n, dimension)) for n in counts)
    generated[:copies] = training[:copies] + 0.01 * rng.normal(size=(copies, dimension))
    return generated, training, holdout


def test_three_sample_by_its_definition():
    generated, training, holdout = sets(1, 100)
    found = three_sample_test(generated, training, holdout, cells=3, seed=7)
    from rote.core.seeds import child_seed

    means = KMeans(3, n_init=2, max_iter=50, random_state=child_seed(7, "bootstrap", 1) % 2**32)
    place = means.fit_predict(training)
    mine, theirs = means.predict(generated), means.predict(holdout)
    zs, weights = [], []
    for cell in range(3):
        near = [
            cdist(s[p == cell], training[place == cell]).min(1)
            for s, p in ((generated, mine), (holdout, theirs))
        ]
        m, n = map(len, near)
        u = mannwhitneyu(near[0], near[1]).statistic
        zs.append((u - m * n / 2) / np.sqrt(m * n * (m + n + 1) / 12))
        weights.append(n)
    expected = np.average(zs, weights=weights)
    assert found.statistic.value == pytest.approx(expected, rel=1e-9)
    assert [cell.z for cell in found.cells] == pytest.approx(zs, rel=1e-9)
    assert found.statistic.value < -3 and found.p_value < 0.001
    assert found.statistic.low < found.statistic.value < found.statistic.high


def test_three_sample_knows_its_direction():
    generated, training, holdout = sets(2, 150)
    right = three_sample_test(generated, training, holdout)
    turned = three_sample_test(holdout, training, generated)
    assert right.nearer.value == pytest.approx(1 - turned.nearer.value, abs=1e-12)
    assert right.z == pytest.approx(-turned.z, abs=1e-9)
    other = three_sample_test(generated, holdout, training)  # asks another question
    assert other.nearer.value < 0.5 < right.nearer.low
    blurred = three_sample_test(3 * generated[150:], training, holdout)
    assert blurred.statistic.value > 3 and blurred.p_value > 0.99  # underfitting


def test_three_sample_of_fresh_items_is_silent_and_so_is_its_control():
    generated, training, holdout = sets(3, 0)
    found = three_sample_test(generated, training, holdout)
    assert abs(found.statistic.value) < 2 and abs(found.control) < 2
    assert found.nearer.low < 0.5 < found.nearer.high


def test_a_sample_of_the_training_side_hides_copies_from_the_three_sample_test():
    rng = np.random.default_rng(4)
    training, holdout = rng.normal(size=(2000, 8)), rng.normal(size=(500, 8))
    generated = training[rng.choice(2000, 500, replace=False)] + 0.01 * rng.normal(size=(500, 8))
    whole = three_sample_test(generated, training, holdout, cells=1)
    part = three_sample_test(generated, training[:100], holdout, cells=1)
    assert whole.nearer.value > 0.99 and part.nearer.value < 0.6


def test_three_sample_leaves_out_cells_and_says_so():
    rng = np.random.default_rng(5)
    ends = rng.normal(size=(200, 2)) * 0.1
    training = np.concatenate([ends, ends + 10])
    found = three_sample_test(ends + 0.001, training, training + 0.05, cells=2)
    assert sorted((cell.z is None, cell.generated) for cell in found.cells) == [
        (False, 200), (True, 0)
    ]  # fmt: skip
    with pytest.raises(DataError, match="2 held-out items"):
        three_sample_test(ends, training, training[:2])


def test_repeats_leave_what_is_seen_and_give_no_certainty():
    generated, training, holdout = sets(20, 40)
    once = three_sample_test(generated, training, holdout, cells=1)
    often = three_sample_test(
        np.repeat(generated, 4, axis=0), training, np.repeat(holdout, 10, axis=0), cells=1
    )
    assert often.nearer.value == pytest.approx(once.nearer.value, abs=1e-12)
    assert often.statistic.value == pytest.approx(once.statistic.value, rel=1e-9)
    assert often.p_value == pytest.approx(once.p_value, rel=1e-6)
    assert often.nearer.low == pytest.approx(once.nearer.low, rel=1e-9)
    assert [cell.holdout for cell in often.cells] == [3000]
    # a model that makes three pictures again and again, all copies: three draws, and no more
    three = three_sample_test(np.repeat(training[:3], 100, axis=0), training, holdout, cells=1)
    assert three.nearer.value == 1 and 0.0005 < three.p_value < 0.02


@pytest.mark.parametrize(("of_generated", "of_holdout"), [(1, 5), (8, 1), (4, 4)])
def test_the_p_value_keeps_its_word_with_repeats(of_generated, of_holdout):
    rng = np.random.default_rng(21)
    values = []
    for _ in range(400):
        training = rng.normal(size=(60, 3))
        # unequal numbers of repeats, of 80 different items on each side
        sides = [
            np.repeat(rng.normal(size=(80, 3)), rng.integers(1, 2 * most, 80), axis=0)
            for most in (of_generated, of_holdout)
        ]
        near = [cdist(side, training).min(1) for side in sides]
        once = [np.unique(side, return_index=True, return_counts=True)[1:] for side in near]
        weights = tuple(count.astype(float) for _, count in once)
        firsts = [side[index] for side, (index, _) in zip(near, once, strict=True)]
        values.append(ndtr(mann_whitney(*firsts, weights=weights)[1]))
    # 400 draws: 5 % +- 3.3 points at three standard errors, 10 % +- 4.5
    assert 0.017 < np.mean(np.array(values) < 0.05) < 0.083
    assert 0.055 < np.mean(np.array(values) > 0.90) < 0.145


def test_near_repeats_and_captions_are_one_draw_too():
    generated, training, holdout = sets(22, 0, counts=(40, 300, 200))
    group = np.repeat(np.arange(40), 8)
    rng = np.random.default_rng(23)
    near = generated[group] + 1e-6 * rng.normal(size=(320, 4))
    # repeats that differ in the last digit are repeats, where that is known
    equal = three_sample_test(generated[group], training, holdout)
    known = three_sample_test(near, training, holdout, groups=(group, None))
    assert known.p_value == pytest.approx(equal.p_value, rel=0.02)
    assert known.draws == equal.draws == pytest.approx((40, 200))
    assert three_sample_test(near, training, holdout).draws == pytest.approx((320, 200))
    assert known.statistic.high - known.statistic.low == pytest.approx(
        equal.statistic.high - equal.statistic.low, rel=0.05
    )
    # cells that share no group are independent; groups that are spread over all cells make them one
    share = np.array([cell.holdout for cell in known.cells]) / 200
    deviation = known.statistic.value / float(ndtri(known.p_value))
    assert deviation == pytest.approx(np.sqrt(np.square(share).sum()), rel=1e-6)
    mixed = rng.permutation(320) % 4
    spread = three_sample_test(near, training, holdout, groups=(mixed, None))
    assert spread.draws[0] == pytest.approx(4)
    assert 0.9 < spread.statistic.value / float(ndtri(spread.p_value)) < 1


def test_the_p_value_keeps_its_word_with_near_repeats(monkeypatch):
    monkeypatch.setattr(data_copying, "REPLICATES", 2)  # of the interval, which is not looked at
    rng = np.random.default_rng(24)
    values = []
    for number in range(150):
        training, holdout = rng.normal(size=(100, 3)), rng.normal(size=(80, 3))
        group = np.repeat(np.arange(25), 6)
        made = rng.normal(size=(25, 3))[group] + 1e-6 * rng.normal(size=(150, 3))
        found = three_sample_test(
            made, training, holdout, cells=1, groups=(group, None), seed=number
        )
        values.append(found.p_value)
    # 150 draws: 5 % and three standard errors; where the groups are not known it is 0.3
    assert np.mean(np.array(values) < 0.05) < 0.104


def test_likelihood_is_that_of_the_mixture():
    rng = np.random.default_rng(6)
    centers, items = rng.normal(size=(5, 3)), rng.normal(size=(7, 3))
    variances = np.array([0.3, 1.0, 2.0, 0.5, 0.1])
    found = log_likelihood(sq_distances(items, centers), variances, 3)
    parts = zip(centers, variances, strict=True)
    expected = np.log(np.mean([multivariate_normal(c, v).pdf(items) for c, v in parts], axis=0))
    assert found == pytest.approx(expected, rel=1e-5)  # distances are float32


def test_fitted_variances_are_a_maximum():
    rng = np.random.default_rng(7)
    centers, items = rng.normal(size=(4, 2)), rng.normal(size=(300, 2))
    sq = sq_distances(items, centers)
    best = fit_variances(sq, 2, rounds=2000)
    top = log_likelihood(sq, best, 2).mean()
    for change in np.log(best) + rng.normal(size=(200, 4)) * 0.2:
        assert log_likelihood(sq, np.exp(change), 2).mean() <= top + 1e-6
    # one center alone: its variance is the mean square per dimension
    alone = fit_variances(sq[:, :1], 2)
    assert alone[0] == pytest.approx(sq[:, 0].mean(dtype=np.float64) / 2, rel=1e-6)


def test_likelihood_gap_of_copies_and_its_direction():
    generated, training, holdout = sets(8, 300)
    copies = likelihood_gap(generated, training, holdout)
    assert copies.excess.high < -20 and copies.gap.value < copies.control.value
    fresh = likelihood_gap(*sets(8, 0))
    assert fresh.excess.low < 0 < fresh.excess.high
    swapped = likelihood_gap(generated, holdout, training)  # copies of what it calls held out
    assert swapped.excess.value > copies.excess.value + 20


@pytest.mark.parametrize("made", [20, 250])
def test_likelihood_excess_is_0_without_copies_however_many_items(made):
    found = [likelihood_gap(*sets(seed, 0, counts=(made, 120, 80))) for seed in range(100, 112)]
    excess = np.array([one.excess.value for one in found])
    # three standard errors of 12 draws
    assert abs(excess.mean()) < 3 * excess.std(ddof=1) / np.sqrt(12)
    assert np.mean([one.excess.low < 0 < one.excess.high for one in found]) > 0.8


def test_exact_copies_end_at_the_floor_and_constant_features_are_dropped():
    _, training, holdout = sets(9, 0)
    flat = [np.concatenate([s, np.ones((len(s), 1))], axis=1) for s in (training, holdout)]
    found = likelihood_gap(flat[0], *flat)
    assert (found.dimensions, found.dropped, found.at_floor) == (4, 1, len(training))
    assert FLOOR == 1e-4
    with pytest.raises(DataError, match="no feature varies"):
        likelihood_gap(training, training, np.ones_like(holdout))


def test_likelihood_refuses_what_does_not_fit(monkeypatch):
    monkeypatch.setattr(feature_likelihood, "MOST_CELLS", 4000)
    with pytest.raises(ConfigError, match="give at most 10 generated ones"):
        likelihood_gap(*sets(10, 0))


def test_nearest_accuracy_is_scikit_learns():
    rng = np.random.default_rng(11)
    a, b = rng.normal(size=(60, 3)), rng.normal(size=(60, 3)) + 0.5
    pooled, kind = np.concatenate([a, b]), np.repeat([0, 1], 60)
    hits = []
    for i in range(120):
        rest = np.arange(120) != i
        peer = KNeighborsClassifier(1).fit(pooled[rest], kind[rest])
        hits.append(peer.predict(pooled[[i]])[0] == kind[i])
    found = nearest_accuracy(a, b)
    assert found.accuracy.value == pytest.approx(np.mean(hits), abs=1e-12)
    assert found.on_generated.value == pytest.approx(np.mean(hits[:60]), abs=1e-12)
    swapped = nearest_accuracy(b, a)
    assert swapped.accuracy.value == pytest.approx(found.accuracy.value, abs=1e-12)
    assert swapped.on_real.value == pytest.approx(found.on_generated.value, abs=1e-12)


def test_nearest_accuracy_of_copies_apart_and_alike():
    generated, training, holdout = sets(12, 300, counts=(300, 300, 300))
    assert nearest_accuracy(generated, training).accuracy.high < 0.1
    assert nearest_accuracy(generated + 50, training).accuracy.value == 1
    fresh = nearest_accuracy(holdout, training).accuracy
    assert fresh.low < 0.5 < fresh.high
    # exact copies, every item twice at distance 0: never of its own kind
    assert nearest_accuracy(training, training).accuracy.value == 0


def test_nearest_accuracy_shares_ties():
    # four equal items, two of each kind: of three equally near ones, one is of the own kind
    items = np.repeat(np.arange(10, dtype=np.uint8) * 20, 2)[:, None] * np.ones((1, 3), np.uint8)
    found = nearest_accuracy(items, items)
    assert found.accuracy.value == pytest.approx(1 / 3, abs=1e-12)


def test_nearest_accuracy_looks_beyond_its_list():
    # 40 equal generated items: leaving out a tenth leaves neighbors, but lists of 24 can run dry
    rng = np.random.default_rng(13)
    generated = np.zeros((40, 2))
    found = nearest_accuracy(generated, rng.normal(size=(40, 2)) + 100)
    assert found.accuracy.value == 1


def by_brute_force(generated, real):
    """The share of an item's own kind among all its nearest others, averaged by kind."""
    pooled = np.concatenate([generated, real]).astype(np.float64)
    kind = np.repeat([0, 1], len(generated))
    sq = np.square(pooled[:, None] - pooled).sum(axis=2)
    np.fill_diagonal(sq, np.inf)
    tied = sq == sq.min(axis=1, keepdims=True)
    own = (tied & (kind[:, None] == kind)).sum(axis=1) / tied.sum(axis=1)
    return own[kind == 0].mean(), own[kind == 1].mean()


@pytest.mark.parametrize(
    "case",
    ["two binary columns", "a blank kind", "ten binary columns", "a point amid 60 others"],
)
def test_nearest_accuracy_counts_every_tie(case):
    rng = np.random.default_rng(15)
    if case == "two binary columns":
        a, b = rng.integers(0, 2, size=(2, 200, 2))
    elif case == "a blank kind":
        a = np.r_[np.zeros((60, 2)), rng.normal(size=(140, 2)) + 5]
        b = np.r_[np.zeros((140, 2)), rng.normal(size=(60, 2)) + 5]
    elif case == "ten binary columns":  # more distinct rows at one distance than a list holds
        a, b = rng.integers(0, 2, size=(2, 150, 10))
    else:  # 60 distinct rows on a sphere of integers: as near as each other, beyond any list
        ring = 50 * np.concatenate([np.eye(30), -np.eye(30)])
        a = np.concatenate([np.zeros((1, 30)), ring[:31]])
        b = np.concatenate([ring[31:], 1000 + 100 * np.eye(30)[:3]])
    a, b = a.astype(np.float64), b.astype(np.float64)
    found, swapped = nearest_accuracy(a, b), nearest_accuracy(b, a)
    on_generated, on_real = by_brute_force(a, b)
    assert found.on_generated.value == pytest.approx(on_generated, abs=1e-12)
    assert found.on_real.value == pytest.approx(on_real, abs=1e-12)
    assert swapped.on_generated.value == pytest.approx(found.on_real.value, abs=1e-12)


def test_nearest_accuracy_refuses_unequal_sets():
    generated, training, _ = sets(14, 0)
    with pytest.raises(DataError, match="300 generated and 400 real items; give equally"):
        nearest_accuracy(generated, training)


@pytest.mark.parametrize(("copies", "held"), [(10, 200), (10, 60), (5, 100)])
def test_intervals_of_shares_stay_within_their_range(copies, held):
    rng = np.random.default_rng(12)
    generated = np.repeat(rng.normal(size=(20, 4)), copies, axis=0)
    training, holdout = rng.normal(size=(600, 4)), rng.normal(size=(held, 4))
    found = measure_population(generated, training, holdout, space="columns")
    for part in (found.accuracy, found.accuracy_fresh, found.accuracy_control):
        for share in (part.accuracy, part.on_generated, part.on_real):
            assert 0 <= share.low <= share.value <= share.high <= 1
            assert share.high > share.low


def test_repeats_are_no_further_evidence():
    rng = np.random.default_rng(13)
    generated, real = rng.normal(size=(2, 100, 2))
    once = nearest_accuracy(generated, real)
    often = nearest_accuracy(np.repeat(generated, 5, axis=0), np.repeat(real, 5, axis=0))
    assert (often.count, often.distinct) == (500, (100, 100))
    widths = [f.on_real.high - f.on_real.low for f in (once, often)]
    assert widths[1] > 0.03  # a share of 1 among 100 items, not 500
    gap = likelihood_gap(generated, real, real[::-1] + 0.1)
    repeated = likelihood_gap(
        generated, np.repeat(real, 5, axis=0), np.repeat(real[::-1] + 0.1, 5, axis=0)
    )
    assert repeated.gap.high - repeated.gap.low == pytest.approx(
        gap.gap.high - gap.gap.low, rel=0.05
    )
    alone = nearest_accuracy(np.zeros((40, 2)), real[:40] + 100)
    assert alone.on_generated.value == 1
    assert alone.on_generated.low < 0.5  # one draw
