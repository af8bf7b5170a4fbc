"""Whole trainings: resume bit for bit, what a run leaves, every option changes the weights."""

import random

import numpy as np
import pytest
import torch
from little_memory import limited

from rote.core.atomic_files import read_json
from rote.core.errors import ConfigError, Interrupted, RunError
from rote.core.run_folder import read_metrics
from rote.data.convert import for_models
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.diffusion.checkpoint import read_tensors, snapshot_paths
from rote.diffusion.config import ModelConfig, SampleConfig, TrainConfig
from rote.diffusion.draw import draw
from rote.diffusion.preconditioning import build_denoiser
from rote.diffusion.sample import sample
from rote.diffusion.training.loop import train
from rote.diffusion.training.step import Order

DROPOUT = {"width": 8, "channel_mult": (1, 2), "blocks": 1, "attention_resolutions": ()}


def stop_after(steps):
    """Stop at the question number ``steps``, counted from 0."""
    asked = iter(range(steps + 1))
    return lambda: next(asked, steps) == steps


def files(folder):
    """All that a run leaves, apart from times and versions."""
    paths = [*sorted((folder / "checkpoints").iterdir()), folder / "metrics.jsonl"]
    return {path.name: path.read_bytes() for path in [*paths, folder / "config.json"]}


# -- resuming --------------------------------------------------------------------------------------


RUNS = {
    "mirrored, labels left out, micro-batches": {
        "micro_batch": 4,
        "mirror": True,
        "labels": "true",
        "label_dropout": 0.3,
    },
    "momentum": {"optimizer": "sgd"},
    "fixed order, micro-batches, random labels": {
        "order": "fixed",
        "micro_batch": 4,
        "labels": "random",
        "random_classes": 3,
        "warmup_images": 20,
    },
    "shuffled, true labels, AdamW": {
        "labels": "true",
        "optimizer": "adamw",
        "weight_decay": 0.1,
        "ema_halflife_images": 30,
        "warmup_epochs": 1,
    },
    "bf16": {"precision": "bf16"},
}


@pytest.mark.parametrize("name", RUNS)
def test_resuming_anywhere_equals_the_uninterrupted_run(name, digits, tmp_path):
    data = digits.subset(20, seed=0)
    model = ModelConfig(dropout=0.2, **DROPOUT)
    # Twelve steps; log lines after steps 3, 6, 9, 12, snapshots after 5, 10, 12.
    durations = {"batch": 8, "images": 96, "log_images": 24, "snapshot_images": 40}
    config = TrainConfig(**durations, **RUNS[name])
    train(data, model, config, out=tmp_path / "whole", seed=1)
    expected = files(tmp_path / "whole")
    assert sorted(expected) == sorted(
        ["40.safetensors", "80.safetensors", "96.safetensors", "config.json", "metrics.jsonl"]
    )
    for stops in [(0, 1, 4), (5, 2, 2), (7, 4), (11,)]:
        out = tmp_path / f"stops-{stops}"
        for steps in stops:
            with pytest.raises(Interrupted):
                train(data, model, config, out=out, seed=1, should_stop=stop_after(steps))
        train(data, model, config, out=out, seed=1)
        assert files(out) == expected
    pieces = [
        train(data, model, config, out=tmp_path / "pieces", seed=1, until=seen).images_seen
        for seen in (40, 40, 80, 96, 40)
    ]
    assert pieces == [40, 40, 80, 96, 40]
    assert files(tmp_path / "pieces") == expected


def test_volumes_are_trained_resumed_and_drawn_alike(tmp_path):
    scans = Dataset(np.random.default_rng(0).integers(0, 256, (6, 4, 8, 4, 1), np.uint8))
    model = ModelConfig(architecture="unet3d", **DROPOUT)
    config = TrainConfig(batch=4, images=24, mirror=True)
    whole = train(scans, model, config, out=tmp_path / "whole", seed=1)
    with pytest.raises(Interrupted):
        train(scans, model, config, out=tmp_path / "two", seed=1, should_stop=stop_after(3))
    train(scans, model, config, out=tmp_path / "two", seed=1)
    assert files(tmp_path / "two") == files(tmp_path / "whole")
    assert whole.shape == (1, 4, 8, 4)
    quick = SampleConfig(steps=2, tile=4)
    five, six = (draw(whole, count, seed=3, device="cpu", config=quick) for count in (5, 6))
    assert (six.kind, six.items.shape) == ("volume", (6, 4, 8, 4, 1))
    assert np.array_equal(five.items, six.items[:5])
    assert not np.array_equal(six.items[4], six.items[5])


