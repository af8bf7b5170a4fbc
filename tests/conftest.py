"""What all tests share: one seed, few threads, the CIFAR-10 files where there are any."""

import os
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch
from made_once import made_once

from rote.data.dataset import Dataset
from rote.data.load import load_images

hypothesis.settings.register_profile("rote", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.load_profile("rote")
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def cifar10_folder() -> Path:
    """Return the folder with cifar10_train.npz and cifar10_test.npz, or skip."""
    folder = os.environ.get("ROTE_TEST_CIFAR10")
    if not folder:
        pytest.skip("ROTE_TEST_CIFAR10 does not name a folder with cifar10_{train,test}.npz")
    return Path(folder)


@pytest.fixture(scope="session")
def labels_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished study of three runs; copy it to change it."""
    from rote.experiments.studies.study import run_study

    digits = load_images("digits")
    return made_once(
        tmp_path_factory,
        "labels-study",
        lambda out: run_study("labels", digits, scale="smoke", out=out, values=["true"]),
    )


@pytest.fixture(scope="session")
def noisy_copies() -> tuple[Dataset, Dataset, Dataset]:
    """Return a generated side, training and held-out digits: 80 copies, ever noisier, and 100 others."""
    digits = load_images("digits")
    order = np.random.default_rng(0).permutation(len(digits))
    training, holdout = digits.take(order[:500]), digits.take(order[500:800])
    copies = training.items[:80].astype(np.int64)
    noise = np.random.default_rng(1).normal(size=copies.shape)
    noisy = np.clip(copies + noise * np.linspace(0, 50, 80).reshape(-1, 1, 1, 1), 0, 255)
    images = np.concatenate([noisy.astype(np.uint8), digits.items[order[800:900]]])
    return Dataset(images), training, holdout


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="torch sees no CUDA device")
    if not torch.cuda.is_available():
        for item in items:
            if "cuda" in item.keywords:
                item.add_marker(skip)
