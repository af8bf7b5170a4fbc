"""scikit-learn's sets: digits over the full range, tables with their classes."""

import numpy as np
import pytest

from rote.data.load import load_images


def test_digits_without_their_file_come_from_the_package(monkeypatch):
    data = load_images("digits")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert load_images("digits").digest == data.digest


def test_digits_are_spread_over_the_full_range():
    from sklearn.datasets import load_digits

    data = load_images("digits")
    raw = load_digits()
    assert data.items.shape == (1797, 8, 8, 1)
    # 16 levels of 15.9375: the nearest integer to each.
    wanted = [0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255]
    assert np.array_equal(data.items[..., 0], np.array(wanted)[raw.images.astype(int)])
    assert np.array_equal(data.labels, raw.target)
    assert data.classes == tuple("0123456789")


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [("wine", (178, 13), 3), ("breast_cancer", (569, 30), 2), ("iris", (150, 4), 3)],
)
def test_tabular_sets(name, shape, classes):
    data = load_images(name)
    assert (data.kind, data.items.shape, len(data.classes)) == ("vector", shape, classes)
    assert sorted(set(data.labels.tolist())) == list(range(classes))
    assert data.source == name
