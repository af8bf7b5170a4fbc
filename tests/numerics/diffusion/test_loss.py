"""EDM's unit variances and unit loss, in expectation over the noise."""

import math

import pytest
import torch

from rote.diffusion.config import ModelConfig
from rote.diffusion.preconditioning import EDM, VE, VP, build_denoiser, denoising_loss

COUNT = 200_000
# The mean of n squares of unit normals is off by sqrt(2 / n) = 0.3 %; five of these.
TOLERANCE = 5 * math.sqrt(2 / COUNT)


def draws(spread, seed=0):
    generator = torch.Generator().manual_seed(seed)
    clean, noise = torch.randn(2, COUNT, generator=generator, dtype=torch.float64)
    return spread * clean, noise


@pytest.mark.parametrize("spread", [0.3, 0.5])
@pytest.mark.parametrize("sigma", [0.002, 0.1, 0.5, 2.0, 80.0])
def test_edm_inputs_and_targets_have_unit_variance(sigma, spread):
    clean, noise = draws(spread)
    x = clean + sigma * noise
    level = torch.tensor([sigma], dtype=torch.float64)
    c_skip, c_out, c_in, _ = EDM(sigma_data=spread).coefficients(level)
    assert float((c_in * x).square().mean()) == pytest.approx(1, abs=TOLERANCE)
    assert float(((clean - c_skip * x) / c_out).square().mean()) == pytest.approx(1, abs=TOLERANCE)


@pytest.mark.parametrize("sigma", [0.002, 0.1, 2.0, 150.0])
def test_vp_inputs_and_vp_and_ve_targets_have_unit_variance(sigma):
    clean, noise = draws(1.0)
    x = clean + sigma * noise
    level = torch.tensor([sigma], dtype=torch.float64)
    for scheme in (VP(), VE()):
        c_skip, c_out, _, _ = scheme.coefficients(level)
        target = (clean - c_skip * x) / c_out  # the noise itself, up to its sign
        assert float(target.square().mean()) == pytest.approx(1, abs=TOLERANCE)
    c_in = VP().coefficients(level)[2]
    assert float((c_in * x).square().mean()) == pytest.approx(1, abs=TOLERANCE)


def silent(preconditioning, spread):
    config = ModelConfig(
        architecture="mlp", width=4, blocks=1, preconditioning=preconditioning, sigma_data=spread
    )
    denoiser = build_denoiser(config, (4,), label_count=0, seed=0)
    torch.nn.init.zeros_(denoiser.network.out.weight)
    return denoiser.double()


@pytest.mark.parametrize("spread", [0.3, 0.5])
def test_the_edm_loss_of_a_silent_network_is_one(spread):
    denoiser = silent("edm", spread)
    clean, noise = (part.view(-1, 4) for part in draws(spread))
    drawn = denoiser.precondition.draw_sigma(len(clean), torch.Generator().manual_seed(0))
    for sigma in (torch.full((len(clean),), 0.002), torch.full((len(clean),), 80.0), drawn):
        with torch.no_grad():
            loss = denoising_loss(denoiser, clean, sigma.double(), noise)
        assert float(loss.mean()) == pytest.approx(1, abs=TOLERANCE)


@pytest.mark.parametrize("preconditioning", ["vp", "ve"])
def test_the_vp_and_ve_loss_of_a_silent_network_is_the_mean_square_of_the_noise(preconditioning):
    denoiser = silent(preconditioning, 0.5)
    clean, noise = (part.view(-1, 4) for part in draws(0.5))
    sigma = denoiser.precondition.draw_sigma(len(clean), torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        loss = denoising_loss(denoiser, clean, sigma, noise)
    # D = x, so each element is its noise squared: (x + sigma n - x) cancels to 1e-16 / 1e-3 at worst
    assert torch.allclose(loss, noise**2, rtol=0, atol=1e-10)
