"""The screening bound holds for every pair, also where rounding pushes screening values upwards.

A bound without its margins would fail these cases: each one first shows that screening values do exceed
the true distance, from the source of rounding it is named after.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from rote.data.sources import load_images
from rote.memorization import bounds, kernels
from rote.memorization.bounds import UNIT32, fit_projection
from rote.memorization.pooling import image_shape, pooled


def screening_values(items, directions, coarse, scale, *, fine, image=None):
    """Return screening values of all pairs as the engine computes them, and their limits."""
    projection = fit_projection(items, directions=directions, coarse=coarse, image=image)
    with ThreadPoolExecutor(1) as pool:
        features = projection.features(items, pool, scale=scale)
    if fine:
        a = features.values
    else:
        a = np.concatenate([features.values[:, :coarse], features.coarse_residual[:, None]], axis=1)
    sq_norms = np.einsum("ij,ij->i", a, a, dtype=np.float64).astype(np.float32)
    products = (torch.from_numpy(a) @ torch.from_numpy(a).T).numpy()
    values = sq_norms[None] - np.float32(2) * products  # compared with limit - own norm
    wide = items.astype(np.int64 if items.dtype == np.uint8 else np.longdouble)
    sq = np.stack([((wide - row) ** 2).sum(axis=1) for row in wide]).astype(np.float64)
    error = (a.shape[1] + 8) * UNIT32 * (2 * features.length) ** 2
    limits = np.empty_like(sq)
    for i in range(len(sq)):
        for j in range(len(sq)):
            limits[i, j] = kernels.limit_of(sq[i, j], scale, 2 * features.slip, error)
    return values, (limits - sq_norms[:, None]).astype(np.float32), sq * scale**2, sq_norms


def cases():
    rng = np.random.default_rng(0)
    digits = load_images("digits").images.reshape(1797, -1)[:120]
    flat = rng.integers(0, 256, (100, 1)).repeat(700, axis=1).astype(np.uint8)
    near = np.full((100, 300), 250, np.uint8)  # far from any center after the outlier below
    near[np.arange(100), rng.integers(0, 300, 100)] += 1
    near[:50] = 0
    span = (rng.normal(size=(100, 3)) @ rng.normal(size=(3, 400))).astype(np.float32)
    offset = (1e6 + rng.normal(size=(100, 200))).astype(np.float32)
    centers = rng.normal(size=(10, 256)) * 1e3
    clusters = centers.repeat(10, axis=0) + rng.normal(size=(100, 256)) * 1e-3
    return {
        "real images": (digits, 12, 6, 1.0),
        "constant images: the residual is rounding alone": (flat, 8, 4, 1.0),
        "near-duplicates far from the center: cancellation": (near, 8, 4, 1.0),
        "rank three: the residual is rounding alone": (span, 8, 4, 2.0**-9),
        "a large common offset": (offset, 8, 4, 2.0**-25),
        "tight clusters far apart: cancellation": (clusters, 8, 4, 2.0**-15),
    }


@pytest.mark.parametrize("name", cases())
@pytest.mark.parametrize("fine", [False, True])
def test_no_pair_is_screened_above_its_limit(name: str, fine: bool) -> None:
    items, directions, coarse, scale = cases()[name]
    values, limits, _, _ = screening_values(items, directions, coarse, scale, fine=fine)
    assert (values <= limits).all()


@pytest.mark.parametrize("name", [name for name in cases() if "rounding" in name or "canc" in name])
def test_without_margins_the_case_would_fail(name: str) -> None:
    items, directions, coarse, scale = cases()[name]
    values, _, sq, sq_norms = screening_values(items, directions, coarse, scale, fine=True)
    without_margin = (sq - sq_norms[:, None]).astype(np.float32)
    assert (values > without_margin).any()


@pytest.mark.parametrize("dimension", [64, 3072, 20_000])
def test_integer_projections_are_exact(dimension: int) -> None:
    # The largest products that can occur: extreme items along the signs of a direction.
    rng = np.random.default_rng(0)
    items = rng.choice(np.array([0, 255], np.uint8), size=(60, dimension))
    projection = fit_projection(items, directions=8, coarse=4)
    signs = np.where(projection.directions[:, 0] > 0, 255, 0).astype(np.uint8)
    hostile = np.stack([signs, 255 - signs, items[0]])
    products = bounds._exact_product(
        torch.from_numpy(hostile).float() - bounds.SHIFT, torch.from_numpy(projection.directions)
    ).numpy()
    exact = (hostile.astype(np.int64) - 128) @ projection.directions.astype(np.int64)
    assert np.array_equal(products, exact)


def test_directions_are_orthonormal_after_whitening() -> None:
    items = load_images("digits").images.reshape(1797, -1)
    projection = fit_projection(items, directions=16, coarse=8)
    q = projection.directions.astype(np.float64) @ projection.whiten
    assert np.abs(q.T @ q - np.eye(16)).max() <= projection.defect
    assert projection.defect < 1e-11


def block_cases():
    """Images whose block features reach their true distance, so that any tighter bound would fail."""
    rng = np.random.default_rng(0)
    shape = (17, 18, 3)  # blocks of unequal sizes
    pattern = rng.integers(0, 2, shape)
    level = rng.integers(0, 256, (80, 1, 1, 1))
    return {
        "constant images: means are all": np.broadcast_to(level, (80, *shape)),
        "one pattern at many contrasts": pattern * level,
        "around gray: equal means, other spreads": 128 + (2 * pattern - 1) * (level // 2),
        "one pixel apart": 200
        + (np.arange(80).reshape(80, 1, 1, 1) == np.arange(918).reshape(shape)),
        "noise": rng.integers(0, 256, (80, *shape)),
    }


@pytest.mark.parametrize("name", block_cases())
@pytest.mark.parametrize("fine", [False, True])
def test_no_pair_of_images_is_screened_above_its_limit_by_blocks(name: str, fine: bool) -> None:
    images = block_cases()[name].astype(np.uint8)
    items = images.reshape(len(images), -1)
    shape = image_shape(images)
    values, limits, _, _ = screening_values(items, 24, 12, 1.0, fine=fine, image=shape)
    assert (values <= limits).all()


def test_block_bounds_reach_the_true_distance() -> None:
    # Of constant images the means are all there is: a bound too large by 0.01 % would exceed it.
    images = block_cases()["constant images: means are all"].astype(np.uint8)
    items = images.reshape(len(images), -1)
    values, _, sq, norms = screening_values(
        items, 24, 12, 1.0, fine=True, image=image_shape(images)
    )
    far = sq > 1e6
    assert ((values + norms[:, None])[far] * 1.0001 > sq[far]).all()


@pytest.mark.parametrize("shape", [(16, 16), (17, 19, 1), (32, 33, 3), (64, 65, 4)])
def test_means_and_spreads_equal_integer_sums(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    images = rng.choice(np.array([0, 1, 254, 255], np.uint8), size=(5, *shape))
    found = pooled(images.reshape(5, -1), image_shape(images))
    wide = images.reshape(5, *shape[:2], -1).astype(np.int64)
    grid = 16 if shape[0] >= 64 else 8
    means, spreads = [], []
    for rows in np.split(np.arange(shape[0]), np.arange(1, grid) * shape[0] // grid):
        for columns in np.split(np.arange(shape[1]), np.arange(1, grid) * shape[1] // grid):
            block = wide[:, rows][:, :, columns]
            n, total = block.shape[1] * block.shape[2], block.sum((1, 2))
            means.append(total / np.sqrt(n))
            spreads.append(np.sqrt((n * (block**2).sum((1, 2)) - total**2) / n))
    expected = np.concatenate([np.stack(x, 1).reshape(5, -1) for x in (means, spreads)], axis=1)
    assert np.array_equal(found, expected)  # one root and one division of the same integers
