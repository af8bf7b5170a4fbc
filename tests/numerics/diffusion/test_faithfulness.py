"""Both networks of the paper against references written apart from them, with the weights transferred."""

import itertools

import pytest
import torch
from reference_unets import Spec, Weights, denoised, embedding, network

from rote.diffusion.config import ModelConfig
from rote.diffusion.networks.unet import UNet
from rote.diffusion.preconditioning import Denoiser, preconditioning

# float64, values of order 1: thousands of roundings stay below it, and any other arithmetic does not
TOLERANCE = 1e-6
NETWORKS = {"DDPM++": Spec(), "NCSN++": Spec(ncsn=True, fourier=True)}


def inputs(count=2):
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(count, 3, 8, 8, generator=generator, dtype=torch.float64)
    return x, torch.linspace(-1.5, 2.5, count, dtype=torch.float64)


def ours(spec, skips=None, **changes):
    config = ModelConfig(
        width=spec.width,
        channel_mult=spec.mult,
        blocks=spec.blocks,
        attention_resolutions=spec.attention,
        time_embedding="fourier" if spec.fourier else "positional",
        encoder="residual" if spec.ncsn else "standard",
        resampling_filter=spec.taps,
        skips=skips,
        dropout=0.13,
        **changes,
    )
    shape = (spec.channels, spec.resolution, spec.resolution)
    return config, UNet(config, shape, spec.labels).double().eval()


def transferred(w, spec, **changes):
    """Return our network with the reference's weights; every one of both has its place."""
    config, built = ours(spec, **changes)
    state, used = {}, set()

    def take(theirs, mine):
        for kind in ("weight", "bias"):
            state[f"{mine}.{kind}"] = w[f"{theirs}.{kind}"]
            used.add(f"{theirs}.{kind}")

    def take_block(theirs, mine):
        for name in ("norm0", "conv0", "affine", "norm1", "conv1"):
            take(f"{theirs}.{name}", f"{mine}.{name}")
        if f"{theirs}.skip.weight" in w:
            take(f"{theirs}.skip", f"{mine}.shortcut")
        if f"{theirs}.qkv.weight" in w:
            for name, own in [("norm2", "norm"), ("qkv", "qkv"), ("proj", "out")]:
                take(f"{theirs}.{name}", f"{mine}.attention.{own}")
            for kind in (
                "weight",
                "bias",
            ):  # theirs by channel, then q, k, v; ours q, k, v, each whole
                key = f"{mine}.attention.qkv.{kind}"
                state[key] = torch.cat([state[key][part::3] for part in range(3)])

    if spec.fourier:
        state["embed.time.frequencies"] = w["fourier"]
        used.add("fourier")
    else:  # float32 of the same closed form, which has its own test
        half = spec.noise // 2
        state["embed.time.frequencies"] = 1e4 ** -(torch.arange(half).double() / (half - 1))
    take("map_layer0", "embed.dense0")
    take("map_layer1", "embed.dense1")
    if spec.labels:
        take("map_label", "embed.label_map")
    if spec.fourier:  # ours are cosines, then sines
        half = spec.noise // 2
        swap = [*range(half, 2 * half), *range(half)]
        state["embed.dense0.weight"] = state["embed.dense0.weight"][:, swap]
        if spec.labels:
            for kind in ("weight", "bias"):
                state[f"embed.label_map.{kind}"] = state[f"embed.label_map.{kind}"][swap]
    take(f"enc.{spec.resolution}.conv", "input")
    levels = len(spec.mult)
    for level in range(levels):
        res, stage = spec.resolution >> level, levels - 1 - level
        if level:
            take_block(f"enc.{res}.down", f"halvings.{level - 1}")
            if spec.ncsn:
                take(f"enc.{res}.aux", f"pyramid.{level - 1}.conv")
        for number in range(spec.blocks):
            take_block(f"enc.{res}.{number}", f"encoder.{level}.{number}")
        if level < levels - 1:
            take_block(f"dec.{res}.up", f"doublings.{stage - 1}")
        for number in range(spec.blocks + 1):
            take_block(f"dec.{res}.{number}", f"decoder.{stage}.{number}")
    bottom = spec.resolution >> (levels - 1)
    take_block(f"dec.{bottom}.in0", "middle.0")
    take_block(f"dec.{bottom}.in1", "middle.1")
    take("out_norm", "out_norm")
    take("out_conv", "out")
    assert used == set(w)
    built.load_state_dict(state)
    return config, built


