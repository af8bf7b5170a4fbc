"""Model, training and sampling configurations: durations, snapshots, refusals."""

import pytest
from pydantic import ValidationError

from rote.diffusion.config import ModelConfig, SampleConfig, TrainConfig


@pytest.mark.parametrize(
    ("values", "size", "total", "snapshots"),
    [
        ({"batch": 64, "images": 640, "snapshot_images": 200}, 10, 640, [192, 384, 576, 640]),
        ({"batch": 64, "images": 641, "snapshot_images": 10**6}, 10, 704, [704]),
        ({"batch": 10, "epochs": 2.5, "snapshot_images": 1}, 10, 30, [10, 20, 30]),
        ({"batch": 7, "epochs": 1, "snapshot_images": 14}, 28, 28, [14, 28]),
    ],
)
def test_durations_are_whole_batches_and_the_end_is_a_snapshot(values, size, total, snapshots):
    config = TrainConfig(**values)
    assert config.total_images(size) == total
    assert config.snapshots(size) == snapshots


def test_the_papers_run_at_1000_images():
    config = TrainConfig(batch=512, epochs=40_000)
    assert config.total_images(1000) == 40_000_000 == 78_125 * 512
    assert len(config.snapshots(1000)) == 16
    assert config.snapshots(1000)[0] == 4883 * 512  # 2.5 M images, as whole batches


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (TrainConfig, {}, "exactly one of images and epochs"),
        (TrainConfig, {"images": 1, "epochs": 1}, "exactly one of images and epochs"),
        (TrainConfig, {"images": 1, "batch": 8, "micro_batch": 3}, "micro_batch 3 must divide"),
        (TrainConfig, {"images": 1, "learning_rate": 0}, "greater than 0"),
        (ModelConfig, {"width": 6}, "multiple of 4"),
        (ModelConfig, {"skips": (10,)}, "skips lists 10, but this network has skips 1 to 9"),
        (ModelConfig, {"skips": (0,)}, "greater than or equal to 1"),
        (ModelConfig, {"resampling_filter": (1, 2, 1)}, "even number of taps"),
        (ModelConfig, {"dropout": 1.0}, "less than 1"),
        (SampleConfig, {"sigma_min": 1.0, "sigma_max": 1.0}, "must be below sigma_max"),
        (SampleConfig, {"steps": 0}, "greater than or equal to 1"),
    ],
)
def test_impossible_values_are_refused(kind, values, message):
    with pytest.raises(ValidationError, match=message):
        kind(**values)


def test_an_mlp_may_have_any_width():
    assert ModelConfig(architecture="mlp", width=7).width == 7


def test_nine_skips_in_the_papers_network():
    assert ModelConfig().skip_count == 9


def test_a_model_is_read_back_as_it_was_written():
    for changes, version in [
        ({}, None),
        ({"encoder": "residual"}, 2),
        ({"time_embedding": "fourier"}, 2),
    ]:
        model = ModelConfig(**changes)
        written = model.to_json()
        assert written.get("network_version") == version
        assert ModelConfig(**written) == model


def test_the_noise_of_the_paper_is_not_written_so_that_older_runs_carry_on():
    assert not {"p_mean", "p_std"} & set(ModelConfig().to_json())
    other = ModelConfig(p_mean=0.5)
    assert other.to_json()["p_mean"] == 0.5
    assert ModelConfig(**other.to_json()) == other
