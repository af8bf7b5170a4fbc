"""The radius of near-duplicates: spacing in closed form, twins that must not fool it, real digits."""

import io

import numpy as np
import pytest
from PIL import Image

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
