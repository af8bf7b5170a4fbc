"""Errors that the library raises name the flags of the command that was typed, for every command."""

from pathlib import Path

import pytest
from command import run_here

from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.memorization.audit.audit import audit

RUN = ("--set", "train.batch=8", "--set", "train.images=16", "--set", "train.snapshot_images=16")
CASES: dict[str, tuple[tuple[str, ...], str]] = {
    "audit": (
        ("audit", "--generated", "digits", "--training", "digits", "--duplicate-rms", "300"),
        "--duplicate-rms is 300",
    ),
    "audit of a source": (
        ("audit", "--generated", "digits", "--training", "digit"),
        "--training 'digit' is neither",
    ),
    "compare": (("compare", "audited", "audited", "--criterion", "tile"), "--criterion"),
    "emm": (("emm", "--out", "out", "--preset", "paper2"), "--preset"),
    "emm, trackers": (("emm", "--out", "out", "--track", "paper"), "--track"),
    "study": (("study", "width", "--out", "out", "--scale", "huge"), "--scale"),
    "study, values": (
        ("study", "width", "--out", "out", "--scale", "smoke", "--value", "much"),
        "--value",
    ),
    "study, gpu": (("study", "width", "--gpu", "a1000", "--dry-run"), "--gpu a1000 is unknown"),
    "train": (("train", "--out", "out", "--channels", "2"), "--channels is 2"),
    "optimum": (("optimum", "--out", "out.npz", "--channels", "2"), "--channels is 2"),
    "gap": (("gap", "run", "--seed", "5", "--data", "breast_cancer"), "give the --data and --seed"),
    "membership": (
        ("membership", "run", "--false-positive-rate", "2"),
        "--false-positive-rate",
    ),
    "neighbors": (
        ("neighbors", "--generated", "digits", "--training", "digits", "--k", "9999", "--out", "n"),
        "--k is 9999",
    ),
    "rescore": (
        ("rescore", "search", "--data", "digits", "--channels", "2"),
        "--channels is 2",
    ),
    "data show": (("data", "show", "digits", "--channels", "2"), "--channels is 2"),
    "data shard": (("data", "shard", "digits", "--out", "s", "--channels", "2"), "--channels"),
}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill a folder with an audit, a run and what passes for a search."""
    folder = tmp_path_factory.mktemp("flags")
    digits = load_images("digits").items
    audit(Dataset(digits[:9]), Dataset(digits[:50])).save(folder / "audited")
    done = run_here("train", "--out", "run", "--size", "16", *RUN, cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "search").mkdir()
    (folder / "search" / "emm.json").write_text("{}")
    return folder


@pytest.mark.parametrize("case", list(CASES))
def test_errors_name_flags(case: str, room: Path) -> None:
    arguments, flag = CASES[case]
    done = run_here(*arguments, cwd=room)
    last = done.stderr.rstrip().splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith("error: ")
    assert flag in last
