"""The search of a GPU, run on a CPU's tensors: brute force bit for bit, however it is cut and kept."""

import numpy as np
import pytest
import torch
from brute_force import by_brute_force
from hypothesis import given, settings
from hypothesis import strategies as st

from rote.core.errors import ConfigError
from rote.neighbors.cpu.filter import int8_products_are_exact
from rote.neighbors.gpu import blocks as gpu_blocks
from rote.neighbors.gpu import float32 as gpu_float32
from rote.neighbors.gpu import index as gpu_index
from rote.neighbors.gpu import uint8 as gpu_uint8
from rote.neighbors.gpu.index import DeviceIndex
from rote.neighbors.search import nearest_neighbors

pytestmark = pytest.mark.skipif(
    not int8_products_are_exact(64), reason="this processor's int8 products saturate"
)


@st.composite
def searches(draw):
    """Draw sizes of a search, of its blocks, tiles and pieces, and how much of it may stay."""
    references = draw(st.integers(1, 300))
    return {
        "queries": draw(st.integers(1, 80)),
        "references": references,
        "k": draw(st.integers(1, min(references, 20)) | st.just(references)),
        "dimension": draw(st.integers(1, 40) | st.sampled_from([127, 128, 129, 300])),
        "room": draw(st.sampled_from([0, 3000, 2**40])),
        "first": draw(st.sampled_from([1, 33, 4096])),
        "block": draw(st.sampled_from([32, 96, 2**15])),
        "product": draw(st.sampled_from([1, 2**14, 2**30])),
        "query": draw(st.sampled_from([1, 2000, 2**30])),
        "piece": draw(st.sampled_from([32, 1000, 2**22])),
        "noted": draw(st.sampled_from([0, 512])),
        "groups": draw(st.sampled_from([-1, 0, 8])),
        "exact": draw(st.sampled_from([16, 64, gpu_uint8.EXACT_DIMENSIONS])),
        "rng": np.random.default_rng(draw(st.integers(0, 2**32 - 1))),
    }


def check(queries, references, search):
    k = search["k"]
    expected, sq = by_brute_force(queries, references, k)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(gpu_index, "FIRST_ROWS", search["first"])
        monkeypatch.setattr(gpu_index, "BLOCK_ROWS", search["block"])
        monkeypatch.setattr(gpu_index, "PRODUCT_BYTES", search["product"])
        monkeypatch.setattr(gpu_index, "QUERY_BYTES", search["query"])
        monkeypatch.setattr(gpu_blocks, "FEW_GROUPS", search["groups"])
        for engine in (gpu_uint8, gpu_float32):
            monkeypatch.setattr(engine, "PIECE", search["piece"])
        monkeypatch.setattr(gpu_uint8, "NORM_BYTES", search["piece"])
        monkeypatch.setattr(gpu_uint8, "EXACT_DIMENSIONS", search["exact"])
        monkeypatch.setattr(gpu_float32, "CANDIDATES", search["noted"])
        device = DeviceIndex(references, device="cpu", room=search["room"])
        for _ in range(2):  # moved, then what has stayed with the rest moved again
            indices, distances = device.nearest(queries, k)
            assert np.array_equal(indices, expected)
            assert distances.tobytes() == np.ascontiguousarray(sq).tobytes()
        one = device.nearest(queries[-1:], k)
        assert np.array_equal(one[0], expected[-1:])


