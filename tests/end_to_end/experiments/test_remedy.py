"""`rote remedy` on a small run: strength 0 is what `rote sample` draws, and the files are whole."""

import json
from pathlib import Path

import numpy as np
import pytest
from command import run_here
from made_once import made_once
from PIL import Image

import rote
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


def test_what_a_pipeline_is_not_given_rightly_is_said_before_anything_is_drawn(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    pytest.importorskip("diffusers")
    from pipelines import saved

    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine").symlink_to(made_once(tmp_path_factory, "pipeline", saved))
    for name, first in (("told", 0), ("new", 40), ("plain", 80)):
        (tmp_path / name).mkdir()
        for number, image in enumerate(
            rote.load_images("digits").items[first : first + 40, ..., 0]
        ):
            Image.fromarray(image).save(tmp_path / name / f"{number}.png")
            if name != "plain":
                (tmp_path / name / f"{number}.txt").write_text(f"digit {number % 5}")
    sides = ["--training", "told", "--holdout", "new"]
    weak = ["--remedy", "embedding-noise", "--guidance", "1"]
    for arguments, message in (
        (["models/mien", *sides], "models/mien does not exist (did you mean 'models/mine'?)"),
        (["models/mien", *sides[:2]], "models/mien does not exist (did you mean 'models/mine'?)"),
        (["models/mine", *sides[:2]], "is a pipeline: give --training, its pictures with captions"),
        (["told", *sides, "--lora-scale", "2"], "--lora-scale is for a pipeline of diffusers"),
        (
            ["--trainer", "a:b", *sides, "--dtype", "bfloat16"],
            "--dtype is for a pipeline of diffusers; leave it out with a trainer",
        ),
        (["models/mine", *sides, "--resolution", "16"], "load them with --resolution 8"),
        (
            ["models/mine", "--training", "plain", "--holdout", "new", "--resolution", "8"],
            "--training plain has no caption for 40 of 40 images",
        ),
        (["models/mine", *sides, *weak, "--steps", "1"], "it needs guidance above 1"),
    ):
        done = run_here("remedy", "try", *arguments, "--out", "errors", cwd=tmp_path)
        assert done.returncode == 1
        assert message in done.stderr, done.stderr
    assert not (tmp_path / "errors" / "samples").exists()
