"""What all tests share: one seed, few threads, the CIFAR-10 files where there are any."""

import os
from pathlib import Path

import hypothesis
import pytest
import torch

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="torch sees no CUDA device")
    if not torch.cuda.is_available():
        for item in items:
            if "cuda" in item.keywords:
                item.add_marker(skip)
