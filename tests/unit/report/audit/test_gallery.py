"""Sheets of pictures: where the tiles lie, and what is exact."""

import base64
import io

import numpy as np
from PIL import Image

from rote.report.audit import gallery
from rote.report.audit.gallery import sheet, thumbnails


def opened(made: dict) -> np.ndarray:
    data = base64.b64decode(made["sprite"].split(",")[1])
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


def test_rows_beyond_the_height_of_a_sheet_stand_further_right(monkeypatch) -> None:
    monkeypatch.setattr(gallery, "SPRITE_HEIGHT", 20)
    tiles = np.random.default_rng(0).integers(0, 256, (7, 2, 8, 5, 3), dtype=np.uint8)
    made = sheet(tiles)
    pixels = opened(made)
    assert (made["per"], made["columns"], pixels.shape) == (2, 2, (16, 40, 3))
    for row in range(7):
        for side in range(2):
            left = (row // made["per"] * made["columns"] + side) * 5
            top = row % made["per"] * 8
            assert np.array_equal(pixels[top : top + 8, left : left + 5], tiles[row, side])


def test_small_images_are_exact_and_large_ones_thumbnails() -> None:
    for size, shrunk, width, factor in ((64, 1, 64, 1), (80, 1, 80, 1), (128, 4, 96, 5.33)):
        tiles = np.zeros((3, 1, size, size, 1), np.uint8)
        made = thumbnails(tiles, shrunk=shrunk)
        assert (made["width"], made["factor"]) == (width, factor)
        assert ("image/png" in made["sprite"]) == (size == 64)
