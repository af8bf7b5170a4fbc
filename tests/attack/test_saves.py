"""A kill at every write of a save: every reader finds the old result or the new one, never a mixture."""

import json
import os
import shutil
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
from command import without_times
from cuts import cut, cut_at_size

from rote.core.errors import Interrupted, RunError
from rote.core.files.saved_together import LOCK, STAGED, saved_together
from rote.core.run_folder import lock_folder
from rote.data.convert import for_models
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.diffusion.config import ModelConfig, SampleConfig, TrainConfig
from rote.experiments.config import ExperimentConfig, SearchConfig
from rote.experiments.run.run import execute
from rote.experiments.search.runs import search_run
from rote.experiments.search.search import estimate_emm
from rote.experiments.studies.study import run_study
from rote.memorization.audit.audit import Audit, audit
from rote.memorization.audit.compare import compare
from rote.report import write_report

CONFIG = ExperimentConfig(
    model=ModelConfig(architecture="mlp", width=8, blocks=1),
    train=TrainConfig(batch=16, images=640, snapshot_images=320, log_images=160),
    sample=SampleConfig(steps=2),
    search=SearchConfig(
        start=16, min_size=8, max_size=32, max_runs=2, selection_samples=64, fresh_samples=64
    ),
)
EVERY = 1 if "ROTE_TEST_KILLS" in os.environ else 4
"""A kill at every write takes minutes; by default, at each fourth."""
WRITES = range(0, 1000, EVERY)  # more than any save has


@cache
def audits() -> tuple[Audit, Audit]:
    """Return an audit of two spaces and no copies, and one of one space and copies alone."""
    digits = load_images("digits")
    training = digits.take(np.arange(200))
    fresh, copies = digits.take(np.arange(300, 312)), digits.take(np.arange(12))
    old = audit(fresh, training, space=["pixel", "patch"], positive_control=0, device="cpu")
    return old, audit(copies, training, positive_control=0, device="cpu")


def save_and_report(found: Audit, folder: Path) -> None:
    found.save(folder)
    write_report(folder)


def told(folder: Path) -> int:
    """Return the copies that a folder tells of, which all its readers must agree on."""
    rate = compare(folder, folder).first
    write_report(folder)
    facts = json.loads((folder / "audit.json").read_text())
    assert facts["rate"]["count"] == rate.count
    with np.load(folder / "neighbors.npz") as arrays:
        assert int(arrays["memorized"].sum()) == rate.count
    pairs = (folder / "pairs.csv").read_text().splitlines()[1:]
    assert sum(",yes," in line for line in pairs) == rate.count
    spaces = len(facts["spaces"])
    assert (folder / "spaces.npz").exists() == (folder / "disputes.npz").exists() == (spaces == 2)
    assert not (folder / STAGED).exists() or spaces == 2, "a new save leaves nothing behind"
    return rate.count


def cut_audit(tmp_path: Path, at: int) -> tuple[bool, int]:
    """Save the new audit over the old one with a kill; return whether that came, and what is told."""
    old, new = audits()
    folder = tmp_path / f"cut-{at}"
    save_and_report(old, folder)
    killed = cut(partial(save_and_report, new, folder), folder, at=at)
    found = told(folder)
    assert found in (0, 12)
    new.save(folder)  # whatever was left is in nobody's way
    assert told(folder) == 12
    left = {path.name for path in folder.iterdir() if path.name.startswith(".")}
    assert left == {LOCK}
    return killed, found


@pytest.mark.parametrize("at", [3, 43])
def test_an_audit_cut_in_its_save_is_the_old_or_the_new_one(tmp_path: Path, at: int) -> None:
    assert cut_audit(tmp_path, at)[0]


@pytest.mark.slow
def test_an_audit_cut_at_any_write_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    seen = []
    for at in WRITES:
        killed, found = cut_audit(tmp_path, at)
        if not killed:
            break
        seen.append(found)
    print(f"{len(seen)} kills: {seen.count(0)} read as old, {seen.count(12)} as new")
    assert len(seen) > 40 // EVERY
    assert seen == sorted(seen), "from one write on it is the new one"
    assert set(seen) == {0, 12}


