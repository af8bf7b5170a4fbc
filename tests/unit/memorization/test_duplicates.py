"""Groups of duplicates by hand."""

import numpy as np

from rote.data.duplicates import exact_duplicates


def test_groups_are_numbered_by_first_appearance():
    items = np.array([[7, 7], [1, 2], [7, 7], [0, 0], [1, 2], [7, 7]], np.uint8)
    groups = exact_duplicates(items)
    assert groups.group.tolist() == [0, 1, 0, 2, 1, 0]
    assert groups.representative.tolist() == [0, 1, 3]
    assert len(groups) == 3
    assert groups.to_json() == {"groups": 2, "images": 5, "distinct": 3}


def test_distinct_items_stay_alone():
    groups = exact_duplicates(np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1))
    assert groups.group.tolist() == groups.representative.tolist() == [0, 1, 2, 3, 4]
    assert groups.to_json() == {"groups": 0, "images": 0, "distinct": 5}


def test_minus_zero_is_zero_and_one_bit_is_a_difference():
    near = np.nextafter(np.float32(1), np.float32(2))
    items = np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, near], [0.0, 1.0]], np.float32)
    assert exact_duplicates(items).group.tolist() == [0, 0, 1, 0]
    assert np.signbit(items[1, 0])  # the caller's array is left alone


def test_memory_layout_does_not_matter():
    items = np.array([[1, 2, 1], [3, 4, 3]], np.uint8).T
    assert exact_duplicates(items).group.tolist() == [0, 1, 0]
