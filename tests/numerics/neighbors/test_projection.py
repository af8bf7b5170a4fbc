"""The screening bound holds for every pair, also where rounding pushes screening values upwards.

A bound without its margins would fail these cases: each one first shows that screening values do exceed
the true distance, from the source of rounding it is named after.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from rote.data.load import load_images
from rote.neighbors.cpu import filter as cpu_filter
from rote.neighbors.cpu import kernels
from rote.neighbors.cpu import projection as cpu_projection
from rote.neighbors.cpu.projection import fit_projection


def screening_values(items, directions, coarse, scale, *, fine):
    """Return screening values of all pairs as the engine computes them, and their limits."""
    projection = fit_projection(items, directions=directions, coarse=coarse)
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
    own = cpu_filter.FilterFeatures(
        a, sq_norms, a, rounding_error=features.rounding_error, length=features.length
    )
    margins = cpu_filter.margins(own, own)
    limits = np.empty_like(sq)
    for i in range(len(sq)):
        for j in range(len(sq)):
            limits[i, j] = kernels.limit_of(sq[i, j], scale, margins.rounding, margins.fine)
    return values, (limits - sq_norms[:, None]).astype(np.float32), sq * scale**2, sq_norms


def cases():
    rng = np.random.default_rng(0)
    digits = load_images("digits").items.reshape(1797, -1)[:120]
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
    products = cpu_projection._exact_product(
        torch.from_numpy(hostile).float() - cpu_projection.SHIFT,
        torch.from_numpy(projection.directions),
    ).numpy()
    exact = (hostile.astype(np.int64) - 128) @ projection.directions.astype(np.int64)
    assert np.array_equal(products, exact)


def test_directions_are_orthonormal_after_whitening() -> None:
    items = load_images("digits").items.reshape(1797, -1)
    projection = fit_projection(items, directions=16, coarse=8)
    q = projection.directions.astype(np.float64) @ projection.whiten
    assert np.abs(q.T @ q - np.eye(16)).max() <= projection.defect
    assert projection.defect < 1e-11


def test_int8_products_that_saturate_are_found_out(monkeypatch):
    def saturating(left, right):
        """Pairs of products added in 16 bits, as without VNNI."""
        pairs = left.int()[:, :, None] * right.int()[None]
        sums = (pairs[:, ::2] + pairs[:, 1::2]).clamp(-(2**15), 2**15 - 1)
        return sums.sum(1).int()

    exact = cpu_filter.int8_products_are_exact.__wrapped__
    honest = torch._int_mm
    assert exact(64) == bool(honest(*hostile()).equal(hostile()[0].int() @ hostile()[1].int()))
    monkeypatch.setattr(torch, "_int_mm", saturating)
    assert not exact(64)
    assert not exact(2**31 // 128**2)  # a sum of so many products could pass 2^31


def hostile():
    left = torch.full((64, 64), -128, dtype=torch.int8)
    return left, torch.full((64, 256), 127, dtype=torch.int8)