@pytest.mark.slow
def test_an_audit_cut_within_a_file_is_the_old_one(tmp_path: Path) -> None:
    old, new = audits()
    killed = 0
    for size in np.geomspace(1, 100_000, 30).astype(int).tolist():
        save_and_report(old, tmp_path)
        if cut_at_size(partial(new.save, tmp_path), size):
            killed += 1
            assert told(tmp_path) == 0
    print(f"{killed} kills within a file")
    assert killed > 10


def test_two_audits_do_not_save_into_one_folder_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rote.core.run_folder.LOCK_SECONDS", 0.0)
    old, new = audits()
    old.save(tmp_path)
    with lock_folder(tmp_path, LOCK), pytest.raises(RunError, match="another process is working"):
        new.save(tmp_path)
    assert told(tmp_path) == 0


def test_a_save_that_fails_leaves_the_old_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(Interrupted), saved_together(tmp_path, may_hold=("a",)) as out:
        (out / "a").write_text("new")
        raise Interrupted
    assert (tmp_path / "a").read_text() == "old"
    assert not (tmp_path / STAGED).exists()


# -- runs, searches, studies -----------------------------------------------------------------------


@cache
def rows() -> Dataset:
    return for_models(load_images("iris"))[0]


def finish_run(folder: Path) -> None:
    run = search_run(16, 0, seed=5, out=folder, config=CONFIG, device="cpu")
    execute(run, rows(), should_stop=lambda: False)


def run_files(folder: Path) -> dict[str, bytes]:
    """Return what a finished run holds, apart from times."""
    point = next(folder.rglob("point.json")).parent
    names = ["point.json", "metrics.jsonl", "samples/fresh.npz"]
    names += ["audit/neighbors.npz", "audit/pairs.csv", "audit/gallery.npz"]
    return {name: (point / name).read_bytes() for name in names}


def cut_run(tmp_path: Path, expected: dict[str, bytes], at: int) -> bool:
    """Kill a run at a write; run again, it must end as if nothing had been."""
    folder = tmp_path / f"run-{at}"
    killed = cut(partial(finish_run, folder), folder, at=at)
    if not any(folder.rglob("point.json")):
        assert killed
        finish_run(folder)
    assert run_files(folder) == expected
    assert not [path for path in folder.rglob("*") if path.name.endswith(".tmp")]
    shutil.rmtree(folder)
    return killed


@pytest.mark.slow
def test_a_run_cut_at_any_write_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    finish_run(tmp_path / "whole")
    expected = run_files(tmp_path / "whole")
    kills = next(n for n, at in enumerate(WRITES) if not cut_run(tmp_path, expected, at))
    print(f"{kills} kills")
    assert kills > 60 // EVERY


def search(folder: Path) -> None:
    estimate_emm(load_images("iris"), CONFIG, out=folder, seed=3)
    write_report(folder)


@pytest.mark.slow
def test_a_search_cut_at_any_write_of_its_answer_has_none_or_the_whole(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    search(whole)
    for at in WRITES:
        folder = shutil.copytree(whole, tmp_path / f"cut-{at}")
        (folder / "emm.json").unlink()
        killed = cut(partial(search, folder), folder, at=at)
        if (folder / "emm.json").exists():
            write_report(folder)
        else:
            with pytest.raises(RunError, match="is not finished"):
                write_report(folder)
        search(folder)
        assert without_times(folder / "emm.json") == without_times(whole / "emm.json")
        assert not list(folder.glob(".*.tmp"))
        if not killed:
            break
    print(f"killed up to write {at}")
    assert at > 4


@pytest.mark.slow
def test_a_study_cut_at_any_write_of_its_answer_has_none_or_the_whole(
    tmp_path: Path, labels_study: Path
) -> None:
    def study(folder: Path) -> None:
        run_study("labels", load_images("digits"), scale="smoke", out=folder, values=["true"])
        write_report(folder)

    def answer(folder: Path) -> dict[str, object]:
        value = json.loads((folder / "study.json").read_text())
        del value["cost"]["elapsed_seconds"]
        return value

    for at in WRITES:
        folder = shutil.copytree(labels_study, tmp_path / f"cut-{at}")
        (folder / "study.json").unlink()
        killed = cut(partial(study, folder), folder, at=at)
        if (folder / "study.json").exists():
            write_report(folder)
        else:
            with pytest.raises(RunError):
                write_report(folder)
        study(folder)
        assert answer(folder) == answer(labels_study)
        assert not list(folder.glob(".*.tmp"))
        if not killed:
            break
    print(f"killed up to write {at}")
    assert at > 4
