"""What the tests of the diffusion room share: real digits and small networks."""

import pytest
import torch

from rote.data.load import load_images
from rote.diffusion.checkpoint import load_checkpoint, save_snapshot
from rote.diffusion.config import ModelConfig
from rote.diffusion.preconditioning import build_denoiser


@pytest.fixture(scope="session")
def digits():
    return load_images("digits")


@pytest.fixture(scope="session")
def small():
    return ModelConfig(width=8, channel_mult=(1, 2), blocks=1, attention_resolutions=(4,))


@pytest.fixture(scope="session")
def snapshot(digits, small, tmp_path_factory):
    """A conditional network as a training saves it, with nothing in it near zero, and no training."""
    data = digits.subset(64, seed=0)
    denoiser = build_denoiser(small, data.shape, label_count=10, seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    raw = denoiser.state_dict()
    path = tmp_path_factory.mktemp("snapshot") / "checkpoints" / "1280.safetensors"
    path.parent.mkdir()
    facts = {"labels": "true", "label_dropout": 0.0, "scaling": None, "seed": 0}
    save_snapshot(
        path,
        model=small,
        shape=data.shape,
        label_count=10,
        images_seen=1280,
        facts=facts | {"dataset": data.digest},
        raw=raw,
        ema={name: 0.9 * value for name, value in raw.items()},
    )
    return load_checkpoint(path)
