"""What copies of volumes may look like: by hand, and against shapes that must not change."""

import numpy as np
import pytest

from rote.memorization.corruptions import degradations
from rote.memorization.corruptions.volumes import blur, flip, rotation, shift

VOLUME = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 1), np.uint8)


def test_a_shift_moves_along_a_diagonal_or_an_axis_and_repeats_the_border():
    for seed in range(20):
        moved = shift(VOLUME, 1, np.random.default_rng(seed))
        padded = np.pad(VOLUME, ((1, 1), (1, 1), (1, 1), (0, 0)), mode="edge")
        found = [
            (d, h, w)
            for d in range(3)
            for h in range(3)
            for w in range(3)
            if np.array_equal(padded[d : d + 5, h : h + 6, w : w + 7], moved)
        ]
        assert len(found) == 1
        assert found[0] != (1, 1, 1)


def test_a_flip_exchanges_left_and_right():
    assert np.array_equal(flip(VOLUME, 1, np.random.default_rng(0))[:, :, 0], VOLUME[:, :, -1])


def test_a_blur_goes_along_all_axes_and_keeps_what_is_flat():
    point = np.zeros((7, 7, 7, 1), np.uint8)
    point[3, 3, 3] = 255
    found = blur(point, 1, np.random.default_rng(0))[..., 0]
    assert found[2, 3, 3] == found[3, 2, 3] == found[3, 3, 2] > 0
    assert (blur(np.full((3, 3, 3, 1), 77, np.uint8), 2, np.random.default_rng(0)) == 77).all()


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_a_quarter_turn_is_exact(seed):
    square = VOLUME[:, :, :6]
    found = rotation(square, 90, np.random.default_rng(seed))
    assert any(np.array_equal(found, np.rot90(square, k, axes=(1, 2))) for k in (1, 3))


def test_every_way_is_tried_on_volumes():
    names = [one.name for one in degradations("volume")]
    assert list(dict.fromkeys(names)) == [
        *("noise", "tone", "blur-3d", "shift-3d", "left-right", "rotation")
    ]
    for one in degradations("volume"):
        assert one(VOLUME[None], seed=0).shape == (1, *VOLUME.shape)
