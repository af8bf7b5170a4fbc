"""The memory of a training, told before it begins."""

import pytest
import torch

from rote.core.errors import ConfigError
from rote.diffusion.config import ModelConfig, TrainConfig
from rote.diffusion.memory_estimate import footprint
from rote.diffusion.preconditioning import build_denoiser

MODEL = ModelConfig(width=16, channel_mult=(1, 2), blocks=1, attention_resolutions=())


def told(model=MODEL, shape=(1, 8, 8), **train):
    return footprint(model, TrainConfig(**{"batch": 16, "images": 64} | train), shape=shape)


def test_it_counts_what_autograd_keeps():
    denoiser = build_denoiser(MODEL, (1, 8, 8), label_count=0, seed=0)
    parameters = list(denoiser.parameters())
    own = {p.data_ptr() for p in parameters}
    kept = {}

    def keep(tensor):
        if tensor.data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        denoiser.network(torch.randn(16, 1, 8, 8), torch.randn(16), None)
    found = told()
    assert found.parameters == sum(p.numel() for p in parameters)
    assert found.state == 20 * found.parameters
    expected = sum(t.untyped_storage().nbytes() for t in kept.values())
    assert found.activations == pytest.approx(expected, rel=0.05)


def test_every_part_moves_with_what_it_depends_on():
    base = told()
    assert told(batch=32).activations == pytest.approx(2 * base.activations, rel=0.01)
    assert told(batch=32, micro_batch=16).activations == base.activations
    assert told(optimizer="sgd").state == 16 * base.parameters
    assert told(precision="bf16").activations == pytest.approx(base.activations / 2, rel=0.05)
    large = told(
        ModelConfig(width=16, channel_mult=(1, 1, 2, 2, 4, 4), blocks=1), shape=(3, 512, 512)
    )
    assert large.activations > 1000 * base.activations
    assert large.to_json()["total"] == large.state + large.activations


def test_sizes_that_cannot_be_halved_are_said():
    with pytest.raises(ConfigError, match="cannot be halved 5 times"):
        told(ModelConfig(width=16, channel_mult=(1, 1, 2, 2, 4, 4), blocks=1), shape=(3, 80, 80))
