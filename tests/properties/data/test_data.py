"""Laws of the data room."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rote.data.convert import from_model, to_model
from rote.data.dataset import Dataset

seeds = st.one_of(st.none(), st.integers(0, 2**40))


@st.composite
def data_sets(draw):
    """Small sets of 2 to 4 classes with the same number of items each, in any order."""
    classes = draw(st.integers(2, 4))
    per_class = draw(st.integers(1, 6))
    labels = draw(st.permutations(list(range(classes)) * per_class))
    count = classes * per_class
    images = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)
    names = tuple(f"class{c}" for c in range(classes))
    return Dataset(images, np.array(labels, dtype=np.int64), names)


@given(data_sets(), seeds, st.data())
def test_subsets_are_nested_and_functions_of_the_seed(data, seed, draws):
    large = draws.draw(st.integers(1, len(data)))
    small = draws.draw(st.integers(1, large))
    outer = data.subset_indices(large, seed=seed)
    inner = data.subset_indices(small, seed=seed)
    assert inner.tolist() == outer[:small].tolist()
    assert len(set(outer.tolist())) == large
    assert data.subset(small, seed=seed).digest == data.subset(small, seed=seed).digest


@given(data_sets(), seeds, st.data())
def test_balanced_subsets_are_nested_and_balanced(data, seed, draws):
    classes = len(data.classes)
    large = draws.draw(st.integers(1, len(data) // classes)) * classes
    small = draws.draw(st.integers(1, large // classes)) * classes
    outer = data.subset_indices(large, seed=seed, stratify=True)
    inner = data.subset_indices(small, seed=seed, stratify=True)
    assert set(inner.tolist()) <= set(outer.tolist())
    counts = np.bincount(data.labels[outer], minlength=classes)
    assert counts.tolist() == [large // classes] * classes


def test_all_pixel_values_survive_the_round_trip():
    values = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    tensor = Dataset(values).tensor()
    assert np.array_equal(from_model(to_model(tensor), kind="image"), values)
    wide = to_model(tensor).to(torch.float64)
    assert np.array_equal(from_model(wide, kind="image"), values)


images = hnp.arrays(np.uint8, st.tuples(*[st.integers(1, 3)] * 3, st.sampled_from([1, 3])))


@given(images)
def test_round_trip_of_any_image(array):
    data = Dataset(array)
    assert np.array_equal(from_model(to_model(data.tensor()), kind="image"), array)


@settings(max_examples=60)
@given(images, st.data())
def test_digest_sees_every_pixel_and_no_name(array, draws):
    data = Dataset(array)
    position = draws.draw(st.integers(0, array.size - 1))
    changed = array.copy()
    changed.flat[position] ^= draws.draw(st.integers(1, 255))
    assert Dataset(changed).digest != data.digest
    names = tuple(draws.draw(st.text()) for _ in range(len(array)))
    assert Dataset(array.copy(), names=names, source="other").digest == data.digest
