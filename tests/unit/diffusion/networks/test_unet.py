"""The U-Net: sizes of the paper's networks, skip switches, gradients, labels."""

import itertools
import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from rote.core.errors import ConfigError
from rote.diffusion.config import ModelConfig
from rote.diffusion.networks.unet import NoiseAndLabelEmbedding, UNet
from rote.experiments.config import preset

NCSN = {"time_embedding": "fourier", "encoder": "residual", "resampling_filter": (1, 3, 3, 1)}
SMALL = {"width": 8, "channel_mult": (1, 2, 2), "blocks": 2, "attention_resolutions": (4,)}


def built(shape=(3, 8, 8), label_count=0, **changes):
    torch.manual_seed(0)
    network = UNet(ModelConfig(**(SMALL | changes)), shape, label_count)
    with torch.no_grad():  # layers that start near zero would hide what the others do
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return network.eval()


def inputs(shape=(3, 8, 8)):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, *shape, generator=generator), torch.tensor([0.3, -1.0])


@pytest.mark.parametrize(("changes", "count"), [({}, 35_125_251), (NCSN, 35_788_035)])
def test_the_papers_networks_have_its_sizes(changes, count):
    # 35.13 M and 35.79 M parameters
    config = preset("paper").model.model_copy(update=changes)
    with torch.device("meta"):
        network = UNet(config, (3, 32, 32))
    assert sum(p.numel() for p in network.parameters()) == count


def test_a_forward_image_of_the_paper_costs_25_gflop():
    with torch.device("meta"):
        network = UNet(preset("paper").model, (3, 32, 32))
        x, noise = torch.empty(1, 3, 32, 32), torch.empty(1)
    with FlopCounterMode(display=False) as counter:
        network(x, noise)
    assert counter.get_total_flops() == pytest.approx(25.4e9, abs=0.05e9)  # the digits given


COMBINATIONS = list(
    itertools.product(
        ("positional", "fourier"), ("standard", "residual"), ((1, 1), (1, 3, 3, 1)), (0, 3)
    )
)


@pytest.mark.parametrize(("time", "encoder", "taps", "labels"), COMBINATIONS)
def test_shape_and_gradients_of_every_architecture(time, encoder, taps, labels):
    changes = {"time_embedding": time, "encoder": encoder, "resampling_filter": taps}
    network = built(label_count=labels, dropout=0.1, **changes).train()
    x, noise = inputs()
    out = network(x, noise, torch.tensor([0, 2]) if labels else None)
    assert out.shape == x.shape
    out.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 16), (1, 28, 28)])
def test_other_shapes(shape):
    x, noise = inputs(shape)
    assert built(shape)(x, noise).shape == x.shape


@pytest.mark.parametrize("changes", [{}, NCSN])
def test_keeping_all_skips_changes_no_bit(changes):
    x, noise = inputs()
    with torch.no_grad():
        every = built(skips=tuple(range(1, 10)), **changes)(x, noise)
        assert torch.equal(every, built(**changes)(x, noise))


def skip_traffic(network):
    """Record what the encoder makes, in the order of the skips, and what each decoder block gets."""
    made, got = [], []
    layers = [network.input]
    for level, stage in enumerate(network.encoder):
        layers += [*([network.halvings[level - 1]] if level else []), *stage]
    for layer in layers:
        layer.register_forward_hook(lambda _, __, out: made.append(out))
    for stage in network.decoder:
        for block in stage:
            block.register_forward_pre_hook(lambda _, given: got.append(given[0]))
    return made, got


@pytest.mark.parametrize("kept", [(), (1,), (5,), (9,), (2, 4, 7), (1, 2, 3, 4, 5, 6, 7, 8)])
def test_a_skip_that_is_not_kept_feeds_zeros(kept):
    network = built(skips=kept)
    made, got = skip_traffic(network)
    with torch.no_grad():
        network(*inputs())
    assert len(made) == len(got) == 9
    for number, (skip, received) in enumerate(zip(made, reversed(got), strict=True), start=1):
        fed = received[:, -skip.shape[1] :]
        assert torch.equal(fed, skip if number in kept else torch.zeros_like(skip))


@pytest.mark.parametrize("off", range(1, 10))
def test_every_switch_changes_the_output(off):
    x, noise = inputs()
    with torch.no_grad():
        kept = tuple(number for number in range(1, 10) if number != off)
        assert not torch.equal(built(skips=kept)(x, noise), built()(x, noise))


