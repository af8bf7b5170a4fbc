"""Mirrored training images, labels left out, guidance, and the choice of the optimizer."""

import numpy as np
import pytest
import torch

from rote.core.errors import ConfigError
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.diffusion.conditioning import NO_LABEL, conditioning, drawn_labels
from rote.diffusion.config import ModelConfig, SampleConfig, TrainConfig
from rote.diffusion.preconditioning import build_denoiser
from rote.diffusion.sample import sample
from rote.diffusion.training.state import TrainState
from rote.diffusion.training.step import Step

MODEL = ModelConfig(width=8, channel_mult=(1,), blocks=1, attention_resolutions=())


class Watched(torch.nn.Module):
    """A denoiser that notes what it was asked."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.seen = inner, []
        self.precondition = inner.precondition

    def forward(self, x, sigma, labels=None):
        self.seen.append((x.detach().clone(), labels))
        return self.inner(x, sigma, labels)


def step_inputs(monkeypatch, steps=20, data=None, model=MODEL, **changes):
    """Return what the network saw with no noise added: clean images and labels, over some steps."""
    data = data or load_images("digits").subset(8, seed=0)
    config = TrainConfig(batch=16, images=16 * steps, learning_rate=1e-6, **changes)
    conditions = conditioning(data, config, seed=0)
    built = build_denoiser(model, data.shape, label_count=conditions.count, seed=0)
    state = TrainState(built, config, torch.device("cpu"))
    state.denoiser = Watched(built)
    step = Step(data, config, conditions, state, seed=0, device=torch.device("cpu"))
    draw = step._draw
    none = torch.zeros(16, *data.shape)
    monkeypatch.setattr(step, "_draw", lambda seen: (*draw(seen)[:2], none))
    for _ in range(steps):
        step()
    clean = torch.cat([x for x, _ in state.denoiser.seen])
    labels = [labels for _, labels in state.denoiser.seen]
    return data, clean, None if labels[0] is None else torch.cat(labels)


@pytest.mark.parametrize("micro", [None, 4])
def test_half_of_the_images_are_mirrored_and_nothing_else_changes(monkeypatch, micro):
    _, plain, _ = step_inputs(monkeypatch)
    _, seen, _ = step_inputs(monkeypatch, mirror=True, micro_batch=micro)
    same = (seen == plain).flatten(1).all(1)
    turned = (seen == plain.flip(3)).flatten(1).all(1)
    assert (same | turned).all()
    # 320 fair coins: within 4 standard deviations (9) of 160
    assert abs(int(turned.sum()) - 160) < 36


def test_of_volumes_left_and_right_are_mirrored(monkeypatch):
    scans = Dataset(np.random.default_rng(0).integers(0, 256, (8, 2, 4, 6, 1), np.uint8))
    model = MODEL.model_copy(update={"architecture": "unet3d"})
    _, plain, _ = step_inputs(monkeypatch, steps=2, data=scans, model=model)
    _, seen, _ = step_inputs(monkeypatch, steps=2, data=scans, model=model, mirror=True)
    same = (seen == plain).flatten(1).all(1)
    turned = (seen == plain.flip(4)).flatten(1).all(1)
    assert (same ^ turned).all()
    assert 0 < int(turned.sum()) < 32


def test_micro_batches_toss_the_same_coins(monkeypatch):
    changes = {"mirror": True, "labels": "true", "label_dropout": 0.4}
    whole = step_inputs(monkeypatch, steps=3, **changes)
    parts = step_inputs(monkeypatch, steps=3, micro_batch=4, **changes)
    assert torch.equal(whole[1], parts[1])
    assert torch.equal(whole[2], parts[2])


def test_the_share_of_labels_that_was_asked_for_is_left_out(monkeypatch):
    _, _, full = step_inputs(monkeypatch, labels="true")
    _, _, some = step_inputs(monkeypatch, labels="true", label_dropout=0.3)
    left_out = some == NO_LABEL
    assert torch.equal(some[~left_out], full[~left_out])
    # 320 coins of 0.3: 96, standard deviation 8.2
    assert abs(int(left_out.sum()) - 96) < 33


class Pull:
    """A denoiser whose answer is its label; no label is answered with 0."""

    sigma_min, sigma_max = 0.0, 80.0

    def __call__(self, x, sigma, labels=None):
        value = torch.where(labels == NO_LABEL, 0, labels).to(x.dtype)
        return value[:, None, None, None].expand_as(x)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0, 3.0])
def test_guidance_is_the_weighted_sum_of_its_definition(strength):
    labels = torch.tensor([1, 2])
    config = SampleConfig(guidance=strength, steps=4, tile=2)
    drawn = sample(Pull(), [0, 1], shape=(1, 2, 2), config=config, labels=labels)
    # The answer does not depend on x, so the sampler ends on it.
    assert torch.allclose(drawn.mean((1, 2, 3)), strength * labels.double(), atol=1e-6)


def test_guidance_needs_labels():
    with pytest.raises(ConfigError, match="without labels"):
        sample(Pull(), [0], shape=(1, 2, 2), config=SampleConfig(guidance=2))
    with pytest.raises(ValueError, match="label_dropout needs labels"):
        TrainConfig(images=1, label_dropout=0.1)


def test_every_optimizer_makes_its_own_step():
    weights = {}
    for name in ("adam", "adamw", "sgd"):
        data = load_images("digits").subset(8, seed=0)
        config = TrainConfig(batch=8, images=16, optimizer=name, weight_decay=0.1)
        built = build_denoiser(MODEL, data.shape, label_count=0, seed=0)
        state = TrainState(built, config, torch.device("cpu"))
        conditions = conditioning(data, config, seed=0)
        step = Step(data, config, conditions, state, seed=0, device=torch.device("cpu"))
        step()
        step()
        weights[name] = torch.cat([p.detach().flatten() for p in built.parameters()])
    assert not torch.equal(weights["adam"], weights["adamw"])
    assert not torch.equal(weights["adam"], weights["sgd"])


def test_labels_that_no_image_has_are_not_drawn():
    data = load_images("digits")
    few = data.take(np.flatnonzero(np.isin(data.labels, (1, 7)))[:30])
    conditions = conditioning(few, TrainConfig(images=1, labels="true"), seed=0)
    assert conditions.unused() == [0, 2, 3, 4, 5, 6, 8, 9]
    found = drawn_labels(conditions.count, 400, unused=conditions.unused(), seed=5)
    assert set(found) == {1, 7}
    assert abs(int((found == 1).sum()) - 200) < 50  # 400 fair coins, 5 standard deviations


def test_labels_that_all_have_images_are_drawn_as_ever():
    conditions = conditioning(load_images("digits"), TrainConfig(images=1, labels="true"), seed=0)
    assert conditions.unused() == []
    expected = np.random.default_rng(5).integers(10, size=400)
    assert np.array_equal(drawn_labels(10, 400, unused=[], seed=5), expected)
