"""Sources that are sharded: one file of arrays, one folder of images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shards import PIXELS


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    np.savez_compressed(tmp_path / "source.npz", images=PIXELS)
    return tmp_path / "source.npz"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for number in range(20):
        Image.fromarray(PIXELS[number]).save(tmp_path / "images" / f"{number:02}.png")
    return tmp_path / "images"
