"""The limit of the float search on a device: no nearer reference is screened above it.

Each case is a source of rounding, and first shows that it does turn pairs around: a nearer reference has
the larger screening value. `gpu_float32` derives the limit.
"""

import numpy as np
import pytest
import torch

from rote.neighbors.gpu.float32 import Float32References

CPU = torch.device("cpu")


def two_clusters(dimension, spread, rng):
    """Return items around two far points: from one, those of the other are nearly equally far."""
    items = rng.choice([-1.0, 1.0], size=dimension) + spread * rng.normal(size=(60, dimension))
    items[30:] *= -1
    return items


def cases():
    rng = np.random.default_rng(0)
    near = np.zeros((60, 500))
    near[np.arange(60), np.arange(60)] = rng.uniform(1, 1 + 1e-3, 60)
    near[30:] += 40.0
    return {
        "float32 products: near-duplicates far from the center": near,
        "rounding to float32: items nearer than its steps": two_clusters(30, 2.0**-25, rng),
        "sums of many products": two_clusters(20_000, 2.0**-15, rng),
        "one dimension: lengths and products alone": two_clusters(1, 2.0**-22, rng),
    }


def screened(items):
    """Return the search, screening values and true distances of all pairs."""
    engine = Float32References(items, CPU)
    block = engine.block(slice(0, len(items)), torch.from_numpy(items.copy()))
    search = engine.search(items, 1, CPU)
    everyone = slice(0, len(items))
    products = search.products(everyone, block)
    values = block.sq_norms - 2 * products + search._sq_norms[:, None]
    search.take(everyone, products, block)  # the longest reference is known from here on
    order = np.argsort(block.indices.numpy())[: len(items)]
    wide = items.astype(np.longdouble)
    sq = np.stack([((wide - row) ** 2).sum(axis=1) for row in wide])
    return search, values.numpy()[:, order], sq


def above_its_limit(search, values, sq, *, margins):
    """Say of all (query, nearer, farther) whether the nearer is screened above the farther's limit."""
    found = False
    for farther in range(values.shape[1]):
        screened = torch.from_numpy(values[:, farther].copy())
        search._sq[:, -1] = torch.from_numpy(sq[:, farther].astype(np.float64))
        everyone = slice(0, len(values))
        limits = [screened]
        if margins:  # of the distance itself, and of its screening value
            limits = [search.limits(everyone), search.limits_of(search._sq_norms, screened)]
        nearer = sq <= sq[:, farther, None]
        found = found or any((nearer & (values > own.numpy()[:, None])).any() for own in limits)
    return found


@pytest.mark.parametrize("name", cases())
def test_nothing_nearer_is_screened_above_the_limit(name):
    search, values, sq = screened(cases()[name])
    assert above_its_limit(search, values, sq, margins=False)
    assert not above_its_limit(search, values, sq, margins=True)
