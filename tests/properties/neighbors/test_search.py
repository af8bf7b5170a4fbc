"""Neighbors equal brute force bit for bit: integers, floats, ties, blocks, threads."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rote.neighbors import brute_force
from rote.neighbors import search as neighbors
from rote.neighbors.cpu import filter as cpu_filter
from rote.neighbors.cpu import index as cpu_index
from rote.neighbors.cpu import projection as cpu_projection
from rote.neighbors.cpu import refine as cpu_refine
from rote.neighbors.search import nearest_neighbors


def by_brute_force(queries, references, k):
    """Sort all references by (distance, index), int64 for uint8 and float64 for floats."""
    wide = np.int64 if queries.dtype == np.uint8 else np.float64
    queries = queries.reshape(len(queries), -1).astype(wide)
    references = references.reshape(len(references), -1).astype(wide)
    sq = np.stack([((references - query) ** 2).sum(axis=1) for query in queries])
    order = np.argsort(sq, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(sq, order, axis=1)


def check(queries, references, k):
    found = nearest_neighbors(queries, references, k=k)
    indices, sq = by_brute_force(queries, references, k)
    assert np.array_equal(found.indices, indices)
    assert found.sq_distances.dtype == sq.dtype
    assert np.array_equal(found.sq_distances, sq)


@st.composite
def searches(draw):
    """Sizes of a search and of the blocks that it is cut into, and a generator for the items."""
    references = draw(st.integers(1, 40))
    return {
        "queries": draw(st.integers(1, 12)),
        "references": references,
        "k": draw(st.integers(1, references)),
        "dimension": draw(st.integers(1, 60) | st.sampled_from([1023, 1024, 1025, 2048, 3000])),
        "rows": draw(st.integers(1, 13)),
        "first": draw(st.integers(1, 5)),
        "capacity": draw(st.sampled_from([1, 2, 30, 8192])),
        "bytes": draw(st.integers(1, 200_000)),
        "cascade": draw(st.booleans()),
        "int8": draw(st.booleans()),
        "fine": draw(st.integers(2, 8)),
        "block": draw(st.integers(1, 80)),
        "gather": draw(st.sampled_from([0.0, 4.0, 1e9])),
        "rng": np.random.default_rng(draw(st.integers(0, 2**32 - 1))),
    }


def cut_into(search, monkeypatch):
    """Cut the plain search into blocks, or send the search through a cascade of small blocks."""
    monkeypatch.setattr(brute_force, "QUERY_ROWS", search["rows"])
    monkeypatch.setattr(brute_force, "BLOCK_BYTES", search["bytes"])
    if search["cascade"]:
        monkeypatch.setattr(neighbors, "INDEX_FROM", 0)
        for kind in ("", "FLOAT_"):
            monkeypatch.setattr(cpu_index, f"{kind}FINE", search["fine"])
            monkeypatch.setattr(cpu_index, f"{kind}COARSE", max(1, search["fine"] // 2))
        if not search["int8"]:  # as on a processor whose int8 products saturate
            monkeypatch.setattr(cpu_filter, "int8_products_are_exact", lambda dimension: False)
        monkeypatch.setattr(cpu_index, "QUERY_BLOCK", search["rows"])
        monkeypatch.setattr(cpu_index, "FIRST_QUERIES", search["first"])
        monkeypatch.setattr(cpu_index, "WIDE_QUERY_BLOCK", search["rows"])
        monkeypatch.setattr(cpu_index, "REFERENCE_BLOCK", search["block"])
        monkeypatch.setattr(cpu_index, "FEW_QUERIES", search["first"])
        monkeypatch.setattr(cpu_index, "LEAF", search["block"])
        monkeypatch.setattr(cpu_index, "CAPACITY", search["capacity"])
        monkeypatch.setattr(cpu_refine, "MEASURE_NUMBERS", search["bytes"])
        monkeypatch.setattr(cpu_index, "GATHER_COST", search["gather"])
        monkeypatch.setattr(cpu_projection, "BLOCK_DIMENSIONS", search["rows"] * 100)


@settings(max_examples=30)
@given(searches(), st.sampled_from([(0, 2), (254, 256), (0, 256), (126, 131)]), st.booleans())
def test_images_equal_integer_brute_force_with_ties(search, values, extremes):
    rng, dimension = search["rng"], search["dimension"]
    queries = rng.integers(*values, (search["queries"], dimension), dtype=np.uint8)
    references = rng.integers(*values, (search["references"], dimension), dtype=np.uint8)
    if extremes:  # as far apart as images can be
        queries[:], references[: len(references) // 2] = 0, 255
    references[rng.integers(len(references))] = references[0]
    with pytest.MonkeyPatch.context() as monkeypatch:
        cut_into(search, monkeypatch)
        check(queries, references, search["k"])


@settings(max_examples=30)
@given(
    searches(),
    st.sampled_from([0.0, 1.0, 1e6, -1e9]),
    st.sampled_from([1e-160, 1e-30, 1e-9, 1.0, 1e20]),
    st.sampled_from([np.float32, np.float64]),
)
def test_vectors_equal_float_brute_force_with_near_duplicates(search, offset, spread, dtype):
    rng, dimension = search["rng"], search["dimension"]
    references = (offset + spread * rng.normal(size=(search["references"], dimension))).astype(
        dtype
    )
    half = len(references) // 2
    references[half : 2 * half] = references[:half]  # exact duplicates,
    references[: half // 2] += dtype(min(1e-9, spread))  # of which some are moved a little
    picks = rng.integers(len(references), size=search["queries"])
    nudge = min(1e-9, spread)
    queries = references[picks] + (nudge * rng.normal(size=(len(picks), dimension))).astype(dtype)
    with pytest.MonkeyPatch.context() as monkeypatch:
        cut_into(search, monkeypatch)
        check(queries, references, search["k"])


@given(searches())
def test_vectors_with_few_values_tie_to_the_lowest_index(search):
    rng, dimension = search["rng"], search["dimension"]
    queries = rng.integers(0, 2, (search["queries"], dimension)).astype(np.float32)
    references = rng.integers(0, 2, (search["references"], dimension)).astype(np.float32)
    check(queries, references, search["k"])


def test_threads_change_nothing():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, 32, 32, 3), dtype=np.uint8)
    vectors = rng.normal(size=(300, 500))
    answers = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            answers.append([nearest_neighbors(x[:100], x, k=5) for x in (images, vectors)])
    finally:
        torch.set_num_threads(before)
    for one, two in zip(*answers, strict=True):
        assert np.array_equal(one.indices, two.indices)
        assert np.array_equal(one.sq_distances, two.sq_distances)
    check(images[:20], images, 5)
    check(vectors[:20], vectors, 5)
