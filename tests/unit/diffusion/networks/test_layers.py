"""Building blocks against closed forms and loops."""

import math

import numpy as np
import pytest
import torch

from rote.diffusion.networks.layers import (
    Attention,
    FourierEmbedding,
    PositionalEmbedding,
    Resample,
    UNetBlock,
    conv,
    from_blocks,
    linear,
    norm,
    to_blocks,
)


def images(channels=8, side=8):
    return torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(0))


def test_weights_start_xavier_uniform():
    # Uniform on [-a, a], a = gain sqrt(6 / (fan in + fan out)): standard deviation a / sqrt(3).
    torch.manual_seed(0)
    for layer, fans, gain in [
        (conv(64, 32, 3), 9 * 96, 1.0),
        (linear(300, 100, gain=1e-5), 400, 1e-5),
    ]:
        bound = gain * math.sqrt(6 / fans)
        assert float(layer.weight.detach().abs().max()) <= bound * (1 + 1e-6)  # float32
        # The standard deviation of n uniform draws is off by about 0.45 / sqrt(n) of itself.
        tolerance = 5 * 0.45 / math.sqrt(layer.weight.numel())
        assert float(layer.weight.detach().std()) == pytest.approx(
            bound / math.sqrt(3), rel=tolerance
        )
        assert not layer.bias.any()


@pytest.mark.parametrize(
    ("channels", "groups"), [(128, 32), (256, 32), (16, 4), (8, 2), (3, 1), (20, 5), (132, 22)]
)
def test_group_norm_has_groups_of_at_least_four(channels, groups):
    layer = norm(channels)
    assert layer.num_groups == groups
    x = images(channels).double()
    grouped = x.numpy().reshape(2, groups, -1)
    mean, variance = grouped.mean(2, keepdims=True), grouped.var(2, keepdims=True)
    expected = ((grouped - mean) / np.sqrt(variance + 1e-6)).reshape(x.shape)
    # float64 throughout; 1e-12 is thousands of its roundings
    assert np.allclose(layer.double()(x).detach(), expected, rtol=0, atol=1e-12)


def test_positional_embedding_is_the_closed_form():
    c = torch.tensor([0.0, 0.5, 999.0])
    frequencies = [10_000 ** (-i / 3) for i in range(4)]
    expected = [
        [math.sin(v * f) for f in frequencies] + [math.cos(v * f) for f in frequencies]
        for v in c.tolist()
    ]
    # float32 angles up to 999 carry 999 * 6e-8 = 6e-5
    assert torch.allclose(PositionalEmbedding(8)(c), torch.tensor(expected), rtol=0, atol=1e-4)


def test_fourier_embedding_is_the_closed_form_and_saved():
    torch.manual_seed(0)
    layer = FourierEmbedding(4000)
    assert float(layer.frequencies.std()) == pytest.approx(16, rel=5 / math.sqrt(2 * 2000))
    assert "frequencies" in layer.state_dict()  # it is drawn, so it belongs to the weights
    angle = 2 * math.pi * 0.25 * layer.frequencies.double()
    expected = torch.cat([angle.cos(), angle.sin()])
    # float32 angles up to 2 pi 64 / 4 = 100 carry 100 * 6e-8
    assert torch.allclose(layer(torch.tensor([0.25]))[0].double(), expected, rtol=0, atol=3e-5)


