"""Samples as files: the contact sheet, pixel for pixel, and names that say no format."""

from pathlib import Path

import numpy as np
import pytest

from rote.cli.model.samples import GUTTER, TILE, check_file, contact_sheet
from rote.core.errors import ConfigError


def test_a_contact_sheet_shows_each_image_in_its_place() -> None:
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] * 40 + np.zeros(
        (1, 8, 4, 3), np.uint8
    )
    sheet = np.asarray(contact_sheet(images))
    height, width = TILE, TILE // 2  # 12 times as large
    assert sheet.shape == (2 * (height + GUTTER) + GUTTER, 3 * (width + GUTTER) + GUTTER, 3)
    expected = np.full_like(sheet, 255)
    for number in range(5):
        top = GUTTER + number // 3 * (height + GUTTER)
        left = GUTTER + number % 3 * (width + GUTTER)
        expected[top : top + height, left : left + width] = number * 40
    assert (sheet == expected).all()


def test_large_grey_images_are_reduced_and_all_stay_on_one_sheet() -> None:
    sheet = contact_sheet(np.zeros((300, 200, 100, 1), np.uint8))
    assert sheet.mode == "L"
    assert sheet.size == (10 * (48 + GUTTER) + GUTTER, 10 * (96 + GUTTER) + GUTTER)


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("x.png", "image", "give the name of an npz file"),
        ("x", "vector", "only images are written as PNG"),
        ("x.csv", "image", "only rows of a table"),
        ("full", "image", "full holds something already"),
    ],
)
def test_a_wrong_name_is_refused(name: str, kind: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "old.png").touch()
    with pytest.raises(ConfigError, match=said):
        check_file(tmp_path / name, kind=kind, table=False)
    check_file(tmp_path / "new", kind="image", table=False)
