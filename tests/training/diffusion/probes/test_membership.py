"""Membership by the loss of models that were trained."""

import numpy as np
import pytest

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.diffusion.config import ModelConfig, TrainConfig
from rote.diffusion.probes.membership import checkpoint_loss_gap, loss_gap
from rote.diffusion.training.loop import train


@pytest.fixture(scope="module")
def digits():
    found = load_images("digits")
    # drawn at random: the file is in the order of its writers
    order = np.random.default_rng(0).permutation(len(found))
    return found.take(order[:40]), found.take(order[40:440])


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
