"""The moving average: closed-form decay, ramp-up, the update by hand."""

import pytest
import torch

from rote.diffusion.config import TrainConfig
from rote.diffusion.training.ema import Ema, ema_decay
from rote.diffusion.training.flat_parameters import FlatParameters


def decay(seen, *, size=1000, **values):
    return ema_decay(TrainConfig(images=1, **values), images_seen=seen, size=size)


def test_the_papers_decay():
    assert decay(10**9, batch=512, ema_halflife_images=500_000) == 0.5 ** (512 / 500_000)
    assert decay(10**9, batch=512, ema_halflife_images=500_000) == pytest.approx(0.99929, abs=5e-6)


def test_half_is_left_after_a_half_life():
    assert decay(1, ema_rampup=None, batch=10, ema_halflife_images=70) ** 7 == pytest.approx(0.5)


def test_ramp_up_caps_the_half_life_and_is_rescaled():
    values = {"batch": 100, "ema_halflife_images": 10_000, "ema_rampup": 0.05}
    assert decay(2000, **values) == 0.5 ** (100 / 100)
    assert decay(10**6, **values) == 0.5 ** (100 / 10_000)
    # the paper's reference: half-life 0.05 * seen * 50,000 / N
    assert decay(2000, ema_rampup_reference=50_000, **values) == 0.5 ** (100 / 5000)
    assert decay(2000, ema_rampup_reference=50_000, size=100_000, **values) == 0.5 ** (100 / 50)


def test_no_half_life_means_no_average():
    assert decay(5, ema_halflife_images=0) == 0.0
    assert decay(5, ema_rampup=0) == 0.0
    module = torch.nn.Linear(3, 2)
    ema = Ema(module, FlatParameters(module))
    with torch.no_grad():
        module.weight += 1.7
    ema.update(0.0)
    assert torch.equal(ema.tensors["weight"], module.weight)


def test_update_is_the_linear_mix():
    torch.manual_seed(0)
    module = torch.nn.Linear(3, 2).double()
    ema = Ema(module, FlatParameters(module))
    expected = module.weight.detach().clone()
    for number, factor in enumerate([0.9, 0.5, 0.2]):
        with torch.no_grad():
            module.weight += number + 1
        ema.update(factor)
        expected = factor * expected + (1 - factor) * module.weight.detach()
        assert torch.allclose(ema.tensors["weight"], expected, rtol=1e-14)
    assert not ema.tensors["weight"].requires_grad


def test_buffers_are_copied():
    module = torch.nn.BatchNorm1d(3)
    ema = Ema(module, FlatParameters(module))
    assert set(ema.tensors) == set(module.state_dict())
    ema.update(0.5)
    assert torch.equal(ema.tensors["running_var"], module.running_var)
