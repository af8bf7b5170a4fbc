"""Sampling: an image is a function of its seed and label; every option changes the images."""

import math

import numpy as np
import pytest
import torch

from rote.core.errors import ConfigError, Interrupted
from rote.diffusion.config import SampleConfig
from rote.diffusion.sample import noise_schedule, sample

SEEDS = list(range(100))
QUICK = SampleConfig(steps=2, churn=0.3)


@pytest.fixture(scope="module")
def denoiser(snapshot):
    return snapshot.denoiser()


@pytest.fixture(scope="module")
def together(denoiser):
    labels = torch.arange(100) % 10
    return sample(denoiser, SEEDS, shape=(1, 8, 8), config=QUICK, labels=labels)


@pytest.mark.parametrize("group", [7, 64, "alone", "permuted"])
def test_the_same_seeds_in_other_groups_give_the_same_bits(denoiser, together, group):
    order = list(range(100))
    if group == "permuted":
        order = np.random.default_rng(0).permutation(100).tolist()
    elif group == "alone":
        order = [0, 1, 37, 63, 64, 99]
    size = {"permuted": 100, "alone": 1}.get(group, group)
    for start in range(0, len(order), size):
        part = order[start : start + size]
        labels = torch.tensor([number % 10 for number in part])
        seeds = [SEEDS[number] for number in part]
        found = sample(denoiser, seeds, shape=(1, 8, 8), config=QUICK, labels=labels)
        assert torch.equal(found, together[part])


def test_images_are_finite_float64_and_distinct(together):
    assert together.dtype == torch.float64
    assert together.shape == (100, 1, 8, 8)
    assert torch.isfinite(together).all()
    assert len(torch.unique(together.flatten(1), dim=0)) == 100


def test_labels_are_respected(denoiser, together):
    changed = (torch.arange(100) + 1) % 10
    found = sample(denoiser, SEEDS[:8], shape=(1, 8, 8), config=QUICK, labels=changed[:8])
    assert all(not torch.equal(a, b) for a, b in zip(found, together[:8], strict=True))


@pytest.mark.parametrize(
    "changes",
    [
        {"solver": "euler"},
        {"steps": 3},
        {"rho": 3.0},
        {"sigma_min": 0.01},
        {"sigma_max": 40.0},
        {"churn": 0.6},
        {"churn_min": 1.0},
        {"churn_max": 1.0},
        {"churn_noise": 1.1},
    ],
    ids=str,
)
def test_every_option_changes_the_images(denoiser, changes):
    base = SampleConfig(steps=4, churn=0.3, tile=4)
    labels = torch.tensor([1, 2])
    configs = base, base.model_copy(update=changes)
    a, b = (sample(denoiser, [0, 1], shape=(1, 8, 8), config=c, labels=labels) for c in configs)
    assert not torch.equal(a, b)


def test_without_churn_the_churn_options_change_nothing(denoiser):
    plain = SampleConfig(steps=3, tile=4)
    other = SampleConfig(steps=3, tile=4, churn_min=1.0, churn_max=2.0, churn_noise=7.0)
    labels = torch.tensor([1, 2])
    a, b, c = (
        sample(denoiser, [0, 1], shape=(1, 8, 8), config=config, labels=labels)
        for config in (plain, plain, other)
    )
    assert torch.equal(a, b)
    assert torch.equal(a, c)


# -- the schedule ----------------------------------------------------------------------------------


def test_schedule_is_equation_five_and_ends_at_zero():
    found = noise_schedule(SampleConfig(), sigma_min=0.0, sigma_max=math.inf).numpy()
    expected = [
        (80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7 for i in range(18)
    ]
    assert np.allclose(found[:-1], expected, rtol=1e-12)  # float64, a power of 7
    assert found[-1] == 0.0
    assert len(found) == 19
    assert (np.diff(found) < 0).all()


def test_schedule_stays_within_what_the_denoiser_knows():
    found = noise_schedule(SampleConfig(), sigma_min=0.02, sigma_max=50.0)
    assert found[0] == pytest.approx(50.0, rel=1e-12)
    assert found[-2] == pytest.approx(0.02, rel=1e-12)
    one = noise_schedule(SampleConfig(steps=1), sigma_min=0.0, sigma_max=math.inf)
    assert one.tolist() == [80.0, 0.0]


class Counting:
    """A denoiser of points at zero that counts its calls."""

    sigma_min, sigma_max = 0.0, math.inf

    def __init__(self):
        self.calls = 0

    def __call__(self, x, sigma, labels=None):
        assert x.dtype == sigma.dtype == torch.float32
        self.calls += 1
        return torch.zeros_like(x)


@pytest.mark.parametrize(
    ("solver", "steps", "calls"), [("heun", 18, 35), ("euler", 18, 18), ("heun", 1, 1)]
)
def test_evaluations_for_each_sampler(solver, steps, calls):
    denoiser = Counting()
    config = SampleConfig(solver=solver, steps=steps, tile=3)
    found = sample(denoiser, range(6), shape=(2,), config=config)
    assert denoiser.calls == 2 * calls  # two tiles
    # The flow to a point mass at zero is x * sigma / sigma_0: the last step lands on it.
    assert float(found.abs().max()) < 1e-12


# -- use -------------------------------------------------------------------------------------------


def test_labels_that_do_not_fit_are_one_line(denoiser):
    with pytest.raises(ConfigError, match=r"3 seeds but labels of shape \(2,\)"):
        sample(denoiser, [1, 2, 3], shape=(1, 8, 8), labels=torch.tensor([1, 2]))
    with pytest.raises(ConfigError, match="conditional on 10 labels and got none"):
        sample(denoiser, [1], shape=(1, 8, 8))


def test_no_seeds_give_no_images(denoiser):
    assert sample(denoiser, [], shape=(1, 8, 8)).shape == (0, 1, 8, 8)


def test_progress_and_interruption_between_tiles():
    told = []
    config = SampleConfig(steps=2, tile=4)
    keep = {"shape": (2,), "config": config, "on_progress": lambda *at: told.append(at)}
    sample(Counting(), range(10), **keep)
    assert told == [(4, 10), (8, 10), (10, 10)]
    with pytest.raises(Interrupted):
        sample(Counting(), range(10), should_stop=lambda: len(told) == 4, **keep)
    assert told[3:] == [(4, 10)]
