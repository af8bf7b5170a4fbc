"""A search chunk by chunk, in any order and from any start, gives the bits of one search."""

from itertools import pairwise

import numpy as np
import pytest
from brute_force import by_brute_force
from hypothesis import given, settings
from hypothesis import strategies as st

from rote.neighbors import search as neighbors
from rote.neighbors.cpu import index as cpu_index
from rote.neighbors.cpu import kernels
from rote.neighbors.cpu import projection as cpu_projection
from rote.neighbors.cpu import refine as cpu_refine
from rote.neighbors.out_of_core.chunk import ChunkedSearch
from rote.neighbors.search import Neighbors


@st.composite
def cut_searches(draw):
    """Draw sizes, the chunks in their order, how many of them another search knows, block sizes."""
    count = draw(st.integers(1, 90))
    cuts = sorted(draw(st.sets(st.integers(1, count), max_size=4)) | {0, count})
    chunks = draw(st.permutations(list(pairwise(cuts))))
    return {
        "queries": draw(st.integers(1, 12)),
        "references": count,
        "chunks": chunks,
        "elsewhere": draw(st.integers(0, len(chunks))),
        "k": draw(st.integers(1, 12) | st.just(count)),
        "dimension": draw(st.integers(1, 40)),
        "fine": draw(st.integers(2, 8)),
        "block": draw(st.integers(1, 80)),
        "capacity": draw(st.sampled_from([1, 30, 8192])),
        "gather": draw(st.sampled_from([0.0, 4.0, 1e9])),
        "cascade": draw(st.booleans()),
        "rng": np.random.default_rng(draw(st.integers(0, 2**32 - 1))),
    }


def check(queries, references, search):
    k, chunks = min(search["k"], len(references)), search["chunks"]
    expected, sq = by_brute_force(queries, references, k)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(neighbors, "INDEX_FROM", 0 if search["cascade"] else 1e18)
        for kind in ("", "FLOAT_"):
            monkeypatch.setattr(cpu_index, f"{kind}FINE", search["fine"])
            monkeypatch.setattr(cpu_index, f"{kind}COARSE", max(1, search["fine"] // 2))
        for name in ("QUERY_BLOCK", "REFERENCE_BLOCK", "LEAF"):
            monkeypatch.setattr(cpu_index, name, search["block"])
        monkeypatch.setattr(cpu_index, "FIRST_QUERIES", 3)
        monkeypatch.setattr(cpu_index, "FEW_QUERIES", 1)
        monkeypatch.setattr(cpu_index, "CAPACITY", search["capacity"])
        monkeypatch.setattr(cpu_index, "GATHER_COST", search["gather"])
        monkeypatch.setattr(cpu_refine, "MEASURE_NUMBERS", 100)
        monkeypatch.setattr(cpu_projection, "SAMPLE", 50)
        known = ChunkedSearch(queries, k=k)
        for start, stop in chunks[: search["elsewhere"]]:
            known.search(references[start:stop], first=start)
        found = ChunkedSearch(queries, k=k, known=known.best)
        for start, stop in chunks[search["elsewhere"] :]:
            found.search(references[start:stop], first=start)
    assert isinstance(found.best, Neighbors)
    assert np.array_equal(found.best.indices, expected)
    assert found.best.sq_distances.tobytes() == np.ascontiguousarray(sq).tobytes()


@settings(max_examples=40)
@given(cut_searches(), st.sampled_from([(0, 2), (0, 256), (126, 131)]))
def test_images(search, values):
    rng, shape = search["rng"], search["dimension"]
    queries = rng.integers(*values, (search["queries"], shape), dtype=np.uint8)
    references = rng.integers(*values, (search["references"], shape), dtype=np.uint8)
    references[rng.integers(len(references))] = references[0]
    check(queries, references, search)


@settings(max_examples=40)
@given(cut_searches(), st.sampled_from([0.0, 1e-9, 1.0]), st.booleans())
def test_vectors_with_exact_and_near_duplicates(search, nudge, few_values):
    rng, shape = search["rng"], search["dimension"]
    references = rng.normal(size=(search["references"], shape))
    if few_values:
        references = rng.integers(0, 2, references.shape).astype(np.float64)
    references[rng.permutation(len(references))[: len(references) // 2]] = references[0]
    references[::3] += nudge * rng.normal(size=references[::3].shape)
    queries = references[rng.integers(len(references), size=search["queries"])]
    queries = queries + nudge * rng.normal(size=queries.shape)
    check(queries, references, search)


def test_a_known_limit_spares_nearly_all_measuring(monkeypatch):
    rng = np.random.default_rng(0)
    centers = rng.integers(40, 210, (20, 64))

    def drawn(count):
        made = centers[rng.integers(0, 20, count)] + rng.integers(-40, 40, (count, 64))
        return made.astype(np.uint8)

    monkeypatch.setattr(neighbors, "INDEX_FROM", 0)
    monkeypatch.setattr(cpu_index, "LEAF", 64)
    counted = []
    refine = kernels.refine

    def spy(*arguments):
        counted[-1] += int(np.maximum(arguments[-1], 0).sum())
        return refine(*arguments)

    monkeypatch.setattr(kernels, "refine", spy)
    near = drawn(4000)
    queries = near[:100] ^ 1
    far = [drawn(4000) for _ in range(2)]
    chunks = ChunkedSearch(queries, k=1)
    for number, part in enumerate([far[0], near, far[1]]):
        counted.append(0)
        chunks.search(part, first=4000 * number)
    assert counted[0] > 100
    assert counted[2] == 0
    expected, sq = by_brute_force(queries, np.concatenate([far[0], near, far[1]]), 1)
    assert np.array_equal(chunks.best.indices, expected)
    assert np.array_equal(chunks.best.sq_distances, sq)
