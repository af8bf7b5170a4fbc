"""Wrong input of `rote study`: one line that says what, where and what to do; nothing written."""

import json
import shutil

import numpy as np
import pytest
from command import run_here

from rote.core.atomic_files import write_json
from rote.data.load import load_images
from rote.experiments.studies.factor import factor_names
from rote.experiments.studies.study import StudyOptions, run_studies, run_study


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies")
    digits = load_images("digits")
    np.savez(folder / "unlabeled.npz", images=digits.items[:80])
    np.savez(
        folder / "large.npz",
        images=digits.items[:80].repeat(2, axis=1).repeat(2, axis=2),
        labels=digits.labels[:80],
    )
    (folder / "empty").mkdir()
    # A study that was begun, without its runs.
    with pytest.raises(KeyboardInterrupt):
        run_study("unique", digits, scale="smoke", out=folder / "begun", on_view=_interrupt)
    # The same study with an earlier call's values on record: they are no values of another study.
    shutil.copytree(folder / "begun", folder / "finished")
    design = {"values": ["none", "unique"], "sizes": [], "seeds": 1}
    write_json(folder / "finished" / "study.json", {"design": design})
    # Several studies, as `rote study all` lays them out.
    with pytest.raises(KeyboardInterrupt):
        run_studies(
            ["width", "depth"],
            digits,
            StudyOptions("smoke"),
            outs=[folder / "several" / "width", folder / "several" / "depth"],
            runs=folder / "several" / "runs",
            on_view=_interrupt,
        )
    return folder


def _interrupt(views):
    raise KeyboardInterrupt


SMOKE = ("--scale", "smoke", "--out", "out")
CASES = {
    "unknown study": (("widht", *SMOKE), ("'widht'", "did you mean 'width'")),
    "unknown value": (("labels", "--value", "ture", *SMOKE), ("--value 'ture'", "'true'")),
    "value of another kind": (("width", "--value", "wide", *SMOKE), ("--value 'wide'", "width")),
    "impossible value": (("width", "--value", "10", *SMOKE), ("--value '10'", "multiple of 4")),
    "unknown scale": (("width", "--scale", "big", "--out", "out"), ("--scale big", "smoke")),
    "no labels": (("classes", "--data", "unlabeled.npz", *SMOKE), ("no labels", "--data")),
    "more classes than images": (
        ("random-classes", "--sizes", "4", *SMOKE),
        ("5 random classes", "4 training items"),
    ),
    "odd resolution": (
        ("skips-number", "--resolution", "7", *SMOKE),
        ("7x7", "cannot be halved", "--resolution"),
    ),
    "sources of two shapes": (
        ("diversity", "--second", "large.npz", *SMOKE),
        ("--data", "(1, 8, 8)", "--second", "(1, 16, 16)", "--resolution"),
    ),
    "folder of another study": (
        ("width", "--scale", "smoke", "--out", "begun"),
        ("begun holds the study 'unique', not the study 'width'", "choose another --out"),
    ),
    "folder of another study that is done": (
        ("size", "--scale", "smoke", "--out", "finished"),
        ("finished holds the study 'unique', not the study 'size'", "choose another --out"),
    ),
    "folder of this study at another scale": (
        ("unique", "--scale", "cpu", "--out", "finished"),
        ('scale is "smoke" there and "cpu" here', "--out"),
    ),
    "all into the folder of one": (
        ("all", "--scale", "smoke", "--out", "finished"),
        ("finished holds the study 'unique', not several studies", "--out"),
    ),
    "one into the folder of several": (
        ("width", "--scale", "smoke", "--out", "several"),
        ("several holds several studies", "--out several/width"),
    ),
    "set larger than its source": (("width", "--sizes", "5000", *SMOKE), ("1 to 1797",)),
    "sizes are no numbers": (("width", "--sizes", "few", *SMOKE), ("--sizes 'few'", "32,64")),
    "no folder": (("width",), ("--out",)),
    "values for all": (("all", "--value", "8", *SMOKE), ("--value", "one study")),
    "unknown GPU": (
        ("width", "--scale", "paper", "--dry-run", "--gpu", "h10"),
        ("--gpu h10", "h100"),
    ),
    "status of nothing": (("status", "empty"), ("holds no study", "--out")),
}


OTHERS = {
    "emm": (("emm",), "not a search for the EMM"),
    "train": (("train",), "not a training run"),
    "audit": (("audit", "--generated", "digits", "--training", "digits"), "report would be"),
}


@pytest.mark.parametrize("folder", ["finished", "several"])
@pytest.mark.parametrize("name", OTHERS)
def test_other_commands_leave_the_folder_of_studies_alone(room, name, folder):
    arguments, expected = OTHERS[name]
    before = sorted(room.rglob("*"))
    done = run_here(*arguments, "--out", folder, cwd=room)
    assert done.returncode == 1, done.stderr
    told = [line for line in done.stderr.splitlines() if line.strip()]
    (line,) = [line for line in told if not line.startswith("captions: left out")]
    held = "the study 'unique'" if folder == "finished" else "several studies"
    assert line.startswith("error: ")
    assert f"{folder} holds {held}" in line
    assert expected in line
    assert "choose another --out" in line
    assert sorted(room.rglob("*")) == before


@pytest.mark.parametrize("name", CASES)
def test_one_line_and_nothing_written(room, name):
    arguments, expected = CASES[name]
    before = sorted(room.rglob("*"))
    done = run_here("study", *arguments, cwd=room)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    told = [line for line in done.stderr.splitlines() if line.strip()]
    (line,) = [line for line in told if not line.startswith("captions: left out")]
    assert line.startswith("error: ")
    for part in expected:
        assert part in line
    assert sorted(room.rglob("*")) == before


def test_all_leaves_out_what_the_data_does_not_allow_and_says_why(room):
    done = run_here(
        *("study", "all", "--data", "unlabeled.npz", "--scale", "smoke", "--dry-run", "--json"),
        cwd=room,
    )
    assert done.returncode == 0
    assert "classes: left out (" in done.stderr
    assert '"study": "width"' in done.stdout
    assert '"study": "classes"' not in done.stdout


def test_the_paper_scale_is_planned_without_the_data(room, monkeypatch):
    monkeypatch.setenv("ROTE_CACHE", str(room / "no-cache"))
    done = run_here(
        *("study", "size", "--data", "cifar10", "--scale", "paper", "--dry-run", "--gpu", "h100"),
        "--json",
        cwd=room,
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["studies"]
    # 40,000 epochs of 15,500 images in all, three times, filled up to whole batches.
    assert row["runs"] == 18
    assert 3 * 620_000_000 <= row["images_trained"] < 3 * 620_000_000 + 18 * 512
    # 25.4 GFLOP an image forward, three of them to train on it, and the samples of every snapshot.
    assert row["flops"] == pytest.approx(3 * 3 * 25.4e9 * 620e6, rel=0.1)


@pytest.mark.slow
def test_the_whole_paper_is_planned_without_the_data(room, monkeypatch):
    monkeypatch.setenv("ROTE_CACHE", str(room / "no-cache"))
    done = run_here(
        *("study", "all", "--data", "cifar10", "--scale", "paper", "--dry-run", "--json"), cwd=room
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("left out") == 1
    assert "captions: left out (rote's own networks read no captions" in done.stderr
    found = json.loads(done.stdout)
    assert {row["study"] for row in found["studies"]} == set(factor_names()) - {"captions"}
    assert (len(found["studies"]), found["total"]["runs"]) == (25, 1176)
