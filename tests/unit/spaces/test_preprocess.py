"""What networks are given: values by hand, the middle of the image, grey in three channels."""

import numpy as np
import pytest
import torch

from rote.spaces.preprocess import Preprocessing


@pytest.mark.parametrize(
    ("norm", "level", "expected"),
    [
        ("unit", 255, (1, 1, 1)),
        ("half", 0, (-1, -1, -1)),
        ("half", 255, (1, 1, 1)),
        ("lite", 127, (0, 0, 0)),
        ("lite", 255, (1, 1, 1)),
        ("imagenet", 0, (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225)),
        ("clip", 0, (-0.48145466 / 0.26862954, -0.4578275 / 0.26130258, -0.40821073 / 0.27577711)),
    ],
)
def test_values_by_hand(norm, level, expected):
    grey = np.full((2, 5, 4, 1), level, np.uint8)
    found = Preprocessing(norm)(grey)
    assert found.shape == (2, 3, 5, 4) and found.dtype == torch.float32
    # float32: a difference of numbers up to 255, of which one rounding is 1.5e-5, over 58 and more
    assert found[0, :, 0, 0].tolist() == pytest.approx(expected, abs=1e-6)
    assert torch.equal(found, found[:1, :, :1, :1].expand_as(found))


def test_the_middle_is_kept():
    image = np.zeros((1, 8, 6, 3), np.uint8)
    image[0, 3:5, 2:4] = 255
    found = Preprocessing("unit", crop=2)(image)
    assert found.shape == (1, 3, 2, 2)
    assert (found == 1).all()


def test_the_shorter_side_is_scaled_and_small_images_grow():
    image = np.zeros((1, 8, 4, 3), np.uint8)
    assert Preprocessing("unit", size=2)(image).shape == (1, 3, 4, 2)
    assert Preprocessing("unit", least=6)(image).shape == (1, 3, 12, 6)
    assert Preprocessing("unit", least=3)(image).shape == (1, 3, 8, 4)
