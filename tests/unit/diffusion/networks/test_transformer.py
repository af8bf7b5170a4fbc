"""The diffusion transformer: shape, gradients, labels, positions, save and load, patches."""

import pytest
import torch

from rote.core.errors import ConfigError
from rote.diffusion.config import ModelConfig
from rote.diffusion.networks.transformer import Transformer, positions
from rote.diffusion.preconditioning import build_denoiser

SMALL = {"architecture": "transformer", "width": 16, "heads": 2, "blocks": 2}


def built(shape=(3, 8, 8), label_count=0, **changes):
    torch.manual_seed(0)
    network = Transformer(ModelConfig(**(SMALL | changes)), shape, label_count)
    with torch.no_grad():  # layers that start near zero would hide what the others do
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return network.eval()


def inputs(shape=(3, 8, 8)):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, *shape, generator=generator), torch.tensor([0.3, -1.0])


@pytest.mark.parametrize("time", ["positional", "fourier"])
@pytest.mark.parametrize("labels", [0, 3])
def test_shape_and_gradients(time, labels):
    config = ModelConfig(**SMALL, time_embedding=time, dropout=0.1)
    torch.manual_seed(0)
    network = Transformer(config, (3, 8, 8), labels)  # as it starts: near zero is not zero
    x, noise = inputs()
    out = network(x, noise, torch.tensor([0, 2]) if labels else None)
    assert out.shape == x.shape
    (out - x).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize(("shape", "patch"), [((1, 8, 8), 1), ((3, 8, 12), 4)])
def test_other_shapes_and_patches(shape, patch):
    x, noise = inputs(shape)
    assert built(shape, patch=patch)(x, noise).shape == shape_of(x)


def shape_of(x):
    return x.shape


def test_cutting_and_joining_are_inverse_and_a_token_is_a_patch():
    network = built()
    x, _ = inputs()
    tokens = network._cut(x)
    assert torch.equal(network._join(tokens, x.shape), x)
    assert torch.equal(tokens[0, 1], x[0, :, 0:2, 2:4].flatten())


def test_every_token_has_its_own_position():
    table = positions(3, 5, 16)
    assert table.shape == (15, 16)
    assert len(torch.unique(table, dim=0)) == 15


def test_noise_and_labels_change_the_output_and_no_label_is_one_of_its_own():
    network = built(label_count=2)
    x, noise = inputs()
    first, second = (network(x, noise, torch.tensor(pair)) for pair in ([0, 0], [1, 1]))
    neither = network(x, noise, torch.tensor([-1, -1]))
    for a, b in ((first, second), (first, neither), (second, neither)):
        assert not torch.allclose(a, b)
    assert not torch.allclose(first, network(x, noise + 1, torch.tensor([0, 0])))


def test_bad_input_is_one_line():
    with pytest.raises(ConfigError, match="cannot be cut into patches of 3 pixels"):
        built(patch=3)
    with pytest.raises(ValueError, match="multiple of 4"):
        ModelConfig(architecture="transformer", width=18)
    with pytest.raises(ValueError, match="skips and encoder are for the U-Net"):
        ModelConfig(**SMALL, skips=(1,))
    with pytest.raises(ConfigError, match="vectors need 'mlp'"):
        build_denoiser(ModelConfig(**SMALL), (7,), label_count=0, seed=0)
