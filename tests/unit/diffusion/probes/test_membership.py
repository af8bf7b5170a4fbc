"""Membership by the loss: an optimum and a real model know their members; fresh items do not tell."""

import numpy as np
import pytest
import torch

from rote.core.errors import ConfigError, DataError
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.diffusion.losses import item_losses
from rote.diffusion.optimal_denoiser import OptimalDenoiser
from rote.diffusion.probes.membership import loss_gap


@pytest.fixture(scope="module")
def digits():
    found = load_images("digits")
    # drawn at random: the file is in the order of its writers
    order = np.random.default_rng(0).permutation(len(found))
    return found.take(order[:40]), found.take(order[40:440])


def test_losses_are_their_formula(digits):
    members, others = digits
    optimum = OptimalDenoiser(members)
    found = item_losses(optimum, others.take(range(70)), sigmas=(0.3, 2.0), draws=2, seed=3)
    assert found.shape == (2, 70)
    # at large noise the optimum is the mean of its set, whatever the noise
    mean = members.items.astype(np.float64).mean(0) / 127.5 - 1
    clean = others.items[:70].astype(np.float64) / 127.5 - 1
    far = item_losses(optimum, others.take(range(70)), sigmas=(1e4,), draws=1, seed=3)
    assert far[0] == pytest.approx(np.square(clean - mean).mean(axis=(1, 2, 3)), rel=1e-3)
    # one item alone, and beside others
    alone = item_losses(optimum, others.take(range(1)), sigmas=(0.3, 2.0), draws=2, seed=3)
    assert (alone[:, 0] == found[:, 0]).all()
    # another number of draws, another seed: another answer
    assert (
        item_losses(optimum, others.take(range(1)), sigmas=(0.3,), draws=1, seed=3) != alone[0]
    ).all()


def test_the_optimum_knows_its_members(digits):
    low, *_, high = loss_gap(OptimalDenoiser(digits[0]), *digits, seed=0, sigmas=(0.1, 1.0, 50.0))
    assert low.roc.auc > 0.999 and low.member_loss < 1e-6 < low.other_loss
    assert low.roc.tpr == 1 and low.difference.low > 0
    assert high.roc.auc_low < 0.6  # beyond the data's own scale it is the mean, for all alike


def test_what_cannot_be_compared_is_said(digits):
    members, others = digits
    optimum = OptimalDenoiser(members)
    with pytest.raises(DataError, match="40 training and 7 held-out items"):
        loss_gap(optimum, members, others.take(range(7)), seed=0)
    with pytest.raises(DataError, match="same shape"):
        loss_gap(optimum, members, Dataset(np.zeros((9, 4, 4, 1), np.uint8)), seed=0)
    with pytest.raises(ConfigError, match="sigma -1 lies outside"):
        loss_gap(optimum, members, others, seed=0, sigmas=(-1.0,))
    with pytest.raises(ConfigError, match="with 0 draws"):
        item_losses(optimum, members, sigmas=(1.0,), draws=0, seed=0)
    network = torch.nn.Module()
    network.sigma_min, network.sigma_max = 0.0, 10.0
    with pytest.raises(ConfigError, match="training mode"):
        item_losses(network, members, sigmas=(1.0,), draws=1, seed=0)