@settings(max_examples=30)
@given(searches(), st.sampled_from([(0, 2), (0, 256), (126, 131), (7, 8)]), st.booleans())
def test_images(search, values, extremes):
    rng, dimension = search["rng"], search["dimension"]
    queries = rng.integers(*values, (search["queries"], dimension), dtype=np.uint8)
    references = rng.integers(*values, (search["references"], dimension), dtype=np.uint8)
    references[rng.integers(len(references), size=len(references) // 3)] = references[0]
    if extremes:  # as far apart as images can be
        queries[:], references[: len(references) // 2] = 0, 255
    check(queries, references, search)


@settings(max_examples=30)
@given(
    searches(),
    st.sampled_from([0.0, 1.0, 1e6, -1e9]),
    st.sampled_from([1e-160, 1e-30, 1e-9, 1.0, 1e20]),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
)
def test_vectors(search, offset, spread, dtype, far):
    rng, dimension = search["rng"], search["dimension"]
    references = offset + spread * rng.normal(size=(search["references"], dimension))
    references = references.astype(dtype)
    picks = rng.integers(len(references), size=len(references) // 2)
    references[: len(picks)] = references[picks]  # exact duplicates,
    references[: len(picks) // 2] += dtype(min(1e-9, spread))  # of which some are moved a little
    picks = rng.integers(len(references), size=search["queries"])
    nudge = min(1e-9, spread)
    queries = references[picks] + (nudge * rng.normal(size=(len(picks), dimension))).astype(dtype)
    if far:  # beyond what float32 squares, seen from the references
        queries[0] = 1e30
    check(queries, references, search)


def test_images_nearer_and_nearer_from_block_to_block(monkeypatch):
    # Nothing can be ruled out: every reference is nearer than all before it, then all are equal.
    monkeypatch.setattr(gpu_index, "BLOCK_ROWS", 64)
    monkeypatch.setattr(gpu_index, "FIRST_ROWS", 32)
    references = np.arange(255, -1, -1, dtype=np.uint8)[:, None].repeat(5, axis=1)
    references = np.concatenate([references, np.full((200, 5), 3, np.uint8)])
    queries = np.zeros((3, 5), np.uint8)
    for items in (references, references.astype(np.float32)):
        for k in (1, 4, 100):
            found = DeviceIndex(items, device="cpu").nearest(queries.astype(items.dtype), k)
            expected = by_brute_force(queries.astype(items.dtype), items, k)
            assert np.array_equal(found[0], expected[0])
            assert np.array_equal(found[1], expected[1])


def test_sums_beyond_32_bits_are_exact():
    dimension = 2**17
    darkest = torch.full((32, dimension), -128, dtype=torch.int8)
    darkest[1, 0] = 127
    alone = torch._int_mm(darkest, darkest.T).long()
    exact = torch.full((32, 32), dimension * 2**14)
    exact[1] = exact[:, 1] = (dimension - 1) * 2**14 - 127 * 128
    exact[1, 1] = (dimension - 1) * 2**14 + 127**2
    assert not torch.equal(alone, exact)  # 2^31 is one too many
    assert torch.equal(gpu_uint8.int8_products(darkest, darkest), exact)
    black = np.zeros((1, dimension), np.uint8)
    white = np.full((3, dimension), 255, np.uint8)
    white[1, 0] -= 1
    found = DeviceIndex(white, device="cpu").nearest(black, 3)
    assert found[0].tolist() == [[1, 0, 2]]
    assert found[1].tolist() == [[dimension * 255**2 - 509, *[dimension * 255**2] * 2]]


def test_a_callers_lower_precision_changes_nothing():
    rng = np.random.default_rng(0)
    references = rng.normal(size=(400, 300))
    queries = references[:50] + 1e-4 * rng.normal(size=(50, 300))
    search = DeviceIndex(references, device="cpu")
    plain = search.nearest(queries, 5)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        low = search.nearest(queries, 5)
    finally:
        torch.set_float32_matmul_precision(before)
    assert np.array_equal(plain[0], low[0])
    assert np.array_equal(plain[0], by_brute_force(queries, references, 5)[0])


def test_what_stays_is_not_moved_again(monkeypatch):
    monkeypatch.setattr(gpu_index, "BLOCK_ROWS", 64)
    monkeypatch.setattr(gpu_index, "FIRST_ROWS", 32)
    moved = []
    stream_blocks = gpu_index.stream_blocks

    def spy(items, parts, device):
        moved.append([(part.start, part.stop) for part in parts])
        return stream_blocks(items, parts, device)

    monkeypatch.setattr(gpu_index, "stream_blocks", spy)
    items = np.random.default_rng(0).integers(0, 256, (200, 10), dtype=np.uint8)
    parts = [(0, 32), (32, 96), (96, 160), (160, 200)]
    for room, left in ((0, parts), (32 * 40 + 64 * 40, parts[2:]), (2**40, [])):
        moved.clear()
        search = DeviceIndex(items, device="cpu", room=room)
        told = []
        for _ in range(2):
            search.nearest(items[:7], 2, on_progress=lambda *at, told=told: told.append(at))
        assert moved == [parts, left]
        assert told == [(1, 7), (3, 7), (5, 7), (7, 7)] * 2


def test_read_only_and_mapped_references(tmp_path):
    items = np.random.default_rng(0).integers(0, 256, (100, 10), dtype=np.uint8)
    np.save(tmp_path / "items.npy", items)
    mapped = np.load(tmp_path / "items.npy", mmap_mode="r")
    found = DeviceIndex(mapped, device="cpu").nearest(mapped[:5], 3)
    expected = nearest_neighbors(items[:5], items, k=3)
    assert np.array_equal(found[0], expected.indices)


def test_a_device_that_cannot_multiply_bytes_is_one_line(monkeypatch):
    def refuse(left, right):
        raise RuntimeError("_int_mm needs SM 7.5\nmore lines")

    items = np.zeros((3, 4), np.uint8)
    gpu_uint8.check_products.cache_clear()
    for fake, message in ((refuse, r"\(_int_mm needs SM 7.5\)"), (wrong, "wrongly")):
        monkeypatch.setattr(torch, "_int_mm", fake)
        with pytest.raises(ConfigError, match=rf"{message}.*`device` cpu") as error:
            DeviceIndex(items, device="cpu")
        assert "\n" not in str(error.value)


def wrong(left, right):
    return torch.zeros(len(left), right.shape[1], dtype=torch.int32)
