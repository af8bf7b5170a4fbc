"""What is said of sides that do not fit together, by what they are."""

import numpy as np
import pytest

from rote import audit
from rote.core.errors import DataError
from rote.data.dataset import Dataset

FORMS = {
    "images": np.zeros((3, 4, 6, 1), np.uint8),
    "other images": np.zeros((3, 4, 4, 3), np.uint8),
    "volumes": np.zeros((3, 2, 4, 6, 1), np.uint8),
    "volumes as a model made them": np.zeros((3, 6, 4, 2, 1), np.uint8),
    "cropped volumes": np.zeros((3, 2, 4, 5, 1), np.uint8),
    "clips": np.zeros((3, 8, 1), np.float32),
    "short clips": np.zeros((3, 7, 1), np.float32),
    "rows": np.zeros((3, 2), np.float32),
    "other rows": np.zeros((3, 3), np.float32),
}


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        (
            "other images",
            "images",
            "in color and .* in grey; bring .* with `resolution` or `channels`",
        ),
        (
            "images",
            "volumes",
            "6x4 pixels .* of 2x4x6 voxels in 1 channel; `slices` takes images out of",
        ),
        ("volumes as a model made them", "volumes", "axes lie in another order: volumes are depth"),
        ("cropped volumes", "volumes", "bring both to one form with `spacing` and `crop`$"),
        ("clips", "images", "8 times in 1 channel and .*; give sides of one kind$"),
        ("short clips", "clips", "bring both to one length, of sound with `seconds`$"),
        (
            "other rows",
            "rows",
            "of 3 numbers and .* of 2 numbers; give the same columns on both sides$",
        ),
    ],
)
def test_sides_of_different_forms_are_told_what_to_do(one, other, says):
    with pytest.raises(DataError, match=says):
        audit(Dataset(FORMS[one]), Dataset(FORMS[other]))
