"""What the tests of trainings share: real digits, a small network, and one that was trained."""

import pytest

from rote.data.load import load_images
from rote.diffusion.config import ModelConfig, TrainConfig
from rote.diffusion.training.loop import train


@pytest.fixture(scope="session")
def digits():
    return load_images("digits")


@pytest.fixture(scope="session")
def small():
    return ModelConfig(width=8, channel_mult=(1, 2), blocks=1, attention_resolutions=(4,))


@pytest.fixture(scope="session")
def trained(digits, small, tmp_path_factory):
    """A conditional network after 40 steps."""
    config = TrainConfig(batch=32, images=1280, learning_rate=3e-3, labels="true")
    folder = tmp_path_factory.mktemp("trained")
    return train(digits.subset(64, seed=0), small, config, out=folder, seed=0)
