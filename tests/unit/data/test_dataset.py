"""Dataset: what it accepts, subsets by hand, digest, tensors."""

import numpy as np
import pytest

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.variants import combine


def images(count=6, channels=3):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, 4, 5, channels), dtype=np.uint8)


def labelled():
    return Dataset(images(), np.array([0, 1, 0, 1, 1, 0]), ("a", "b"))


def test_shape_kind_and_default_names():
    data = Dataset(images(2))
    assert (data.kind, data.shape, len(data), data.names) == ("image", (3, 4, 5), 2, ("#0", "#1"))
    vectors = Dataset(np.zeros((3, 7), dtype=np.float32))
    assert (vectors.kind, vectors.shape) == ("vector", (7,))


@pytest.mark.parametrize(
    ("array", "part"),
    [
        (np.zeros((2, 4, 4, 4), dtype=np.uint8), "4 channels"),
        (np.zeros((2, 4, 4, 3), dtype=np.float32), "float32 with shape (2, 4, 4, 3)"),
        (np.zeros((2, 4), dtype=np.float64), "float64"),
    ],
)
def test_other_arrays_are_refused(array, part):
    with pytest.raises(DataError) as caught:
        Dataset(array, source="here\n")
    assert part in str(caught.value)
    assert str(caught.value).startswith("here\\n: ")


@pytest.mark.parametrize(
    ("labels", "classes", "part"),
    [
        (np.zeros(5, dtype=np.int64), ("a",), "labels of shape (5,)"),
        (np.full(6, 2), ("a", "b"), "from 2 to 2 and there are 2 class names"),
        (np.full(6, -1), ("a", "b"), "from -1 to -1"),
        (np.zeros(6, dtype=np.int32), ("a",), "int32"),
        (np.zeros(6, dtype=np.int64), (), "0 class names"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, classes, part):
    with pytest.raises(DataError) as caught:
        Dataset(images(), labels, classes)
    assert part in str(caught.value)


def test_tensor_is_channels_first_and_equal():
    data = Dataset(images())
    tensor = data.tensor()
    assert tuple(tensor.shape) == (6, 3, 4, 5)
    assert np.array_equal(tensor.numpy(), data.items.transpose(0, 3, 1, 2))


def test_take_keeps_images_labels_and_names_together():
    taken = labelled().take(np.array([4, 0]))
    assert np.array_equal(taken.items, images()[[4, 0]])
    assert taken.labels.tolist() == [1, 0]
    assert taken.names == ("#4", "#0")


def test_groups_stay_with_their_items_and_tell_no_digest():
    data = Dataset(images(), groups=tuple("aabbcc"))
    assert data.take(np.array([4, 0])).groups == ("c", "a")
    assert data.subset(6, seed=None).groups == data.groups
    assert combine(data, data).groups == data.groups * 2
    assert combine(data, Dataset(images())).groups is None
    assert data.describe()["groups"] == 3 and "groups" not in Dataset(images()).describe()
    assert data.digest == Dataset(images()).digest
    with pytest.raises(DataError, match="6 items but 2 groups"):
        Dataset(images(), groups=("a", "b"))


def test_without_a_seed_subsets_keep_the_order_of_the_source():
    data = labelled()
    assert data.subset_indices(3, seed=None).tolist() == [0, 1, 2]
    # The first two of each class, in the order of the source.
    assert data.subset_indices(4, seed=None, stratify=True).tolist() == [0, 1, 2, 3]
    assert data.subset_indices(6, seed=None, stratify=True).tolist() == [0, 1, 2, 3, 4, 5]


def test_seed_and_stratify_change_the_subset():
    data = labelled()
    assert data.subset_indices(6, seed=0).tolist() != data.subset_indices(6, seed=1).tolist()
    plain = {tuple(data.subset(2, seed=seed).labels) for seed in range(20)}
    balanced = {tuple(sorted(data.subset(2, seed=s, stratify=True).labels)) for s in range(20)}
    assert balanced == {(0, 1)}
    assert (0, 0) in plain or (1, 1) in plain


@pytest.mark.parametrize(
    ("size", "stratify", "part"),
    [
        (0, False, "from 1 to 6"),
        (7, False, "from 1 to 6"),
        (3, True, "a multiple of 2, such as 2"),
    ],
)
def test_impossible_subsets(size, stratify, part):
    with pytest.raises(DataError) as caught:
        labelled().subset(size, seed=0, stratify=stratify)
    assert part in str(caught.value)


def test_balanced_subsets_need_labels_and_large_enough_classes():
    with pytest.raises(DataError, match=r"no labels.*`stratify`"):
        Dataset(images()).subset(2, seed=0, stratify=True)
    uneven = Dataset(images(), np.array([0, 1, 1, 1, 1, 1]), ("a", "b"))
    with pytest.raises(DataError, match=r"class 'a' .* has 1 items.*choose at most 2"):
        uneven.subset(4, seed=0, stratify=True)
    empty = Dataset(images(), np.ones(6, dtype=np.int64), ("a", "b"))
    with pytest.raises(DataError, match=r"class 'a' .* has no items.*`stratify`"):
        empty.subset(2, seed=0, stratify=True)


def test_digest_counts_labels_and_layout_but_not_names():
    data = labelled()
    plain = Dataset(images())
    assert data.digest != plain.digest
    assert Dataset(images(), source="b", names=tuple("abcdef")).digest == plain.digest
    assert Dataset(images().reshape(6, 5, 4, 3)).digest != plain.digest
    swapped = Dataset(images(), 1 - data.labels, data.classes)
    assert swapped.digest != data.digest
    # A strided view has the digest of its values.
    double = np.repeat(images(), 2, axis=0)
    assert Dataset(double[::2]).digest == plain.digest


def test_describe_is_plain_and_keeps_its_order():
    said = Dataset(np.zeros((2, 4, 5, 3), np.uint8), source="x").describe()
    assert list(said) == ["source", "digest", "count", "shape", "kind"]
    assert (said["source"], said["count"]) == ("x", 2)
    assert (said["shape"], said["kind"]) == ([3, 4, 5], "image")
    vectors = Dataset(np.zeros((3, 7), np.float32)).describe()
    assert (vectors["shape"], vectors["kind"]) == ([7], "vector")
