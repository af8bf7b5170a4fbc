"""Components within a radius equal brute force, for any data, blocks and number of threads."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from rote.neighbors.brute_force import brute_force_pairs
from rote.neighbors.radius import kernels, partition
from rote.neighbors.radius import search as radius_search
from rote.neighbors.search import components_within


def oracle(items, rows, sq_radius, kin=None):
    """Return the components of all pairs, listed one by one."""
    i, j, _ = brute_force_pairs(items[rows], sq_radius)
    if kin is not None:
        i, j = i[kin[i] != kin[j]], j[kin[i] != kin[j]]
    edges = coo_array((np.ones(len(i)), (i, j)), shape=(len(rows), len(rows)))
    return connected_components(edges, directed=False)[1]


def same_partition(a, b):
    joint = np.unique(np.stack([a, b], axis=1), axis=0)
    return len(joint) == len(np.unique(a)) == len(np.unique(b))


def check(items, sq_radius, *, threads=2):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        rows = np.arange(len(items))[:: 1 if threads == 2 else 3]
        expected = oracle(items, rows, sq_radius)
        assert same_partition(radius_search.block_components(items, rows, sq_radius), expected)
        kin = np.random.default_rng(len(rows)).integers(0, 2 + len(rows) // 40, len(rows))
        expected = oracle(items, rows, sq_radius, kin)
        for search in (radius_search.block_components, components_within):
            assert same_partition(search(items, rows, sq_radius, kin=kin), expected)
    finally:
        torch.set_num_threads(before)


def made(kind, count, dimension, rng):
    """Return float items of one kind, in [0, 255]."""
    if kind == "equal":
        return np.full((count, dimension), 7.0)
    if kind == "chain":  # each is near the next one alone
        return np.minimum(np.arange(count)[:, None] * 2.0, 255) + np.zeros((1, dimension))
    if kind == "clusters":
        centers = rng.uniform(0, 255, (max(1, count // 30), dimension))
        return centers[rng.integers(0, len(centers), count)] + rng.normal(0, 2, (count, dimension))
    if kind == "lines":  # one wide direction, as brightness is
        return rng.uniform(0, 200, (count, 1)) + rng.uniform(0, 6, (count, dimension))
    return rng.uniform(0, 255, (count, dimension))


@settings(max_examples=40)
@given(
    kind=st.sampled_from(["equal", "chain", "clusters", "lines", "random"]),
    count=st.integers(2, 330),
    dimension=st.sampled_from([1, 2, 3, 31, 48, 200, 600]),
    dtype=st.sampled_from([np.uint8, np.float32, np.float64]),
    reach=st.floats(0, 12),
    threads=st.sampled_from([1, 2, 5]),
    seed=st.integers(0, 9),
)
def test_components_equal_brute_force(kind, count, dimension, dtype, reach, threads, seed):
    items = made(kind, count, dimension, np.random.default_rng(seed))
    items = np.clip(np.rint(items), 0, 255).astype(dtype) if dtype == np.uint8 else items
    check(items.astype(dtype), reach**2 * dimension, threads=threads)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_radius_that_many_pairs_lie_on_exactly(dtype):
    # A lattice: every neighbor is at the radius itself, and in floats each of them must be decided.
    side = np.arange(0, 40, 5)
    items = np.stack(np.meshgrid(side, side, side), axis=-1).reshape(-1, 3).astype(dtype)
    check(items, 25.0)
    check(items, np.nextafter(25.0, 0))
    assert len(np.unique(radius_search.block_components(items, np.arange(512), 25.0))) == 1
    assert len(np.unique(radius_search.block_components(items, np.arange(512), 24.0))) == 512


def test_a_radius_between_two_sums_of_the_same_squares():
    # Radii one bit around a pair's distance, where two orders of summation may disagree.
    rng = np.random.default_rng(0)
    items = rng.normal(0, 1, (70, 1000)).astype(np.float32)
    for i, j, sq in list(zip(*brute_force_pairs(items, 1e9), strict=True))[::60]:
        for sq_radius in (np.nextafter(sq, 0), sq, np.nextafter(sq, 9e9)):
            check(items[[i, j]], float(sq_radius))
            found = radius_search.block_components(items[[i, j]], np.arange(2), float(sq_radius))
            assert (found[0] == found[1]) == (sq <= sq_radius)


@pytest.mark.parametrize("offset", [0.0, 1e6, -1e9])
@pytest.mark.parametrize("spread", [1e-9, 1.0, 1e30])
def test_large_offsets_and_spreads_lose_no_pair(offset, spread):
    rng = np.random.default_rng(1)
    items = offset * spread + np.repeat(rng.normal(0, 1, (50, 70)), 4, axis=0) * spread
    items = items + rng.normal(0, 0.01, items.shape) * spread
    check(items, 70 * (0.02 * spread) ** 2)


def test_full_lists_are_emptied_and_gone_on_with(monkeypatch):
    monkeypatch.setattr(radius_search, "CAPACITY", kernels.BLOCK**2)
    items = np.repeat(np.arange(4, dtype=np.uint8), 120)[:, None]
    check(items, 1.0)


def test_a_mapped_file_is_searched_in_small_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(radius_search, "MEASURED_MAPPED", 1)
    items = made("clusters", 500, 40, np.random.default_rng(5)).astype(np.uint8)
    np.save(tmp_path / "x.npy", items)
    check(np.load(tmp_path / "x.npy", mmap_mode="r"), 40 * 9.0)


def test_collapse_is_not_limited_by_its_number_of_pairs():
    # 9,000 near twins have 40 million pairs: grouping them measures hardly more than there are items.
    rng = np.random.default_rng(2)
    items = (100 + rng.integers(0, 5, (9000, 40))).astype(np.uint8)
    items[::9] = 255 - items[::9]
    found = components_within(items, np.arange(9000), 40 * 10.0**2)
    assert same_partition(found, np.arange(9000) % 9 == 0)


def test_blocks_that_lie_apart_are_certified_apart():
    # No box or screening value may exclude a pair that lies within the kernels.
    rng = np.random.default_rng(3)
    items = made("clusters", 700, 100, rng).astype(np.float32)
    with radius_search.computing_pool(2) as pool:
        found = partition.build_blocks(items, np.arange(700), pool, scale=2.0**-12)
    values = found.features.transpose(0, 2, 1).reshape(-1, found.features.shape[1])[:700]
    i, j, sq = brute_force_pairs(items[found.order], 1e12)
    screened = np.square(values[i] - values[j]).sum(axis=1)
    assert (screened <= [found.limit(value) for value in sq]).all()
    for block, (low, high) in enumerate(zip(found.low, found.high, strict=True)):
        own = values[block * kernels.BLOCK : (block + 1) * kernels.BLOCK]
        assert (own >= low).all()
        assert (own <= high).all()
    assert sorted(found.order.tolist()) == list(range(700))


def test_blocks_of_images_are_tight():
    # What makes the search fast: halving at the widest feature leaves boxes of a fraction of the spread.
    rng = np.random.default_rng(4)
    items = np.clip(made("lines", 2048, 64, rng), 0, 255).astype(np.uint8)
    with radius_search.computing_pool(1) as pool:
        found = partition.build_blocks(items, np.arange(2048), pool, scale=1.0)
    widths = found.high[:, 0] - found.low[:, 0]
    assert widths.max() < 0.2 * (found.high[:, 0].max() - found.low[:, 0].min())


def test_forests_join_what_any_of_them_has_joined():
    a, b = np.arange(6, dtype=np.int32), np.arange(6, dtype=np.int32)
    kernels.join_pairs(a, np.array([[0, 1], [4, 5]]))
    kernels.join_pairs(b, np.array([[1, 2]]))
    kernels.join_all(a, b)
    assert kernels.roots(a).tolist() == [0, 0, 0, 3, 4, 4]
    assert all(x <= y for x, y in pairwise(kernels.roots(a)))
