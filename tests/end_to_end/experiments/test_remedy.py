"""`rote remedy` on a small run: strength 0 is what `rote sample` draws, and the files are whole."""

import json
from pathlib import Path

import numpy as np
import pytest
from command import run_here

from rote.diffusion.checkpoint import load_checkpoint
from rote.experiments.mitigation.case import RunCase
from rote.experiments.mitigation.guidance import Away
from rote.experiments.mitigation.remedies import REMEDIES

QUICK = [
    *("--set", "model.width=8", "--set", "model.channel_mult=[1]", "--set", "train.batch=16"),
    *("--set", "train.images=1600", "--set", "train.snapshot_images=800"),
    *("--set", "train.log_images=800", "--set", "train.learning_rate=0.003"),
]


def ok(*arguments: str, cwd: Path) -> str:
    done = run_here(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("remedy")
    ok("train", "digits", "--size", "20", "--device", "cpu", *QUICK, "--out", "run", cwd=path)
    return path


def test_strength_0_equals_rote_sample_bit_for_bit(folder: Path) -> None:
    asked = ["--count", "50", "--seed", "3", "--device", "cpu", "--out", "s.npz"]
    ok("sample", "run", *asked, cwd=folder)
    with np.load(folder / "s.npz") as arrays:
        drawn, seeds = arrays["images"], arrays["seeds"]
    digits = load_digits()
    case = RunCase(digits, digits, folder / "t", "cpu", 0, folder / "run")
    away = case.sampler(change=lambda denoiser: Away(denoiser, digits, 0.0))(50, 3)
    assert np.array_equal(away.items, drawn) and np.array_equal(away.seeds, seeds)
    assert np.array_equal(case.sampler()(50, 3).items, drawn)


def load_digits():
    import rote

    return rote.load_images("digits").subset(20, seed=0)


def test_the_command_tries_chooses_trains_and_reports(folder: Path) -> None:
    said = ok(
        *("remedy", "try", "run", "--remedy", "early-stop", "--remedy", "away:0", "--remedy"),
        *(
            "mirror",
            "--remedy",
            "guidance",
            "--judge",
            "ratio",
            "--judge",
            "tiles",
            "--count",
            "60",
        ),
        *("--selection", "40", "--out", "out", "--json"),
        cwd=folder,
    )
    found = json.loads(said)
    assert found == {k: v for k, v in _file(folder / "out").items() if k != "format_version"}
    rows = {(row["name"], row["basis"]): row for row in found["tried"]}
    assert list(rows) == [
        ("early-stop", ""),
        ("away", ""),
        ("mirror", "equal images"),
        ("mirror", "equal exposures"),
    ]
    assert [row["name"] for row in found["left_out"]] == ["guidance"]
    assert rows["early-stop", ""]["setting"] == "800"
    assert rows["early-stop", ""]["settings"] == []  # one earlier snapshot: nothing to choose from
    unchanged = rows["away", ""]["judged"][0]
    assert unchanged["before"] == unchanged["after"] and unchanged["p_value"] == 1
    trainings = folder / "out" / "trainings"
    seen = {path.name: load_checkpoint(path).images_seen for path in trainings.iterdir()}
    assert seen == {
        "mirror-equal-images": 1600,
        "mirror-equal-exposures": 3200,
    }
    for row in rows.values():
        assert all((folder / "out" / audit / "report.html").exists() for audit in row["audits"])


def _file(folder: Path) -> dict:
    return json.loads((folder / "remedies.json").read_text())


def test_the_list_and_errors_are_one_line_each(folder: Path) -> None:
    lines = ok("remedy", "list", cwd=folder).splitlines()
    assert [line.split()[0] for line in lines] == list(REMEDIES.names)
    for arguments, message in (
        (["run", "--remedy", "awy"], "did you mean 'away'"),
        (["run", "--remedy", "early-stop:7"], "has snapshots of 800, 1600 images"),
        (["run", "--judge", "rato"], "did you mean 'ratio'"),
        ([], "give RUN, the --out of `rote train`, or --trainer"),
        (["run", "--count", "3"], "quality needs 40 samples"),
    ):
        done = run_here("remedy", "try", *arguments, "--out", "errors", cwd=folder)
        assert done.returncode == 1
        assert message in done.stderr
