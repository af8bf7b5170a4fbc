"""The radius of near-duplicates: spacing in closed form, twins that must not fool it, real digits."""

import io

import numpy as np
import pytest
from PIL import Image

from rote.data.duplicates import exact_duplicates
from rote.data.load import load_images
from rote.memorization.duplicate_radius import SHARE_OF_SPACING, duplicate_radius, spacing_of


def radius_of(items):
    return duplicate_radius(spacing_of(items, np.arange(len(items))))


def uniform(count, dimension, seed=0):
    return np.random.default_rng(seed).random((count, dimension)).astype(np.float32)


@pytest.mark.parametrize("dimension", [2, 3])
def test_the_spacing_of_points_in_a_cube(dimension):
    count = 8000
    items = uniform(count, dimension)
    # n points of density n: the volume of the ball around a point that holds no other is exponential
    # with mean 1 / n, so its median is log 2 / n; edges make it a little larger.
    volume = {2: np.pi, 3: 4 / 3 * np.pi}[dimension]
    radius = (np.log(2) / count / volume) ** (1 / dimension)
    expected = radius / np.sqrt(dimension)
    # Three spacings of 1,000 queries each, carried over a factor 8 in size: 15 % covers four errors.
    assert spacing_of(items, np.arange(count)) == pytest.approx(expected, rel=0.15)


def twin(images, quality):
    made = []
    for image in images[..., 0]:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=quality)
        made.append(np.asarray(Image.open(buffer)))
    return np.stack(made)[..., None]


def test_a_twin_of_every_image_hardly_changes_it():
    digits = load_images("digits").items
    alone = radius_of(digits)
    both = np.concatenate([digits, twin(digits, 90)])
    beside = radius_of(both)
    assert 0.8 * alone < beside < 1.05 * alone  # twice the images: a little nearer to each other
    assert alone == pytest.approx(7.0, abs=0.5)


def test_it_follows_the_contrast():
    digits = load_images("digits").items
    faint = radius_of(digits // 8)
    assert faint == pytest.approx(radius_of(digits) / 8, rel=0.1)


def test_order_and_seed():
    digits = load_images("digits").items
    rows = np.arange(len(digits))
    shuffled = digits[np.random.default_rng(0).permutation(len(digits))]
    assert spacing_of(digits, rows, seed=1) == spacing_of(shuffled, rows, seed=1)
    assert spacing_of(digits, rows, seed=1) != spacing_of(digits, rows, seed=2)


def test_few_items():
    items = np.array([[0], [3], [10]], np.float32)
    assert spacing_of(items, np.arange(3)) == 3  # nearest others at 3, 3 and 7
    assert radius_of(items) == pytest.approx(3 * SHARE_OF_SPACING, rel=0.01)
    assert spacing_of(items, np.arange(1)) is None


def between(items, own):
    """Return the distance of each item to the nearest of another group, all pairs looked at."""
    flat = items.reshape(len(items), -1).astype(float)
    apart = np.sqrt(np.square(flat[:, None] - flat).mean(axis=2))
    return np.where(own[:, None] == own, np.inf, apart).min(axis=1)


def test_a_few_items_of_groups_are_measured_between_groups():
    items = np.array([[0], [1], [2], [10], [11], [30]], np.float32)
    own = np.array([0, 0, 0, 1, 1, 2])
    assert spacing_of(items, np.arange(6), kin=own) == np.median([10, 9, 8, 8, 9, 19])
    assert spacing_of(items, np.arange(3), kin=own) is None  # one group
    lone = np.concatenate([np.arange(90), [200.0]]).astype(np.float32)[:, None]
    far = np.concatenate([200 - np.arange(90.0), [111]])
    # The only item of the other group lies behind all 90 of the first.
    assert spacing_of(lone, np.arange(91), kin=np.arange(91) // 90) in far


def test_slices_of_a_patient_do_not_set_the_spacing():
    # 150 patients at random places, 8 slices of each hardly apart from each other.
    rng = np.random.default_rng(3)
    own = np.repeat(np.arange(150), 8)
    slices = np.clip(rng.normal(128, 40, (150, 5))[own] + rng.normal(0, 1, (1200, 5)), 0, 255)
    items = slices.round().astype(np.uint8)
    rows = exact_duplicates(items).representative
    truth = np.median(between(items, own))
    # A fifth of the slices is of nearly all patients, so that carrying it over to all of them takes
    # 5^(-1/5), a fourth, off at the most; 1,000 of 1,200 are measured.
    assert 0.7 * truth < spacing_of(items, rows, kin=own) < 1.1 * truth
    assert spacing_of(items, rows) < 0.2 * truth
    alone = np.arange(1200)
    assert spacing_of(items, rows, kin=alone) == spacing_of(items, rows)


def test_a_set_that_is_nearly_one_group_is_measured_whole():
    items = np.random.default_rng(4).integers(0, 256, (100, 4)).astype(np.uint8)
    own = np.zeros(100, np.int64)
    own[:2] = 1, 2
    seen = between(items, own)
    # Its median is over all but the fifth that was drawn for a part.
    assert (
        np.quantile(seen, 0.3) < spacing_of(items, np.arange(100), kin=own) < np.quantile(seen, 0.7)
    )
