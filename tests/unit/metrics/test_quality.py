"""Quality statistics against closed forms, loops, and the swap of their sides."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

from rote.core.errors import DataError
from rote.data.load import load_images
from rote.metrics.distances import all_sq_distances
from rote.metrics.frechet import frechet_distance
from rote.metrics.precision_recall import expected_coverage, manifold_statistics
from rote.metrics.quality import measure_quality
from rote.neighbors.search import nearest_neighbors


def test_frechet_of_gaussians_in_closed_form():
    # Diagonal covariances: sum of (mu difference)^2 + (deviation difference)^2.
    rng = np.random.default_rng(0)
    means, deviations = np.array([0.5, -1, 0]), np.array([1, 2, 0.5])
    a, b = rng.normal(size=(2, 40000, 3))
    found = frechet_distance(a, b * deviations + means)
    expected = np.square(means).sum() + np.square(deviations - 1).sum()
    # Four standard errors; its own interval says how large one is.
    assert abs(found.value - expected) < 2 * (found.high - found.low)
    assert found.high - found.low < 0.15


@pytest.mark.parametrize(("n", "m", "d"), [(60, 80, 5), (12, 80, 20), (15, 10, 20)])
def test_frechet_is_the_formula_also_of_singular_covariances(n, m, d):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(n, d)), rng.normal(size=(m, d)) + 0.3
    first, second = np.cov(a.T), np.cov(b.T)
    # The root through eigenvalues of a symmetric form, which scipy's sqrtm of a singular product is not.
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    shift = a.mean(0) - b.mean(0)
    expected = shift @ shift + np.trace(first) + np.trace(second) - 2 * cross
    assert frechet_distance(a, b).value == pytest.approx(expected, abs=1e-6)
    assert frechet_distance(b, a).value == pytest.approx(expected, abs=1e-6)
    if min(n, m) > d:
        peer = shift @ shift + np.trace(first + second - 2 * sqrtm(first @ second).real)
        assert frechet_distance(a, b).value == pytest.approx(peer, abs=1e-8)


def test_frechet_influence_is_the_derivative():
    # Doubling the weight of one item, numerically: the item once more among 10,000.
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(3000, 3)), rng.normal(size=(2000, 3)) * 1.5 + 1
    found = frechet_distance(a, b)
    shifts = []
    for item in range(200):
        less = np.delete(a, item, axis=0)
        shifts.append(frechet_distance(less, b).value - found.value)
    again = []
    for item in range(200):
        again.append(frechet_distance(a, np.delete(b, item, axis=0)).value - found.value)
    # The jackknife's variance from these; 200 terms tell it to sqrt(2 / 200) = 10 %, here 30 %.
    variance = np.var(shifts) * (3000 - 1) + np.var(again) * (2000 - 1)
    half = (found.high - found.low) / 2 / 1.959964
    assert half**2 == pytest.approx(variance, rel=0.3)


def test_all_distances():
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 256, (30, 3000), np.uint8), rng.integers(0, 256, (20, 3000), np.uint8)
    exact = np.square(a[:, None].astype(np.int64) - b).sum(2)
    assert (all_sq_distances(a, b) == exact).all()


def loops(generated, real, k_small=3, k_large=5):
    """Precision, recall, density, coverage in loops, from their papers."""

    def radius(items, k):
        return np.sort(cdist(items, items), axis=1)[:, k]

    across = cdist(generated, real)
    small, large, made = radius(real, k_small), radius(real, k_large), radius(generated, k_small)
    precision = np.mean([any(row[j] <= small[j] for j in range(len(real))) for row in across])
    recall = np.mean(
        [any(across[i, j] <= made[i] for i in range(len(generated))) for j in range(len(real))]
    )
    density = sum(across[i, j] <= large[j] for i in range(len(generated)) for j in range(len(real)))
    coverage = np.mean([across[:, j].min() <= large[j] for j in range(len(real))])
    return precision, recall, density / (k_large * len(generated)), coverage


def values(found):
    return [found.precision.value, found.recall.value, found.density.value, found.coverage.value]


def test_manifold_is_its_definition():
    rng = np.random.default_rng(4)
    generated, real = rng.normal(size=(70, 2)) * 1.3, rng.normal(size=(90, 2))
    found = manifold_statistics(generated, real)
    assert values(found) == pytest.approx(loops(generated, real), abs=1e-12)
    # coverage, by the exact search: the nearest generated item of each real one
    near = nearest_neighbors(real, generated, k=1).sq_distances[:, 0]
    own = nearest_neighbors(real, real, k=6).sq_distances[:, 5]
    assert found.coverage.value == (near <= own).mean()


def test_swapping_the_sets_swaps_precision_and_recall_alone():
    rng = np.random.default_rng(5)
    narrow, wide = rng.normal(size=(200, 3)) * 0.3, rng.normal(size=(200, 3))
    right, turned = manifold_statistics(narrow, wide), manifold_statistics(wide, narrow)
    assert right.precision.value == turned.recall.value > 0.9
    assert right.recall.value == turned.precision.value < 0.5
    assert right.coverage.value < 0.5 and right.density.value > 1
    assert turned.density.value < 0.5


def test_coverage_of_equal_distributions_has_its_mean():
    rng = np.random.default_rng(6)
    assert expected_coverage(60, 50) == pytest.approx(
        1 - np.prod([(50 - i) / (110 - i) for i in range(1, 6)]), abs=1e-15
    )
    drawn = []
    for _ in range(60):
        a, b = rng.normal(size=(2, 50, 3))
        found = manifold_statistics(a, b)
        drawn.append((found.coverage.value, found.density.value))
    mean, error = np.mean(drawn, 0), np.std(drawn, 0) / np.sqrt(60)
    assert abs(mean[0] - expected_coverage(50, 50)) < 4 * error[0]
    assert abs(mean[1] - 1) < 4 * error[1]  # density 1


def test_a_copier_is_good_against_its_training_set_only_and_broken_is_broken():
    rng = np.random.default_rng(7)
    training, holdout = rng.normal(size=(500, 4)), rng.normal(size=(400, 4))
    copier = training[rng.integers(20, size=300)]
    found = measure_quality(copier, training, holdout, space="columns")
    assert (found.against, found.count, found.available) == ("holdout", 300, (300, 400))
    assert found.generated.manifold.precision.value > 0.5 > found.generated.manifold.coverage.value
    assert found.control.manifold.coverage.low > found.generated.manifold.coverage.high
    assert found.distinct == (20, 300) and found.to_json()["distinct"]["generated"] == 20
    assert found.control.frechet.value < found.generated.frechet.value / 2
    noise = measure_quality(rng.normal(size=(300, 4)) + 20, training, holdout, space="columns")
    assert noise.generated.manifold.precision.value == 0 == noise.generated.manifold.coverage.value
    small = measure_quality(copier[:150], training[:30], holdout, space="columns")
    assert (found.control_of, small.control_of) == ("training", "holdout")
    assert small.control.manifold.coverage.low > small.generated.manifold.coverage.high
    alone = measure_quality(copier, training, None, space="columns")
    assert alone.against == "training" and alone.control is None
    assert measure_quality(copier[::-1], training, holdout, space="columns", most=100).to_json()[
        "generated"
    ]["frechet"] == pytest.approx(
        measure_quality(copier, training, holdout, space="columns", most=100).to_json()[
            "generated"
        ]["frechet"]
    )


def test_too_few_items_are_refused():
    few = np.zeros((39, 2))
    with pytest.raises(DataError, match=r"`quality` has 39 generated and 50 training items"):
        measure_quality(few, np.zeros((50, 2)), None, space="columns")


@pytest.mark.parametrize("side", ["real", "generated", "both"])
def test_repeating_every_item_changes_nothing(side):
    rng = np.random.default_rng(8)
    generated, real = rng.normal(size=(70, 3)), rng.normal(size=(60, 3))
    once = manifold_statistics(generated, real)
    repeats = [10 if side in (name, "both") else 1 for name in ("generated", "real")]
    often = [np.repeat(s, n, axis=0) for s, n in zip((generated, real), repeats, strict=True)]
    found = manifold_statistics(often[0], often[1])
    for name in ("precision", "recall", "density", "coverage"):
        a, b = getattr(once, name), getattr(found, name)
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))
    # Up to the divisor n - 1 of covariances; the spread is that of the distinct items.
    plain, repeated = frechet_distance(generated, real), frechet_distance(*often)
    assert repeated.high - repeated.low == pytest.approx(plain.high - plain.low, rel=0.1)


def test_a_repeated_item_counts_as_often_as_it_is_there():
    """Half of the generated items are one outlier: it is outside once, and weighs a half."""
    rng = np.random.default_rng(9)
    real = rng.normal(size=(60, 2))
    made = np.concatenate([real[:40] + 1e-6, np.full((40, 2), 50.0)])
    found = manifold_statistics(made, real)
    assert found.precision.value == 0.5
    # 40 items inside and one draw outside: hardly surer than that one draw.
    assert found.precision.high - found.precision.low > 0.3


def test_real_pictures_ten_times_over_keep_their_quality():
    images = load_images("digits").items
    training, generated, fresh = images[:600], images[1000:1200], images[1200:1260]
    once, often = (
        measure_quality(generated, training, np.repeat(fresh, n, axis=0), space="pixel")
        for n in (1, 10)
    )
    a, b = once.generated.manifold, often.generated.manifold
    assert abs(a.precision.value - b.precision.value) < 0.2
    assert b.density.value > 0.3 and b.coverage.value > 0.5


@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_no_share_is_certain_or_leaves_its_range(shift):
    rng = np.random.default_rng(10)
    found = manifold_statistics(rng.normal(size=(50, 1)) * 0.01 + shift, rng.normal(size=(50, 1)))
    for share in (found.precision, found.recall, found.coverage):
        assert 0 <= share.low <= share.value <= share.high <= 1
        assert share.high - share.low > 0.02


def test_too_few_distinct_items_are_refused():
    rng = np.random.default_rng(11)
    with pytest.raises(DataError, match="6 distinct generated and 50 distinct real items"):
        manifold_statistics(
            np.repeat(rng.normal(size=(6, 2)), 10, axis=0), rng.normal(size=(50, 2))
        )