def compare(spec, *, labels=None):
    """Both networks on the same inputs."""
    w = Weights()
    x, c_noise = inputs()
    one_hot = None
    if labels is not None:
        one_hot = torch.zeros(len(x), spec.labels, dtype=torch.float64)
        for row, label in enumerate(labels):
            if label >= 0:
                one_hot[row, label] = 1
    expected = network(w, spec, x, c_noise, one_hot=one_hot)
    _, built = transferred(w, spec)
    with torch.no_grad():
        found = built(x, c_noise, None if labels is None else torch.tensor(labels))
    assert float(expected.abs().mean()) > 0.05
    assert float((found - expected).abs().max()) < TOLERANCE


# The patterns of the paper's commands: all, and one, two or three of one resolution; and none at all.
PATTERNS = [tuple(range(1, 10)), ()] + [
    tuple(first + place for place in chosen)
    for first in (1, 4, 7)
    for count in (1, 2, 3)
    for chosen in itertools.combinations(range(3), count)
]


@pytest.mark.parametrize("spec", NETWORKS.values(), ids=NETWORKS)
def test_every_skip_pattern(spec):
    w, (x, c_noise) = Weights(), inputs(1)
    switches = [[float(number in kept) for number in range(1, 10)] for kept in PATTERNS]
    rows, noise = x.expand(len(PATTERNS), -1, -1, -1), c_noise.expand(len(PATTERNS))
    kept_rows = torch.tensor(switches, dtype=torch.float64)
    outputs = network(w, spec, rows, noise, kept=kept_rows)
    _, built = transferred(w, spec)
    for expected, kept in zip(outputs, PATTERNS, strict=True):
        _, switched = ours(spec, skips=kept)
        switched.load_state_dict(built.state_dict())
        with torch.no_grad():
            assert float((switched(x, c_noise)[0] - expected).abs().max()) < TOLERANCE, kept
    for one, other in itertools.combinations(outputs, 2):  # no pattern is another's
        assert float((one - other).abs().max()) > 100 * TOLERANCE


@pytest.mark.parametrize("spec", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize(
    ("count", "labels"),
    [(1, (0, 0)), (10, (3, 9)), (100, (99, 0)), (10, (-1, 4))],
    ids=["one", "true or random", "unique", "left out"],
)
def test_every_label_kind(spec, count, labels):
    compare(Spec(ncsn=spec.ncsn, fourier=spec.fourier, labels=count), labels=labels)


@pytest.mark.parametrize(
    ("ncsn", "fourier"),
    [(False, True), (True, False)],
    ids=["DDPM++, Fourier", "NCSN++, sinusoids"],
)
def test_either_network_with_the_time_embedding_of_the_other(ncsn, fourier):
    compare(Spec(ncsn=ncsn, fourier=fourier))


@pytest.mark.parametrize(
    "changes",
    [{"mult": (1, 2)}, {"blocks": 4}, {"resolution": 16, "attention": (8,)}, {"attention": ()}],
    ids=str,
)
@pytest.mark.parametrize("ncsn", [False, True], ids=NETWORKS)
def test_other_depths_and_levels(ncsn, changes):
    spec = Spec(ncsn=ncsn, fourier=ncsn, **changes)
    w = Weights()
    x = torch.randn(1, 3, spec.resolution, spec.resolution, dtype=torch.float64)
    c_noise = torch.tensor([0.4], dtype=torch.float64)
    expected = network(w, spec, x, c_noise)
    with torch.no_grad():
        found = transferred(w, spec)[1](x, c_noise)
    assert float((found - expected).abs().max()) < TOLERANCE


@pytest.mark.parametrize(
    ("name", "kind"), [("DDPM++", "vp"), ("NCSN++", "ve"), ("DDPM++", "edm")], ids=str
)
@pytest.mark.parametrize("sigma", [0.02, 0.7, 80.0])
def test_the_denoisers_around_them(name, kind, sigma):
    w, spec = Weights(), NETWORKS[name]
    x = inputs()[0]
    noisy = x * sigma + 0.3
    expected = denoised(lambda y, c: network(w, spec, y, c), kind, noisy, sigma)
    config, built = transferred(w, spec, preconditioning=kind)
    denoiser = Denoiser(built, preconditioning(config), label_count=0)
    with torch.no_grad():
        found = denoiser(noisy, torch.full((2,), sigma, dtype=torch.float64))
    assert float((found - expected).abs().max()) < TOLERANCE * sigma


def test_the_embedding_is_the_papers_order_for_positions():
    # Sines first: what a label adds to a channel adds to a sine.
    w, spec = Weights(), Spec(labels=3)
    c_noise = torch.tensor([1.7], dtype=torch.float64)
    one_hot = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)
    network(w, spec, inputs(1)[0], c_noise, one_hot=one_hot)
    built = transferred(w, spec)[1]
    with torch.no_grad():
        found = built.embed(c_noise, torch.tensor([1]))
    assert torch.allclose(found, embedding(w, spec, c_noise, one_hot), rtol=0, atol=1e-12)
