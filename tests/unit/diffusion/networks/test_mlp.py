"""The residual perceptron: shape, gradients, labels."""

import pytest
import torch

from rote.core.errors import ConfigError
from rote.diffusion.config import ModelConfig
from rote.diffusion.networks.mlp import Mlp


@pytest.mark.parametrize("time", ["positional", "fourier"])
@pytest.mark.parametrize("labels", [0, 3])
def test_shape_and_gradients(time, labels):
    torch.manual_seed(0)
    config = ModelConfig(architecture="mlp", width=10, blocks=2, time_embedding=time, dropout=0.1)
    network = Mlp(config, (7,), labels)
    x, noise = torch.randn(4, 7), torch.randn(4)
    out = network(x, noise, torch.tensor([0, 2, 1, 0]) if labels else None)
    assert out.shape == x.shape
    (out * torch.randn_like(out)).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


def test_noise_labels_and_dropout_change_the_output():
    torch.manual_seed(0)
    config = ModelConfig(architecture="mlp", width=12, blocks=2, dropout=0.5)
    network = Mlp(config, (7,), 3)
    torch.nn.init.normal_(network.out.weight)
    x, noise, labels = torch.randn(2, 7), torch.zeros(2), torch.tensor([0, 1])
    for block in network.blocks:
        torch.nn.init.normal_(block.dense1.weight)
    assert not torch.equal(network(x, noise, labels), network(x, noise, labels))
    network.eval()
    plain = network(x, noise, labels)
    assert torch.equal(plain, network(x, noise, labels))
    assert not torch.equal(plain, network(x, noise + 1, labels))
    assert not torch.equal(plain, network(x, noise, labels.flip(0)))
    with pytest.raises(ConfigError, match="conditional on 3 labels"):
        network(x, noise)
