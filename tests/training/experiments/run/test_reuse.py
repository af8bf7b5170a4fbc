"""One training for runs that differ in sampling alone."""

from dataclasses import replace

import pytest

from rote.core.atomic_files import read_json, write_json
from rote.core.errors import Interrupted
from rote.core.run_folder import read_metrics
from rote.data.convert import for_models
from rote.data.load import load_images
from rote.experiments.run.run import execute
from rote.experiments.studies.plan import Cell, plan_study, source_of, study_run
from rote.experiments.studies.result_file import _cost
from rote.results.run import TrialFile


@pytest.fixture(scope="module")
def source():
    return source_of(for_models(load_images("digits"))[0])


def trials(source, runs):
    """A model without and with guidance at sampling: one training, two ways to sample."""
    plan = plan_study("guidance", source, scale_name="smoke", runs=runs)
    found = []
    for value in ("1", "3"):
        (trial, *_) = plan.trials[Cell(value, 6)]
        short = trial.setting.train.model_copy(update={"images": 320, "snapshot_images": 160})
        found.append(run(replace(trial.setting, train=short), source, runs))
    return found


def run(setting, source, runs, *, size=6, replicate=0):
    return study_run(setting, size, replicate, source=source, seed=0, runs=runs, device="cpu")


def bare(result):
    return result.model_dump(exclude={"seconds", "trained_by", "key"})


def go(trial, source):
    execute(trial, source.dataset, should_stop=lambda: False)
    return trial.finished(TrialFile)


def test_the_second_run_takes_over_what_it_would_have_trained(source, tmp_path):
    plain, guided = trials(source, tmp_path / "together")
    first, second = go(plain, source), go(guided, source)
    assert (first.trained_by, second.trained_by) == (plain.name, plain.name)
    (_, apart) = trials(source, tmp_path / "apart")
    alone = go(apart, source)
    assert alone.trained_by == apart.name
    assert bare(second) == bare(alone)
    for path in sorted((apart.folder / "checkpoints").iterdir()):
        taken = guided.folder / "checkpoints" / path.name
        assert taken.read_bytes() == path.read_bytes()
        assert taken.samefile(plain.folder / "checkpoints" / path.name)
    assert read_json(guided.folder / "config.json") == read_json(apart.folder / "config.json")
    assert read_metrics(guided.folder / "metrics.jsonl") == read_metrics(
        apart.folder / "metrics.jsonl"
    )
    cost = _cost({Cell("1", 6): [first], Cell("3", 6): [second]})
    assert (cost["runs"], cost["images_trained"]) == (2, 320)


def test_who_trained_is_still_known_after_an_interruption(source, tmp_path):
    plain, guided = trials(source, tmp_path)
    go(plain, source)

    def stop_while_scoring():
        return (guided.folder / "config.json").exists()

    with pytest.raises(Interrupted):
        execute(guided, source.dataset, should_stop=stop_while_scoring)
    assert (guided.folder / "config.json").exists()
    assert not (guided.folder / "trial.json").exists()
    assert go(guided, source).trained_by == plain.name


def test_another_training_is_not_taken_over(source, tmp_path):
    plain, guided = trials(source, tmp_path)
    go(plain, source)
    batch = replace(guided.setting, train=guided.setting.train.model_copy(update={"batch": 16}))
    for setting, change in (
        (batch, {}),
        (guided.setting, {"replicate": 1}),
        (guided.setting, {"size": 7}),
    ):
        other = run(setting, source, tmp_path, **change)
        assert go(other, source).trained_by == other.name


def test_an_unfinished_run_is_not_taken_over(source, tmp_path):
    plain, guided = trials(source, tmp_path)
    go(plain, source)
    (plain.folder / "trial.json").unlink()
    assert go(guided, source).trained_by == guided.name


def test_results_of_before_still_read(source, tmp_path):
    (plain, _) = trials(source, tmp_path)
    result = go(plain, source)
    write_json(plain.file, {k: v for k, v in result.to_json().items() if k != "trained_by"})
    before = plain.finished(TrialFile)
    assert before.trained_by is None and bare(before) == bare(result)
    cost = _cost({Cell("1", 6): [before]})
    assert cost["images_trained"] == 320
