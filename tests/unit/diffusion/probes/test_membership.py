"""Membership by the loss: an optimum and a real model know their members; fresh items do not tell."""

import numpy as np
import pytest
import torch

from rote.core.errors import ConfigError, DataError
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.diffusion.config import ModelConfig, TrainConfig
from rote.diffusion.losses import item_losses
from rote.diffusion.optimal_denoiser import OptimalDenoiser
from rote.diffusion.probes.membership import checkpoint_loss_gap, loss_gap
from rote.diffusion.training.loop import train


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


def test_a_real_model_knows_its_members_and_the_swap_says_so(digits, tmp_path):
    members, others = digits
    model = ModelConfig(width=16, channel_mult=(1,), blocks=1, attention_resolutions=())
    config = TrainConfig(
        batch=40, images=40 * 250, learning_rate=3e-3, ema_halflife_images=400,
        snapshot_images=40 * 250, log_images=4000,
    )  # fmt: skip
    checkpoint = train(members, model, config, out=tmp_path / "run", seed=0)
    found = checkpoint_loss_gap(checkpoint, *digits, seed=0, sigmas=(0.2, 0.4), draws=2)
    best = max(level["roc"]["auc"] for level in found["levels"])
    assert best > 0.75
    assert all(level["member_loss"] < level["other_loss"] for level in found["levels"])
    turned = loss_gap(checkpoint.denoiser(), others, members, seed=0, sigmas=(0.2,), draws=2)
    assert turned[0].roc.auc < 0.5
    fresh = loss_gap(checkpoint.denoiser(), others.take(range(200)), others.take(range(200, 400)),
                     seed=0, sigmas=(0.2, 0.4), draws=2)  # fmt: skip
    assert all(level.roc.auc_low < 0.5 < level.roc.auc_high for level in fresh)
    with pytest.raises(DataError, match="was trained on other data"):
        checkpoint_loss_gap(checkpoint, others, members, seed=0)


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


def test_held_out_items_that_are_members_are_left_out(digits, tmp_path):
    members, others = digits
    model = ModelConfig(width=8, channel_mult=(1,), blocks=1, attention_resolutions=())
    config = TrainConfig(batch=16, images=160, snapshot_images=160, log_images=160)
    checkpoint = train(members, model, config, out=tmp_path / "run", seed=0)
    leaky = Dataset(np.concatenate([others.items[:30], members.items[:10]]))
    plain = Dataset(others.items[:30])
    found, clean = (
        checkpoint_loss_gap(checkpoint, members, side, seed=0, sigmas=(0.4,), draws=1)
        for side in (leaky, plain)
    )
    assert (found["holdout_in_training"], clean["holdout_in_training"]) == (10, 0)
    assert found["holdout"]["count"] == 30
    assert found["levels"] == clean["levels"]
