"""Volumes of arrays: cropped and sliced as those of files, and options that are for volumes alone."""

import numpy as np
import pytest

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.data.options import ReadOptions
from rote.data.volumes.fit import fit_volumes

VOLUMES = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 5, 1), np.uint8)


def test_slices_of_an_array_repeat_its_labels(tmp_path):
    np.savez(tmp_path / "v.npz", volumes=VOLUMES, labels=np.array([1, 0]))
    found = load_images(str(tmp_path / "v.npz"), options=ReadOptions(slices=("D", 1, 3)))
    assert np.array_equal(found.items, VOLUMES[:, 1:3].reshape(4, 6, 5, 1))
    assert found.labels.tolist() == [1, 1, 0, 0]
    assert found.names == ("#0#D1", "#0#D2", "#1#D1", "#1#D2")


def test_slices_keep_all_that_is_known_of_their_volume():
    known = {"captions": ("a", None), "repeats": np.array([1, 2]), "groups": ("x", "y")}
    found = fit_volumes(Dataset(VOLUMES, **known), ReadOptions(slices=("D", 0, 2)))
    assert (found.captions, found.groups) == (("a", "a", None, None), ("x", "x", "y", "y"))
    assert found.repeats.tolist() == [1, 1, 2, 2]


def test_a_crop_of_an_array():
    found = load_images(VOLUMES, options=ReadOptions(crop=(2, 6, 5)))
    assert np.array_equal(found.items, VOLUMES[:, 1:3])


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"spacing": 1.0}, "`spacing` needs files"),
        ({"slices": ("D", 9, None)}, "`slices` gives no images"),
    ],
)
def test_what_an_array_cannot_give_is_refused(option, words):
    with pytest.raises(DataError, match=words):
        load_images(VOLUMES, options=ReadOptions(**option))


@pytest.mark.parametrize("source", ["digits", VOLUMES[:, 0], np.zeros((3, 2))])
def test_options_of_volumes_are_refused_elsewhere(source):
    with pytest.raises(DataError, match="`crop` is for volumes"):
        load_images(source, options=ReadOptions(crop=4))
