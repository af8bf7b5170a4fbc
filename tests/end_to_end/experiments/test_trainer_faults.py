"""Faults of a trainer's commands, with real processes: one line each, and the same call goes on after."""

import sys

import pytest

import rote
from rote.core.errors import ConfigError, RunError
from rote.data.convert import for_models
from rote.experiments.run.controls import far_away
from rote.experiments.run.run import execute
from rote.experiments.run.status import read_notes
from rote.experiments.search.runs import check_differ, search_run
from rote.experiments.trainers.config import with_trainer
from rote.experiments.trainers.process import LOG_BYTES
from rote.results.run import PointFile

TRAIN = """
import os, pathlib, signal, sys, time
out, = sys.argv[1:]
if {fault} and not pathlib.Path("cured").exists():
    print("at work", flush=True)
    if {fault} == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if {fault} == "hangs":
        time.sleep(60)
    if {fault} == "never silent":
        while True:
            sys.stdout.write("x" * 65536)
    if {fault} == "traceback":
        {{}}["learning_rate"]
    sys.exit(3)
"""
SAMPLE = """
import os, pathlib, signal, sys
import numpy as np
samples, num, seed = sys.argv[1:]
num, status, seed = int(num), 0, int(seed)
fault = None if pathlib.Path("cured").exists() else {fault}
if fault == "ignores its seed":
    seed = 0
items = np.random.default_rng(seed).integers(0, 256, (num, 8, 8, 1), dtype=np.uint8)
if fault == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if fault == "untrained":
    items = np.random.default_rng(seed).integers(120, 136, (num, 8, 8, 1), dtype=np.uint8)
if fault == "none":
    sys.exit()
if fault == "too few":
    items = items[1:]
if fault == "another size":
    items = items[:, :6, :6]
if fault in ("NaN", "infinity"):
    items = items.astype(np.float32)
    items[0, 0, 0] = np.nan if fault == "NaN" else np.inf
if fault == "levels up to 1":
    items = items.astype(np.float32) / 255
np.save(samples + "/samples.npy", items)
if fault == "damaged":
    with open(samples + "/samples.npy", "r+b") as file:
        file.truncate(200)
sys.exit(4 if fault == "status" else 0)
"""
DIGITS = rote.load_images("digits")


def searched(folder, train, sample=None, *, replicate=0, **given):
    """Return the one run of a search, whose commands lie in a folder."""
    (folder / "train.py").write_text(TRAIN.format(fault=repr(train)))
    (folder / "sample.py").write_text(SAMPLE.format(fault=repr(sample)))
    trainer = rote.TrainerConfig(
        train_command=f"{sys.executable} -I -S train.py {{out}}",
        sample_command=f"{sys.executable} sample.py {{samples}} {{num}} {{seed}}",
        layout="npz",
    )
    config = with_trainer(rote.preset("tiny"), trainer.model_copy(update=given), here=False)
    search = {"fresh_samples": 256, "epsilon": 0.97}
    config = config.model_copy(update={"search": config.search.model_copy(update=search)})
    return search_run(16, replicate, seed=0, out=folder / "emm", config=config, device="cpu")


def finish(run):
    execute(run, for_models(DIGITS)[0], should_stop=lambda: False)
    return run.finished(PointFile)


@pytest.mark.parametrize(
    ("train", "sample", "said", "also"),
    [
        ("killed", None, "the training command was ended by signal 9 (", "at work"),
        ("hangs", None, "took more than 0.5 s (", "at work"),
        ("never silent", None, "took more than 0.5 s (", "xxx)"),
        ("traceback", None, "ended with status 1 (", "KeyError: 'learning_rate')"),
        ("status", None, "ended with status 3 (", "at work)"),
        (None, "killed", "the sampling command was ended by signal 9 (", "$ "),
        (None, "status", "ended with status 4 (", "$ "),
        (None, "none", "no samples are in", "command.log"),
        (None, "too few", "127 samples are in", "128 are needed"),
        (
            None,
            "another size",
            "{num} {seed}`: samples have shape (6, 6, 1), the training items (8, 8, 1)",
            "make them alike",
        ),
        (None, "NaN", "samples.npy", "hold NaN or infinity"),
        (None, "infinity", "samples.npy", "hold NaN or infinity"),
        (None, "levels up to 1", "samples.npy", "0 to 1"),
        (None, "damaged", "samples.npy", "cannot be read as a NumPy file"),
        (
            None,
            "ignores its seed",
            "sample.py {samples} {num} {seed}` gave the same 64 samples for two seeds",
            "must use the seed",
        ),
    ],
)
def test_a_fault_is_one_line_and_the_next_call_goes_on(
    train, sample, said, also, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    run = searched(tmp_path, train, sample, time_limit=0.5 if train else None)
    with pytest.raises(RunError) as error:
        finish(run)
    line = str(error.value)
    print(line)
    place = str(run.folder / "trainer")
    assert line.startswith(f"run {run.folder.name}: ")
    assert said in line
    assert also in line
    assert "\n" not in line
    assert len(line.replace(place, "")) < 500
    logs = (run.folder / "trainer").glob("command.log*")
    assert sum(log.stat().st_size for log in logs) <= 2 * LOG_BYTES
    (tmp_path / "cured").touch()
    point = finish(searched(tmp_path, train, sample))
    assert point.rate.total >= 128


@pytest.mark.parametrize(
    ("command", "error", "said"),
    [
        ("{missing}", ConfigError, "asks for {missing}, which nothing sets; it can have {data}, "),
        ("no-such-program {data}", RunError, "'no-such-program' cannot be run: No such file"),
    ],
)
def test_a_command_that_cannot_begin_is_one_line(command, error, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as raised:
        finish(searched(tmp_path, None, train_command=command))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_two_runs_with_the_same_samples_are_not_taken_for_two(tmp_path, monkeypatch):
    """A command that trains and samples ignores its seed."""
    monkeypatch.chdir(tmp_path)
    command = f"{sys.executable} sample.py {{samples}} {{num}} {{seed}}"
    runs = []
    for replicate in range(2):
        own = {"train_command": command, "sample_command": None}
        run = searched(tmp_path, None, "ignores its seed", replicate=replicate, **own)
        finish(run)
        runs.append(run)
    with pytest.raises(RunError, match=r"run-00 and .*run-01 gave the same 64 samples; .*must use"):
        check_differ(runs, {})
    check_differ(runs[:1], {})


def test_a_model_that_was_not_trained_is_told(tmp_path, monkeypatch):
    """Gray noise copies nothing, as a model that generalizes; held-out digits lie nearer to digits."""
    monkeypatch.chdir(tmp_path)
    run = searched(tmp_path, None, "untrained")
    assert finish(run).rate.count == 0
    (note,) = read_notes(run.folder)
    assert "times as far from the training items as other items of the source do" in note
    training, rest = run.draw(DIGITS).dataset, run.rest(DIGITS, run.draw(DIGITS))
    assert far_away(training, training, rest) == ""
    assert far_away(rest, training, rest) == ""
    assert far_away(rest, training, None) == ""