def test_a_snapshot_half_way_is_a_training_of_half_the_length(digits, tmp_path):
    """What `rote.emm.budget` rests on: nothing in a training depends on how long it will be."""
    data, model = digits.subset(8, seed=0), ModelConfig(**DROPOUT)
    means = {"batch": 8, "warmup_images": 20, "ema_rampup": 0.1, "snapshot_images": 48}
    paths = []
    for images in (96, 48):
        train(data, model, TrainConfig(images=images, **means), out=tmp_path / str(images), seed=0)
        paths.append(tmp_path / str(images) / "checkpoints" / "48.safetensors")
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_finished_run_is_returned_as_it_is(trained, digits, small):
    before = trained.path.stat().st_mtime_ns
    config = TrainConfig(batch=32, images=1280, learning_rate=3e-3, labels="true")
    folder = trained.path.parents[1]
    again = train(digits.subset(64, seed=0), small, config, out=folder, seed=0)
    assert again == trained
    assert trained.path.stat().st_mtime_ns == before
    with pytest.raises(RunError, match=r"train.learning_rate is 0.003 there and 0.001 here"):
        other = config.model_copy(update={"learning_rate": 1e-3})
        train(digits.subset(64, seed=0), small, other, out=folder, seed=0)


def test_what_a_run_leaves(trained, digits):
    folder = trained.path.parents[1]
    assert [path.stem for path in snapshot_paths(folder)] == ["1280"]
    assert not (folder / "checkpoints" / "state.safetensors").exists()
    config, manifest = read_json(folder / "config.json"), read_json(folder / "manifest.json")
    assert config["dataset"]["digest"] == digits.subset(64, seed=0).digest
    assert config["dataset"]["count"] == 64
    assert {"versions", "created", "seed", "device", "precision", "seconds"} <= set(manifest)
    (row,) = read_metrics(folder / "metrics.jsonl")
    assert list(row) == ["images_seen", "loss"]
    # An untrained EDM network has loss near 1 on data of standard deviation 0.5; digits have 0.75.
    assert 0.2 < row["loss"] < 3


def test_progress_is_told_at_log_lines(digits, small, tmp_path):
    told = []
    config = TrainConfig(batch=8, images=40, log_images=16)
    train(
        digits.subset(8, seed=0),
        small,
        config,
        out=tmp_path,
        seed=0,
        on_progress=lambda seen, total: told.append((seen, total)),
    )
    assert told == [(16, 40), (32, 40), (40, 40)]
    assert [row["images_seen"] for row in read_metrics(tmp_path / "metrics.jsonl")] == [16, 32, 40]


def test_vectors_train_and_record_their_scaling(tmp_path):
    data, scaling = for_models(load_images("iris"))
    model = ModelConfig(architecture="mlp", width=8, blocks=1)
    found = train(data, model, TrainConfig(batch=16, images=32), out=tmp_path, seed=0)
    assert found.shape == (4,)
    assert found.facts["scaling"] == scaling.to_json()


# -- every option changes an output ----------------------------------------------------------------


def final_weights(digits, out, *, seed=0, model=None, **changes):
    base = {"batch": 8, "images": 32, "ema_halflife_images": 100, "ema_rampup": None}
    config = TrainConfig(**(base | changes))
    model = model or ModelConfig(**DROPOUT)
    found = train(digits.subset(12, seed=0), model, config, out=out, seed=seed)
    return read_tensors(found.path)


