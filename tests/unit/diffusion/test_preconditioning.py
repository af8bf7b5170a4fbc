"""Preconditioning against table 1 of Karras et al. (2022), written out independently."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from rote.core.errors import ConfigError
from rote.diffusion.config import ModelConfig
from rote.diffusion.preconditioning import (
    EDM,
    VE,
    VP,
    Denoiser,
    build_denoiser,
    denoising_loss,
    preconditioning,
)

SIGMAS = np.geomspace(0.02, 100, 50)


def vp_time(sigma):
    return (math.sqrt(0.1**2 + 2 * 19.9 * math.log(1 + sigma**2)) - 0.1) / 19.9


TABLE = {
    "vp": lambda s: (1, -s, 1 / math.sqrt(s**2 + 1), 999 * vp_time(s)),
    "ve": lambda s: (1, s, 1, math.log(s / 2)),
    "edm": lambda s: (
        0.3**2 / (s**2 + 0.3**2),
        s * 0.3 / math.sqrt(0.3**2 + s**2),
        1 / math.sqrt(s**2 + 0.3**2),
        math.log(s) / 4,
    ),
}
WEIGHTS = {
    "vp": lambda s: 1 / s**2,
    "ve": lambda s: 1 / s**2,
    "edm": lambda s: (s**2 + 0.3**2) / (s * 0.3) ** 2,
}


@pytest.mark.parametrize("name", ["vp", "ve", "edm"])
def test_coefficients_and_weights_are_those_of_the_table(name):
    scheme = preconditioning(ModelConfig(preconditioning=name, sigma_data=0.3))
    sigma = torch.from_numpy(SIGMAS)
    found = np.stack([c.numpy() for c in scheme.coefficients(sigma)])
    expected = np.array([TABLE[name](s) for s in SIGMAS]).T
    # float64; the textbook form of VP's time cancels up to 3 digits at sigma = 0.02
    assert np.allclose(found, expected, rtol=1e-11, atol=1e-14)
    weights = np.array([WEIGHTS[name](s) for s in SIGMAS])
    assert np.allclose(scheme.weight(sigma).numpy(), weights, rtol=1e-14)
    # What the network predicts counts the same at every noise level.
    assert np.allclose(scheme.weight(sigma).numpy() * found[1] ** 2, 1, rtol=1e-12)


def test_vp_noise_and_time_are_inverse():
    t = torch.from_numpy(np.geomspace(1e-5, 1, 200))
    # float64: a few roundings, of terms that all have one sign
    assert torch.allclose(VP().time(VP().sigma(t)), t, rtol=1e-14, atol=0)
    assert VP().sigma_min == pytest.approx(math.sqrt(math.expm1(19.9e-10 / 2 + 1e-6)), rel=1e-14)
    assert VP().sigma_max == pytest.approx(math.sqrt(math.expm1(19.9 / 2 + 0.1)), rel=1e-14)


def test_ends_of_the_noise():
    assert (VE().sigma_min, VE().sigma_max) == (0.02, 100.0)
    assert (EDM().sigma_min, EDM().sigma_max) == (0.0, math.inf)


CUMULATIVE = {
    "vp": lambda s: (np.vectorize(vp_time)(s) - 1e-5) / (1 - 1e-5),
    "ve": lambda s: np.log(s / 0.02) / np.log(100 / 0.02),
    "edm": lambda s: stats.norm.cdf((np.log(s) + 1.2) / 1.2),
    "more noise": lambda s: stats.norm.cdf((np.log(s) - 0.5) / 1.6),
}
MORE_NOISE = {"p_mean": 0.5, "p_std": 1.6}


@pytest.mark.parametrize("name", CUMULATIVE)
def test_training_noise_has_its_distribution(name):
    count = 100_000
    generator = torch.Generator().manual_seed(0)
    asked = MORE_NOISE if name == "more noise" else {"preconditioning": name}
    scheme = preconditioning(ModelConfig(**asked))
    drawn = np.sort(scheme.draw_sigma(count, generator).double().numpy())
    distance = np.abs(CUMULATIVE[name](drawn) - (np.arange(count) + 0.5) / count).max()
    # Dvoretzky, Kiefer, Wolfowitz: farther apart than this in one of a million samples only
    assert distance < math.sqrt(math.log(2 / 1e-6) / (2 * count))


def test_a_denoiser_is_equation_seven():
    class Twice(torch.nn.Module):
        def forward(self, x, c_noise, labels):
            return 2 * x + c_noise[:, None, None, None] + labels[:, None, None, None]

    denoiser = Denoiser(Twice(), EDM(sigma_data=0.3), label_count=4)
    x, sigma, labels = torch.randn(2, 1, 2, 2).double(), torch.tensor([0.1, 5.0]).double(), [3, 1]
    found = denoiser(x, sigma, torch.tensor(labels))
    for row, (s, label) in enumerate(zip(sigma.tolist(), labels, strict=True)):
        skip, out, into, noise = TABLE["edm"](s)
        expected = skip * x[row] + out * (2 * into * x[row] + noise + label)
        assert torch.allclose(found[row], expected, rtol=1e-13)


def test_loss_is_the_weighted_squared_error_of_each_element():
    denoiser = build_denoiser(
        ModelConfig(architecture="mlp", width=8, blocks=1), (3,), label_count=0, seed=0
    ).double()
    clean, noise = torch.randn(2, 4, 3).double()
    sigma = torch.tensor([0.1, 0.5, 2.0, 9.0]).double()
    error = denoiser(clean + sigma[:, None] * noise, sigma) - clean
    expected = error**2 * EDM().weight(sigma)[:, None]
    assert torch.allclose(denoising_loss(denoiser, clean, sigma, noise), expected, rtol=1e-13)


def test_weights_are_a_function_of_the_seed(small):
    def first(seed):
        return build_denoiser(small, (1, 8, 8), label_count=0, seed=seed).network.input.weight

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))


@pytest.mark.parametrize(
    ("architecture", "shape", "message"),
    [
        ("unet", (5,), "model.architecture is 'unet'; vectors need 'mlp'"),
        ("mlp", (1, 8, 8), "model.architecture is 'mlp'; images need 'unet'"),
    ],
)
def test_the_architecture_must_fit_the_data(architecture, shape, message):
    with pytest.raises(ConfigError, match=message):
        build_denoiser(ModelConfig(architecture=architecture), shape, label_count=0, seed=0)
