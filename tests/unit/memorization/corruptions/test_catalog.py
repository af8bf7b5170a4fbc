"""What a copy may look like: each corruption by hand, and its randomness."""

import numpy as np
import pytest

from rote.memorization.corruptions.catalog import (
    crop,
    degradations,
    flip,
    noise,
    normal_of,
    paste,
    shift,
    tone,
)

GENERATOR = np.random.default_rng(0)


def image(values):
    return np.array(values, np.uint8)[:, :, None]


def test_tone_takes_contrast_and_brightens():
    # (x - 127.5) 0.8 + 127.5 + 25.5
    assert tone(image([[0, 100, 255]]), 0.2, GENERATOR).ravel().tolist() == [51, 131, 255]


def test_a_flip_exchanges_left_and_right():
    assert flip(image([[1, 2], [3, 4]]), 1, GENERATOR)[:, :, 0].tolist() == [[2, 1], [4, 3]]


def test_a_shift_moves_by_its_pixels_in_every_direction_and_repeats_the_edge():
    point = np.zeros((9, 9, 1), np.uint8)
    point[4, 4] = 255
    places = set()
    for seed in range(100):
        moved = shift(point, 2, np.random.default_rng(seed))
        (place,) = np.argwhere(moved[:, :, 0])
        places.add(tuple((place - 4).tolist()))
    steps = (-2, 0, 2)
    assert places == {(y, x) for y in steps for x in steps} - {(0, 0)}
    edge = image([[7, 7, 7], [0, 0, 0], [0, 0, 0]])
    assert (shift(edge, 1, np.random.default_rng(0)) <= 7).all()


def test_a_crop_cuts_its_share_off_and_scales_back():
    ramp = np.arange(200, dtype=np.uint8)[None, :, None].repeat(200, axis=0)
    found = crop(ramp, 0.06, GENERATOR)[100, :, 0].astype(int)
    assert found.shape == (200,)
    assert [found[0], found[100], found[-1]] == pytest.approx([6, 100, 193], abs=1)


def test_a_pasted_part_stays_where_it_was_in_another_image_that_is_turned():
    own, other = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1), dtype=np.uint8)
    corners = set()
    for seed in range(40):
        found = paste((own, other), 0.25, np.random.default_rng(seed))
        same = (found == own)[:, :, 0]
        (corner,) = [(y, x) for y in (0, 4) for x in (0, 4) if same[y : y + 4, x : x + 4].all()]
        corners.add(corner)
        outside = np.ones((8, 8), bool)
        outside[corner[0] : corner[0] + 4, corner[1] : corner[1] + 4] = False
        assert np.array_equal(found[outside], other[::-1, ::-1][outside])
    assert len(corners) == 4
    kind = next(kind for kind in degradations() if kind.name == "paste")
    three = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    assert all((a != b).mean() > 0.5 for a, b in zip(kind(three, seed=0), three, strict=True))


def test_noise_has_the_spread_that_was_asked_for():
    flat = np.full((100, 100, 1), 128, np.uint8)
    found = noise(flat, 8, normal_of(flat, np.random.default_rng(0))).astype(float)
    # 10,000 draws: a standard error of 0.08 of the mean and 0.06 of the deviation, and rounding
    assert found.mean() == pytest.approx(128, abs=0.3)
    assert found.std() == pytest.approx(8, abs=0.25)


def test_every_image_has_randomness_of_its_own_and_a_seed_repeats_it():
    degrade = next(kind for kind in degradations() if (kind.name, kind.strength) == ("noise", 8))
    images = np.full((3, 4, 4, 1), 128, np.uint8)
    found = degrade(images, seed=1)
    assert np.array_equal(found, degrade(images, seed=1))
    assert not np.array_equal(found, degrade(images, seed=2))
    assert len(np.unique(found.reshape(3, -1), axis=0)) == 3


def test_shapes_stay_and_something_changes():
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 12, 3), np.uint8)
    for degrade in degradations():
        found = degrade(images, seed=0)
        assert found.shape == images.shape and found.dtype == np.uint8, degrade.name
        assert not np.array_equal(found, images), degrade.name
