"""Channels and sizes against Pillow itself."""

import numpy as np
import pytest
from PIL import Image

from rote.data.load import load_images
from rote.data.resample import fit_images, resize, set_channels

RNG = np.random.default_rng(0)


def test_grey_equals_pillow():
    # 2 ** 15 random colors and the corners of the cube: the fixed-point formula has no slack.
    colors = RNG.integers(0, 256, (1, 2**15, 3), dtype=np.uint8)
    colors[0, :8] = [[r, g, b] for r in (0, 255) for g in (0, 255) for b in (0, 255)]
    wanted = np.asarray(Image.fromarray(colors).convert("L"))
    assert np.array_equal(set_channels(colors, 1)[..., 0], wanted)


def test_channels_that_are_there_are_kept():
    image = RNG.integers(0, 256, (2, 3, 3), dtype=np.uint8)
    assert set_channels(image, None) is image
    assert set_channels(image, 3) is image
    assert np.array_equal(set_channels(image[..., :1], 3)[..., 2], image[..., 0])


@pytest.mark.parametrize(
    ("height", "width", "box"),  # left, top, right, bottom of the centered square
    [(8, 8, (0, 0, 8, 8)), (9, 4, (0, 2, 4, 6)), (4, 9, (2, 0, 6, 4)), (7, 10, (1, 0, 8, 7))],
)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resolution", [1, 3, 4, 12])
def test_resize_is_crop_then_lanczos(height, width, box, channels, resolution):
    pixels = RNG.integers(0, 256, (height, width, channels), dtype=np.uint8)
    image = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).crop(box)
    wanted = np.asarray(image.resize((resolution, resolution), Image.Resampling.LANCZOS))
    assert np.array_equal(resize(pixels, resolution), wanted.reshape(resolution, resolution, -1))


def test_all_images_as_one_by_one_across_chunks():
    images = RNG.integers(0, 256, (1100, 6, 4, 3), dtype=np.uint8)
    fitted = fit_images(images, resolution=3, channels=1)
    for i in (0, 511, 512, 1099):
        assert np.array_equal(fitted[i], resize(set_channels(images[i], 1), 3))


def test_nothing_to_do_returns_the_input():
    images = RNG.integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    assert fit_images(images, resolution=None, channels=None) is images
    assert fit_images(images, resolution=4, channels=3) is images


def test_files_and_arrays_agree(tmp_path):
    images = RNG.integers(0, 256, (5, 9, 7, 3), dtype=np.uint8)
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    for resolution in (None, 4):
        for channels in (None, 1, 3):
            options = {"resolution": resolution, "channels": channels}
            assert load_images(tmp_path, **options).digest == load_images(images, **options).digest


def test_every_option_changes_the_data():
    plain = load_images("digits")
    assert load_images("digits", resolution=4).shape == (1, 4, 4)
    assert load_images("digits", channels=3).shape == (3, 8, 8)
    both = load_images("digits", resolution=4, channels=3)
    assert len({plain.digest, both.digest, load_images("digits", channels=3).digest}) == 3
    assert np.array_equal(both.labels, plain.labels)
