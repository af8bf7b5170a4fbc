"""Samples on the disk come back as they were drawn, and rote reads their file as any other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.experiments.mitigation.stages import kept_samples

CAPTIONS = ("a cat", None, "", "None")
SEEDS = np.arange(4)
IMAGES = Dataset(
    np.random.default_rng(0).integers(256, size=(4, 8, 8, 1), dtype=np.uint8), seeds=SEEDS
)


@pytest.mark.parametrize("captions", [CAPTIONS, ("a", "b", "a", "b"), ()])
def test_samples_come_back_with_every_caption_as_it_was(tmp_path: Path, captions: tuple) -> None:
    drawn = replace(IMAGES, captions=captions, labels=np.array([0, 1, 1, 0]), classes=("x", "y"))
    path = tmp_path / "drawn.npz"
    for found in (
        kept_samples(path, {"count": 4}, lambda: drawn, like=IMAGES),
        kept_samples(path, {"count": 4}, pytest.fail, like=IMAGES),
        load_images(path),
    ):
        assert np.array_equal(found.items, drawn.items) and np.array_equal(found.seeds, SEEDS)
        assert found.captions == captions
        assert np.array_equal(found.labels, drawn.labels) and found.classes == drawn.classes


@pytest.mark.parametrize("shape", [(4, 5), (4, 6, 2)])
def test_vectors_and_series_come_back(tmp_path: Path, shape: tuple[int, ...]) -> None:
    items = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    drawn, path = Dataset(items, seeds=SEEDS), tmp_path / "drawn.npz"
    assert kept_samples(path, {}, lambda: drawn, like=drawn).digest == drawn.digest
    assert kept_samples(path, {}, pytest.fail, like=drawn).labels is None
