"""Child seeds: pinned values, distinct streams, and no global random state touched anywhere."""

import random
from typing import get_args

import numpy as np
import pytest
import torch

from rote.core.seeds import Purpose, child_seed
from rote.data.load import load_images
from rote.diffusion.config import ModelConfig, SampleConfig, TrainConfig
from rote.diffusion.preconditioning import build_denoiser
from rote.diffusion.sample import sample
from rote.diffusion.training.loop import train


def test_values_never_change_between_versions():
    # First 8 bytes of SHA-256 of "rote:0:noise:1" and so on, shifted right by one bit.
    assert child_seed(0, "noise", 1) == 8278450552580736448
    assert child_seed(0, "init") == 28237324974092314
    assert child_seed(-3, "subset", 7, 8) == 5641051493352242282


def test_purposes_keys_and_roots_are_distinct():
    purposes = get_args(Purpose)
    seeds = [child_seed(r, p, *k) for r in (0, 1, 11) for p in purposes for k in ((), (1,), (1, 1))]
    seeds += [child_seed(1, "noise", 11), child_seed(1, "noise", 11, 1)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_an_unknown_purpose_is_our_own_mistake():
    with pytest.raises(AssertionError, match="nois"):
        child_seed(0, "nois")


def test_nothing_touches_the_global_generators(tmp_path):
    # rich draws ids for its styles from the global generator when it is imported, which is none of rote.
    import rich.progress
    import rich.style  # noqa: F401

    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    model = ModelConfig(width=8, channel_mult=(1,), blocks=1, attention_resolutions=(), dropout=0.5)
    config = TrainConfig(batch=4, images=8, labels="random", order="shuffled")
    data = load_images("digits").subset(10, seed=1)
    snapshot = train(data, model, config, out=tmp_path / "run", seed=2)
    build_denoiser(model, data.shape, label_count=3, seed=4)
    settings = SampleConfig(steps=2, tile=2, churn=1.0)
    labels = torch.tensor([0, 1])
    sample(snapshot.denoiser(), [1, 2], shape=data.shape, config=settings, labels=labels)
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    assert before[0] == after[0]
    assert before[1] == after[1]
    assert torch.equal(before[2], after[2])
