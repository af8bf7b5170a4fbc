"""Solvers on Gaussian data, where the flow and each sampler's output are known in closed form.

For data N(0, s^2) the optimum is D(x, sigma) = x s^2 / (s^2 + sigma^2), and the flow from sigma_0 to
sigma is x(sigma) = x_0 sqrt((s^2 + sigma^2) / (s^2 + sigma_0^2)).
"""

import itertools
import math

import numpy as np
import pytest

from rote.diffusion.config import SampleConfig
from rote.diffusion.sample import noise_schedule, sample

SPREAD = 0.5


class Gaussian:
    """The optimum on N(0, SPREAD^2)."""

    sigma_min, sigma_max = 0.0, math.inf

    def __call__(self, x, sigma, labels=None):
        return x * (SPREAD**2 / (SPREAD**2 + sigma**2))[:, None]


def starts(count, dimension):
    """The noise that the sampler starts from, by one Euler step over a denoiser of zeros."""

    class Nothing(Gaussian):
        def __call__(self, x, sigma, labels=None):
            return 2 * x  # x - D = -x: the one step from sigma to 0 doubles x

    found = sample(
        Nothing(), range(count), shape=(dimension,), config=SampleConfig(steps=1, tile=8)
    )
    return found / 2


@pytest.mark.parametrize(("solver", "order"), [("heun", 2), ("euler", 1)])
def test_the_fitted_order_of_convergence(solver, order):
    low, high = 0.002, 80.0
    x0 = starts(8, 16)
    assert float(x0.std()) == pytest.approx(80, rel=5 / math.sqrt(2 * 128))
    # The last step, from sigma_min to 0, is Euler's for both and returns D: exact, not an error.
    flow = x0 * math.sqrt((SPREAD**2 + low**2) / (SPREAD**2 + high**2))
    exact = flow * SPREAD**2 / (SPREAD**2 + low**2)
    steps = np.array([32, 64, 128, 256])
    errors = []
    for count in steps.tolist():
        config = SampleConfig(solver=solver, steps=count, tile=8)
        found = sample(Gaussian(), range(8), shape=(16,), config=config)
        errors.append(float((found - exact).abs().max() / exact.abs().max()))
    fitted = -np.polyfit(np.log(steps - 1), np.log(errors), 1)[0]
    # The next term of the error moves the fit by its share, about 1 / 32 at the coarsest; rounding of
    # D to float32 (1e-6 in all) stays a hundredth of the smallest error.
    assert fitted == pytest.approx(order, abs=0.1), errors
    assert min(errors) > 1e-5


def exact_spread(config):
    """Standard deviation of a sampler's output: each step is linear, so variances follow exactly."""
    levels = noise_schedule(config, sigma_min=0.0, sigma_max=math.inf).tolist()
    variance = levels[0] ** 2

    def slope(sigma):  # (x - D) / sigma = x sigma / (s^2 + sigma^2)
        return sigma / (SPREAD**2 + sigma**2)

    for now, following in itertools.pairwise(levels):
        if config.churn:
            raised = now * (1 + min(config.churn / config.steps, math.sqrt(2) - 1))
            variance += (raised**2 - now**2) * config.churn_noise**2
            now = raised
        factor = 1 + (following - now) * slope(now)
        if config.solver == "heun" and following > 0:
            second = slope(following) * factor
            factor = 1 + (following - now) * (slope(now) + second) / 2
        variance *= factor**2
    return math.sqrt(variance)


@pytest.mark.parametrize("churn", [0.0, 5.0, 40.0, 1000.0])
@pytest.mark.parametrize("solver", ["heun", "euler"])
def test_samples_have_the_spread_that_the_algorithm_implies(solver, churn):
    config = SampleConfig(solver=solver, steps=32, churn=churn, tile=100)
    found = sample(Gaussian(), range(100), shape=(300,), config=config)
    # 30,000 independent normals: the standard deviation is off by 1 / sqrt(2 n) = 0.4 % of itself.
    tolerance = 4 / math.sqrt(2 * found.numel())
    assert float(found.std()) == pytest.approx(exact_spread(config), rel=tolerance)
    assert float(found.mean()) == pytest.approx(0, abs=4 * SPREAD / math.sqrt(found.numel()))


@pytest.mark.parametrize("churn", [0.0, 40.0])
def test_the_spread_converges_to_that_of_the_data(churn):
    # churn's noise is drawn at every step, so this holds with and without it
    spreads = [exact_spread(SampleConfig(steps=n, churn=churn)) for n in (64, 256, 1024)]
    misses = [abs(spread / SPREAD - 1) for spread in spreads]
    assert misses[0] > misses[1] > misses[2]
    assert misses[2] < 1e-3  # second order: under 2 % at 64 steps becomes 256 times less