def filtered(x, taps, direction):
    """Filter along the last axis: every second output, or zeros between the inputs."""
    h = np.array(taps) / sum(taps)
    pad = (len(taps) - 1) // 2
    n = x.shape[-1]
    if direction == "down":
        wide = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(pad, pad)])
        return np.stack([wide[..., 2 * i : 2 * i + len(h)] @ h for i in range(n // 2)], -1)
    out = np.zeros((*x.shape[:-1], 2 * n + 2 * len(h)))
    for i in range(n):
        out[..., 2 * i : 2 * i + len(h)] += x[..., i : i + 1] * 2 * h
    return out[..., pad : pad + 2 * n]


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize("taps", [(1, 1), (1, 3, 3, 1), (1, 5, 10, 10, 5, 1)])
def test_resampling_is_a_separable_filter(direction, taps):
    x = images(3)
    rows = filtered(x.double().numpy(), taps, direction)
    expected = filtered(rows.swapaxes(2, 3), taps, direction).swapaxes(2, 3)
    found = Resample(direction, taps)(x).numpy()
    assert found.shape == expected.shape
    # at most 36 float32 products of values below 5
    assert np.allclose(found, expected, rtol=0, atol=36 * 5 * 6e-8)


@pytest.mark.parametrize("direction", ["down", "up"])
def test_the_box_is_the_general_case(direction):
    box, general = Resample(direction, (1, 1)), Resample(direction, (1, 1))
    general.is_box = False
    # four float32 additions of values below 5
    assert torch.allclose(box(images()), general(images()), rtol=0, atol=4 * 5 * 6e-8)


def test_attention_is_the_softmax_over_the_pixels():
    torch.manual_seed(0)
    layer = Attention(8).double()
    torch.nn.init.normal_(layer.out.weight)
    x = images().double()
    with torch.no_grad():
        q, k, v = layer.qkv(layer.norm(x)).flatten(2).numpy().reshape(2, 3, 8, 64).swapaxes(0, 1)
        scores = np.einsum("bci,bcj->bij", q, k) / math.sqrt(8)
        weights = np.exp(scores) / np.exp(scores).sum(2, keepdims=True)
        mixed = torch.from_numpy(np.einsum("bij,bcj->bci", weights, v).reshape(x.shape))
        assert torch.allclose(layer(x), layer.out(mixed), rtol=0, atol=1e-12)  # float64


def test_a_block_starts_as_its_shortcut_and_keeps_variance():
    torch.manual_seed(0)
    block = UNetBlock(8, 8, 16, dropout=0.0)
    x, embedded = images(), torch.randn(2, 16)
    # The last convolution's weights are of order 1e-5 * sqrt(6 / 144), over 72 inputs.
    assert torch.allclose(block(x, embedded), x * math.sqrt(0.5), rtol=0, atol=1e-4)
    changed = UNetBlock(8, 12, 16, dropout=0.0, attention=True, resample="down")
    assert changed(x, embedded).shape == (2, 12, 4, 4)


def test_dropout_drops_in_training_only():
    torch.manual_seed(0)
    block = UNetBlock(8, 8, 16, dropout=0.5)
    x, embedded = images(), torch.randn(2, 16)
    assert not torch.equal(block(x, embedded), block(x, embedded))
    block.eval()
    assert torch.equal(block(x, embedded), block(x, embedded))


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize("taps", [(1, 1), (1, 3, 3, 1)])
def test_series_are_resampled_by_the_same_filter(direction, taps):
    x = images(3)[:, :, 0]
    expected = filtered(x.double().numpy(), taps, direction)
    found = Resample(direction, taps, axes=1)(x).numpy()
    assert found.shape == expected.shape
    # at most 6 float32 products of values below 5
    assert np.allclose(found, expected, rtol=0, atol=6 * 5 * 6e-8)


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize("taps", [(1, 1), (1, 3, 3, 1)])
def test_volumes_are_resampled_by_the_same_filter(direction, taps):
    x = torch.randn(2, 3, 4, 6, 8, generator=torch.Generator().manual_seed(0))
    expected = x.double().numpy()
    for axis in (2, 3, 4):
        expected = filtered(expected.swapaxes(axis, 4), taps, direction).swapaxes(axis, 4)
    found = Resample(direction, taps, axes=3)(x).numpy()
    assert found.shape == expected.shape
    # at most 216 float32 products of values below 5
    assert np.allclose(found, expected, rtol=0, atol=216 * 5 * 6e-8)


@pytest.mark.parametrize("attention", [False, True])
def test_a_block_for_images_is_one_for_volumes_of_depth_1(attention):
    # There a 3x3x3 convolution sees zeros above and below: only its middle plane counts.
    torch.manual_seed(0)
    deep = UNetBlock(4, 8, 16, dropout=0.0, attention=attention, axes=3).double()
    flat = UNetBlock(4, 8, 16, dropout=0.0, attention=attention).double()
    state = {}
    for name, value in deep.state_dict().items():
        value.copy_(torch.randn_like(value))
        state[name] = value[:, :, value.shape[2] // 2] if value.ndim == 5 else value
    flat.load_state_dict(state)
    x, embedded = torch.randn(2, 4, 6, 5).double(), torch.randn(2, 16).double()
    found = deep(x[:, :, None], embedded)[:, :, 0]
    assert torch.allclose(found, flat(x, embedded), rtol=0, atol=1e-12)  # float64


def test_blocks_of_voxels_become_channels_and_come_back():
    x = torch.arange(2 * 4 * 2 * 6).view(1, 2, 4, 2, 6)
    blocks = to_blocks(x, 2)
    assert blocks.shape == (1, 16, 2, 1, 3)
    for channel in range(2):
        block = x[0, channel, 2:4, 0:2, 4:6]
        assert (
            blocks[0, 8 * channel : 8 * channel + 8, 1, 0, 2].tolist() == block.flatten().tolist()
        )
    assert torch.equal(from_blocks(blocks, 2), x)


@pytest.mark.parametrize("attention", [False, True])
def test_a_block_for_series_is_one_for_images_of_height_1(attention):
    # There a 3x3 convolution sees zeros above and below: only its middle row counts.
    torch.manual_seed(0)
    flat = UNetBlock(4, 8, 16, dropout=0.0, attention=attention).double()
    line = UNetBlock(4, 8, 16, dropout=0.0, attention=attention, axes=1).double()
    state = {}
    for name, value in flat.state_dict().items():
        value.copy_(torch.randn_like(value))
        state[name] = value[:, :, value.shape[2] // 2] if value.ndim == 4 else value
    line.load_state_dict(state)
    x, embedded = torch.randn(2, 4, 12).double(), torch.randn(2, 16).double()
    expected = flat(x[:, :, None], embedded)[:, :, 0]
    assert torch.allclose(line(x, embedded), expected, rtol=0, atol=1e-12)  # float64