def test_gradients_reach_the_encoder_by_the_remaining_paths_only():
    # With the middle cut, the encoder's last block sees the loss by skip 9 alone, and its first by
    # no path at all once skip 9 is the only one left and that block's output is detached.
    for kept, reached in [((9,), True), ((1,), False), ((), False)]:
        network = built(skips=kept)
        network.middle[0].register_forward_pre_hook(lambda _, given: (given[0].detach(), given[1]))
        network(*inputs()).square().sum().backward()
        grad = network.encoder[2][1].conv1.weight.grad
        assert (grad is not None and bool(grad.any())) == reached, kept
        reached_input = network.input.weight.grad
        assert (reached_input is not None and bool(reached_input.any())) == bool(kept), kept


def test_labels_enter_as_scaled_one_hot_through_a_linear_map_with_bias():
    torch.manual_seed(0)
    embed = NoiseAndLabelEmbedding(ModelConfig(width=8), 5, 32).double()
    torch.nn.init.normal_(embed.label_map.bias)
    noise, labels = torch.tensor([0.1, 0.7]).double(), torch.tensor([4, 1])
    columns = embed.label_map.weight.T[labels] * math.sqrt(5) + embed.label_map.bias
    silu = torch.nn.functional.silu
    expected = silu(embed.dense1(silu(embed.dense0(embed.time(noise) + columns))))
    assert torch.allclose(embed(noise, labels), expected, rtol=0, atol=1e-13)  # float64


def test_missing_labels_are_one_line():
    with pytest.raises(ConfigError, match="conditional on 3 labels and got none; give labels"):
        built(label_count=3)(*inputs())


def test_sizes_that_cannot_be_halved_are_one_line():
    with pytest.raises(ConfigError, match="images of 10x8 cannot be halved 2 times"):
        UNet(ModelConfig(**SMALL), (3, 8, 10))


@pytest.mark.parametrize("changes", [{}, NCSN])
def test_series_go_through_the_same_network_along_one_axis(changes):
    network = built((2, 24), architecture="unet1d", **changes)
    x, c_noise = inputs((2, 24))
    out = network(x, c_noise)
    assert out.shape == x.shape
    out.square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in network.parameters())
    # Every time of the output depends on every time of the input, through the attention.
    moved = x.clone()
    moved[:, :, 0] += 1
    assert bool((network(moved, c_noise) != out).any(dim=(0, 1)).all())


def test_series_that_cannot_be_halved():
    with pytest.raises(
        ConfigError, match="series of 10 times cannot be halved 2 times; cut or pad"
    ):
        built((1, 10), architecture="unet1d")


@pytest.mark.parametrize(("changes", "patch"), [({}, 1), (NCSN, 2)])
def test_volumes_go_through_the_same_network_along_three_axes(changes, patch):
    shape = (2, 4 * patch, 8 * patch, 4 * patch)
    network = built(shape, architecture="unet3d", patch=patch, **changes)
    x, c_noise = inputs(shape)
    out = network(x, c_noise)
    assert out.shape == x.shape
    out.square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in network.parameters())
    # Every voxel of the output depends on every voxel of the input, through the attention.
    moved = x.clone()
    moved[:, :, 0, 0, 0] += 1
    assert bool((network(moved, c_noise) != out).any(dim=(0, 1)).all())


def test_no_axis_of_volumes_is_another():
    """With kernels that are transposed alike, a transposed volume gives the transposed output."""
    shape = (1, 4, 8, 12)
    network = built(shape, architecture="unet3d", patch=1, channel_mult=(1, 2)).double()
    x, c_noise = (given.double() for given in inputs(shape))
    out = network(x, c_noise)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 5:
                parameter.copy_(parameter.permute(0, 1, 4, 2, 3).clone())
    turned = network(x.permute(0, 1, 4, 2, 3), c_noise)
    assert torch.allclose(turned, out.permute(0, 1, 4, 2, 3), rtol=0, atol=1e-11)  # float64


def test_volumes_that_cannot_be_halved():
    with pytest.raises(
        ConfigError,
        match=r"volumes of 24x24x20 voxels, in blocks of 2, cannot be halved 2 times; choose `crop` as "
        r"multiples of 8, or a smaller model\.patch",
    ):
        built((1, 24, 24, 20), architecture="unet3d")
    with pytest.raises(ConfigError, match=r"in blocks of 8, leave a rest; .* multiples of 8, or a"):
        built((1, 24, 24, 20), architecture="unet3d", channel_mult=(1,), patch=8)
