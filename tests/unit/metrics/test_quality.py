"""Quality statistics against closed forms, loops, and the swap of their sides."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

from rote.core.errors import DataError
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
    assert found.generated.manifold.precision.value > 0.5 > found.generated.manifold.recall.value
    assert found.control.manifold.recall.low > found.generated.manifold.recall.high
    assert found.control.frechet.high < found.generated.frechet.low
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