@pytest.fixture(scope="module")
def plain_weights(digits, tmp_path_factory):
    return final_weights(digits, tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "changes",
    [
        {"batch": 16},
        {"images": 40},
        {"optimizer": "adamw", "weight_decay": 0.5},
        {"weight_decay": 0.5},
        {"learning_rate": 1e-3},
        {"warmup_images": 20},
        {"warmup_epochs": 2},
        {"ema_halflife_images": 50},
        {"ema_rampup": 0.01},
        {"ema_rampup": 0.01, "ema_rampup_reference": 48},
        {"precision": "bf16"},
        {"order": "fixed"},
        {"labels": "true"},
        {"labels": "random"},
        {"labels": "unique"},
        {"seed": 1},
        {"model": ModelConfig(dropout=0.1, **DROPOUT)},
        {"model": ModelConfig(preconditioning="vp", **DROPOUT)},
        {"model": ModelConfig(preconditioning="ve", **DROPOUT)},
        {"model": ModelConfig(sigma_data=0.7, **DROPOUT)},
    ],
    ids=str,
)
def test_every_option_changes_the_weights(changes, digits, plain_weights, tmp_path):
    changed = final_weights(digits, tmp_path, **changes)
    key = "ema.network.out.weight"
    assert torch.isfinite(changed[key]).all()
    assert not torch.equal(plain_weights[key], changed[key])


def test_a_batch_may_be_larger_than_the_data(digits, small, tmp_path):
    assert np.bincount(Order(3, seed=0, fixed=False).batch(0, 12)).tolist() == [4, 4, 4]
    found = train(
        digits.subset(3, seed=0), small, TrainConfig(batch=8, images=16), out=tmp_path, seed=0
    )
    assert found.images_seen == 16


def test_a_run_that_ran_out_of_memory_says_so_in_its_manifest(digits, tmp_path, monkeypatch):
    def built(*arguments, **values):
        denoiser = build_denoiser(*arguments, **values)
        limited(8)(denoiser)
        return denoiser

    monkeypatch.setattr("rote.diffusion.training.loop.build_denoiser", built)
    told = []
    config = TrainConfig(batch=16, images=32)
    train(
        digits.subset(20, seed=0),
        ModelConfig(**DROPOUT),
        config,
        out=tmp_path,
        seed=0,
        on_note=told.append,
    )
    assert told == read_json(tmp_path / "manifest.json")["notes"]
    assert len(told) == 1 and "goes on with 8" in told[0]
    assert read_json(tmp_path / "config.json")["train"]["micro_batch"] is None


def test_a_trained_transformer_is_saved_and_loaded(tmp_path):
    data = load_images("digits").subset(16, seed=0)
    model = ModelConfig(architecture="transformer", width=16, heads=2, blocks=2)
    config = TrainConfig(batch=16, images=48, snapshot_images=48, learning_rate=1e-3)
    checkpoint = train(data, model, config, out=tmp_path, seed=0)
    loaded = checkpoint.denoiser(weights="raw")
    start = build_denoiser(model, data.shape, label_count=0, seed=0)
    x, sigma = torch.randn(2, 1, 8, 8), torch.tensor([0.5, 1.0])
    assert torch.equal(loaded(x, sigma), checkpoint.denoiser(weights="raw")(x, sigma))
    assert not torch.equal(loaded(x, sigma), start(x, sigma))


@pytest.mark.parametrize("how", ["logged", "saved", "stopped"])
def test_a_training_that_diverges_is_one_line_and_leaves_no_such_weights(how, tmp_path):
    vectors = Dataset(np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32))
    model = ModelConfig(architecture="mlp", width=8, blocks=1)
    logged = {"logged": 4, "saved": 4000, "stopped": 4000}[how]
    config = TrainConfig(batch=4, images=400, learning_rate=1e30, log_images=logged)
    stop = stop_after(20 if how == "stopped" else 10_000)
    with pytest.raises(
        RunError, match=r"diverged before .* images: .* a lower train\.learn"
    ) as caught:
        train(vectors, model, config, out=tmp_path, seed=0, should_stop=stop)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("checkpoints/*.safetensors"))


def test_vectors_cannot_be_mirrored(tmp_path):
    vectors = Dataset(np.zeros((4, 3), np.float32))
    model = ModelConfig(architecture="mlp", width=8, blocks=1)
    config = TrainConfig(batch=4, images=4, mirror=True)
    with pytest.raises(ConfigError, match=r"train\.mirror is for images"):
        train(vectors, model, config, out=tmp_path, seed=0)


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
