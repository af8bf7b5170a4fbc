"""Neighbors: refusals, shapes, progress, exactness where float32 products would not be."""

import numpy as np
import pytest
import torch

from rote.core.errors import ConfigError, DataError
from rote.neighbors import brute_force
from rote.neighbors.search import nearest_neighbors


def pixels(*shape):
    return np.zeros(shape, np.uint8)


@pytest.mark.parametrize(
    ("queries", "references", "k", "error", "message"),
    [
        (pixels(0, 2), pixels(3, 2), 1, DataError, "there are no queries to search"),
        (pixels(3, 2), pixels(0, 2), 1, DataError, "there are no references to search"),
        (pixels(3, 2), pixels(3, 4), 1, DataError, r"shape \(2,\), references of \(4,\)"),
        (pixels(3, 4), pixels(3, 2, 2), 1, DataError, r"shape \(4,\), references of \(2, 2\)"),
        (pixels(3, 2), np.zeros((3, 2)), 1, DataError, "queries are uint8 and references float64"),
        (np.zeros((3, 2), np.float32), pixels(3, 2), 1, DataError, "float32 and references uint8"),
        (pixels(3, 2), pixels(3, 2), 0, ConfigError, "k is 0, but there are 3 references"),
        (pixels(3, 2), pixels(3, 2), 4, ConfigError, "k is 4, but there are 3 references"),
        (np.full((1, 2), np.nan), np.zeros((1, 2)), 1, DataError, "queries hold NaN or infinity"),
        (np.zeros((1, 2)), np.full((1, 2), np.inf), 1, DataError, "references hold NaN or"),
        (np.full((1, 2), -1e200), np.zeros((1, 2)), 1, DataError, r"queries hold values beyond"),
    ],
)
def test_impossible_searches_are_one_line(queries, references, k, error, message):
    with pytest.raises(error, match=message) as caught:
        nearest_neighbors(queries, references, k=k)
    assert "\n" not in str(caught.value)


def test_types_and_shapes_of_the_answer():
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    found = nearest_neighbors(images[:3], images)
    assert found.indices.shape == found.sq_distances.shape == (3, 2)
    assert (found.indices.dtype, found.sq_distances.dtype) == (np.int64, np.int64)
    assert found.indices[:, 0].tolist() == [0, 1, 2]
    vectors = images.reshape(5, -1).astype(np.float32)
    assert nearest_neighbors(vectors, vectors).sq_distances.dtype == np.float64


def test_the_extremes_of_512_pixel_color_images_are_exact():
    # 512 * 512 * 3 * 255^2 = 5.1e10, where float32 steps by 4096
    black = np.zeros((1, 512 * 512 * 3), np.uint8)
    white = np.full((3, 512 * 512 * 3), 255, np.uint8)
    white[1, 0] -= 1
    white[2, 5] -= 2
    found = nearest_neighbors(black, white, k=3)
    largest = 512 * 512 * 3 * 255**2
    assert found.indices.tolist() == [[2, 1, 0]]
    expected = [largest - 255**2 + 253**2, largest - 255**2 + 254**2, largest]
    assert found.sq_distances.tolist() == [expected]


def test_callers_lower_precision_changes_nothing():
    rng = np.random.default_rng(0)
    queries, references = (rng.integers(0, 256, (n, 3072), dtype=np.uint8) for n in (5, 40))
    plain = nearest_neighbors(queries, references, k=40)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        low = nearest_neighbors(queries, references, k=40)
    finally:
        torch.set_float32_matmul_precision(before)
    assert np.array_equal(plain.sq_distances, low.sq_distances)
    assert np.array_equal(plain.indices, low.indices)


def test_arrays_need_not_be_contiguous():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 4, (12, 6, 5), dtype=np.uint8)
    turned = images.transpose(0, 2, 1)[::2]
    found = nearest_neighbors(turned, turned, k=3)
    copied = nearest_neighbors(turned.copy(), turned.copy(), k=3)
    assert np.array_equal(found.indices, copied.indices)


def test_progress_ends_at_the_total():
    told = []
    images = np.zeros((2500, 1), np.uint8)
    nearest_neighbors(images, images[:2], on_progress=lambda *at: told.append(at))
    assert told == [(1024, 2500), (2048, 2500), (2500, 2500)]


def test_a_float_distance_is_a_function_of_its_two_rows():
    # numpy sums a row in an order that depends on its length alone, whatever rows lie beside it.
    rng = np.random.default_rng(0)
    for dimension in (1, 7, 129, 5000, 20_000):
        query, references = rng.normal(size=(1, dimension)), rng.normal(size=(5, dimension))
        together = nearest_neighbors(query, references, k=5)
        for index, sq in zip(together.indices[0], together.sq_distances[0], strict=True):
            alone = nearest_neighbors(query, references[index : index + 1], k=1)
            assert alone.sq_distances[0, 0] == sq


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 20, 64), (40, 33, 1025), (17, 9, 70_001)])
def test_float32_products_of_integers_are_exact(shape):
    rows, columns, dimension = shape
    rng = np.random.default_rng(0)
    left = rng.choice(np.array([0, 1, 127, 128, 254, 255], np.uint8), size=(rows, dimension))
    right = rng.choice(np.array([0, 255], np.uint8), size=(columns, dimension))
    exact = (left.astype(np.int64) - 128) @ (right.astype(np.int64) - 128).T
    found = brute_force.float32_products(torch.from_numpy(left), torch.from_numpy(right))
    assert np.array_equal(found.numpy(), exact)


def test_squares_below_the_range_of_float64_tie_to_the_lowest_index():
    # Squares of such values round to a few multiples of 2^-1074, and products round otherwise.
    for seed in range(40):
        rng = np.random.default_rng(seed)
        query, references = 1e-161 * rng.normal(size=(2, 1)), 1e-161 * rng.normal(size=(50, 1))
        sq = (query - references.T) ** 2
        found = nearest_neighbors(query, references, k=3)
        assert np.array_equal(found.indices, np.argsort(sq, axis=1, kind="stable")[:, :3])
