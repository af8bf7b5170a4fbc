"""Commands that train and sample: what they are given, and what is refused before any of them runs."""

from pathlib import Path

import pytest

import rote
from rote.core.errors import ConfigError
from rote.experiments.trainers.command import command_trainer


def job(folder: Path) -> rote.TrainingJob:
    data = rote.load_images("digits").take(range(6))
    return rote.TrainingJob(data, 0, folder, "cpu", 1, {}, lambda: False)


@pytest.mark.parametrize("layout", ["npz", "folder"])
def test_a_sampler_reads_the_training_set_too(layout, tmp_path):
    """As one that draws images of its captions does; here it gives them back."""
    config = rote.TrainerConfig(
        train_command="cp -r {data} {out}", sample_command="cp -r {data} {samples}", layout=layout
    )
    for _ in range(2):  # trained, and read again
        model = command_trainer(config, samples=6)(job(tmp_path))
        found = model.sample(6, 1)
        assert {one.tobytes() for one in found} == {
            one.tobytes() for one in job(tmp_path).data.items
        }
    assert (tmp_path / "command.log").read_text().count("cp -r") == 3


def test_a_sampler_that_asks_for_what_is_not_there_is_refused_before_the_training(tmp_path):
    config = rote.TrainerConfig(train_command="cp -r {data} {out}", sample_command="draw {nothing}")
    with pytest.raises(ConfigError, match=r"asks for \{nothing\}, which nothing sets"):
        command_trainer(config, samples=6)(job(tmp_path))
    assert not (tmp_path / "out").exists()
