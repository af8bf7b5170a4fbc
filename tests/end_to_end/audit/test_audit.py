"""`rote audit` and `rote compare` as a person runs them: tables, exit codes, one-line errors."""

import json
from pathlib import Path

import numpy as np
import pytest
from audits import answer
from command import run_here as run

from rote.data.load import load_images

QUICK = ("--positive-control", "0")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write generated, training and held-out digits; a third of the generated ones are copies."""
    folder = tmp_path_factory.mktemp("audit")
    digits = load_images("digits")
    assert digits.labels is not None
    parts = {"gen": slice(0, 300), "train": slice(200, 1200), "real": slice(1200, None)}
    for name, rows in parts.items():
        arrays = {"images": digits.items[rows], "labels": digits.labels[rows]}
        if name == "gen":
            arrays["seeds"] = np.arange(300)
        np.savez(folder / f"{name}.npz", **arrays)
    few = {"images": digits.items[:20], "labels": digits.labels[:20]}
    np.savez(folder / "few.npz", **few)
    half = np.concatenate([digits.items[:250], digits.items[1500:1550]])
    np.savez(folder / "half.npz", images=half, seeds=np.arange(300))
    three = np.flatnonzero(digits.labels == 3)[:3]
    np.savez(folder / "three.npz", images=digits.items[three], labels=digits.labels[three])
    np.savez(folder / "series.npz", series=np.random.default_rng(0).normal(size=(60, 24, 1)))
    np.savez(folder / "vector.npz", images=np.random.default_rng(0).normal(size=(50, 4)))
    return folder


def ok(*arguments: str, cwd: Path) -> str:
    done = run(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


SIDES = ("audit", "--generated", "gen.npz", "--training", "train.npz")


def value_of(room: Path, *options: str) -> dict:
    value: dict = json.loads(ok(*SIDES, "--json", *options, cwd=room))
    return value


def test_the_whole_audit(room: Path) -> None:
    options = ("--holdout", "real.npz", "--out", "whole", "--timings", "--positive-control", "10")
    done = run(*SIDES, *options, cwd=room)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "memorization rate 0.3333 [0.2824, 0.3885] (100 of 300)\n"
    for words in (
        "held out, of 597",
        "excess",
        "+0.333 [+0.28, +0.39]",
        "recall of 10 copies",
        "jpeg 90 75 50 30",
        "decode",
    ):
        assert words in done.stderr
    value = json.loads((room / "whole" / "audit.json").read_text())
    assert value["verdicts"]["ratio"] == {"memorized": 100, "collapsed": 0, "novel": 200}
    assert value["excess"]["method"] == "newcombe"
    assert [c["name"] for c in value["criteria"]] == ["ratio", "calibrated"]
    assert sum(row["rate"]["total"] for row in value["per_label"]) == 300
    assert sum(row["rate"]["count"] for row in value["per_class"]) == 100
    cells = value["positive_control"]["cells"]
    assert len({(c["corruption"], c["strength"]) for c in cells}) == len(cells) == 21
    assert all(c["recall"]["ratio"]["total"] == 10 for c in cells)
    assert (room / "whole" / "report.html").exists()
    assert (room / "whole" / "duplicates.csv").read_text().startswith("side,group,size,index")


@pytest.mark.parametrize(
    "options",
    [
        ("--set-aside", "250"),
        ("--set-aside", "250", "--seed", "1"),
        ("--criterion", "carlini"),
        ("--criterion", "tiles"),
        ("--ratio-threshold", "0.5"),
        ("--duplicate-rms", "20"),
        ("--invariances", "flip"),
        ("--invariances", "tone"),
        ("--positive-control", "3"),
        ("--fail-above", "0.9"),
    ],
    ids=" ".join,
)
def test_every_option_changes_an_output(room: Path, options: tuple[str, ...]) -> None:
    before = value_of(room, *QUICK)
    after = value_of(room, *QUICK, *options)
    assert after != before
    if options[-2:] == ("--seed", "1"):
        assert after["control"] != value_of(room, *QUICK, "--set-aside", "250")["control"]


def test_the_false_positive_rate_moves_the_threshold(room: Path) -> None:
    found = [
        value_of(room, *QUICK, "--holdout", "real.npz", "--false-positive-rate", rate)["calibrated"]
        for rate in ("0.005", "0.1")
    ]
    assert found[0]["threshold"] < found[1]["threshold"]


def test_two_runs_print_the_same(room: Path) -> None:
    options = ("--holdout", "real.npz", "--positive-control", "5", "--criterion", "calibrated")
    assert answer(value_of(room, *options)) == answer(value_of(room, *options))


@pytest.mark.parametrize(
    ("limit", "code", "said"),
    [("0.2", 3, "lies above"), ("0.5", 0, "lies below"), ("0.3", 4, "more would decide")],
)
def test_the_gate(room: Path, limit: str, code: int, said: str) -> None:
    done = run(*SIDES, *QUICK, "--fail-above", limit, "--json", cwd=room)
    assert done.returncode == code
    assert json.loads(done.stdout)["gate"]["exit_code"] == code
    assert said in done.stderr


def test_held_out_copies_are_reported_and_left_out(room: Path) -> None:
    value = value_of(room, *QUICK, "--holdout", "gen.npz")
    found = {"exact": 100, "near": 0, "near_flagged": 0, "images": 300}
    assert value["holdout_in_training"] == found
    assert value["control"]["rate"]["total"] == 200


def test_compare_pairs_equal_seeds(room: Path) -> None:
    ok(*SIDES, *QUICK, "--out", "a", cwd=room)
    ok("audit", "--generated", "half.npz", *SIDES[3:], *QUICK, "--out", "b", cwd=room)
    done = run("compare", "a", "b", cwd=room)
    # 100 against 50 copies, the 50 among the 100.
    assert done.stdout.startswith("difference +0.1667 [+0.1")
    assert "paired: both generated sides tell the same noise seeds; 50 memorized" in done.stderr
    value = json.loads(ok("compare", "a", "b", "--json", cwd=room))
    assert value["paired"] is True
    assert value["mcnemar"] == {"p_value": 2.0**-49, "first_only": 50, "second_only": 0}
    ok("audit", "--generated", "few.npz", *SIDES[3:], *QUICK, "--out", "c", cwd=room)
    value = json.loads(ok("compare", "a", "c", "--json", cwd=room))
    assert (value["paired"], value["difference"]["method"]) == (False, "newcombe")
    ok("audit", "--generated", "gen.npz", "--training", "real.npz", *QUICK, "--out", "d", cwd=room)
    assert "training sets differ" in run("compare", "a", "d", cwd=room).stderr
    ok(*SIDES, *QUICK, "--space", "lowres:4", "--out", "e", cwd=room)
    assert "different spaces" in run("compare", "a", "e", cwd=room).stderr


def asked(options: str, sides: tuple[str, ...] = SIDES) -> tuple[str, ...]:
    return *sides, *options.split()


BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "criterion": ((*SIDES, "--criterion", "calibrate"), "did you mean 'calibrated'"),
    "calibrated alone": ((*SIDES, "--criterion", "calibrated"), "--set-aside"),
    "few neighbors": (
        ("audit", "--generated", "gen.npz", "--training", "few.npz", "--criterion", "carlini"),
        "--criterion carlini takes the 50 nearest training images, and --training has",
    ),
    "invariance": ((*SIDES, "--invariances", "flop"), "did you mean 'flip'"),
    "radius": ((*SIDES, "--duplicate-rms", "-1"), "--duplicate-rms is -1.0"),
    "one group": ((*SIDES, "--duplicate-rms", "200"), "smaller --duplicate-rms"),
    "gate": ((*SIDES, "--fail-above", "1"), "--fail-above is 1;"),
    "set aside all": ((*SIDES, "--set-aside", "999"), "at least two must remain"),
    "two controls": ((*SIDES, "--set-aside", "9", "--holdout", "real.npz"), "give one of them"),
    "negative copies": ((*SIDES, "--positive-control", "-1"), "--positive-control is -1"),
    "many copies": ((*SIDES, "--positive-control", "5000"), "give at most that many"),
    "false positives": (
        (*SIDES, "--holdout", "real.npz", "--false-positive-rate", "0"),
        "--false-positive-rate is 0.0",
    ),
    "vectors": (
        ("audit", "--generated", "vector.npz", "--training", "vector.npz", "--invariances", "flip"),
        "--invariances flip is for images and volumes",
    ),
    "no audit": (("compare", "nowhere", "nowhere"), "does not exist"),
    "tiles are gated in pixels": (
        asked("--space lowres --space pixel --criterion tiles --fail-above 0.01"),
        "tiles is of pixels, not of lowres; give --space pixel first",
    ),
    "a gate without a threshold": (
        asked("--space lowres --criterion absolute --fail-above 0.01"),
        "absolute=NUMBER: none is known in --space lowres",
    ),
    "a gate that cannot be calibrated": (
        asked("--holdout few.npz --criterion calibrated --fail-above 0.01"),
        "too few held-out images to calibrate",
    ),
    "series have no resolution": (
        asked(
            "--generated series.npz --training series.npz --ruler-resolution 8", sides=("audit",)
        ),
        "--ruler-resolution is for images, and --training holds series",
    ),
    "no held-out items": ((*SIDES, "--population"), "give --holdout, or --set-aside"),
    "quality of few": (
        asked("--generated few.npz --training train.npz --quality", sides=("audit",)),
        "--quality has 20 generated and 1000 training items; give 40 and more",
    ),
    "one cluster": (
        asked("--generated three.npz --training train.npz --cluster-by label", sides=("audit",)),
        "--cluster-by label finds 1 label in 3 items",
    ),
    "nowhere to write": ((*SIDES, "--out", "/proc/audit"), "nothing can be written to /proc"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(room: Path, name: str) -> None:
    arguments, said = BAD[name]
    done = run(*arguments, cwd=room)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert said in lines[0]


def test_what_fails_beside_an_audit_leaves_the_audit(room: Path) -> None:
    sides = ("audit", "--generated", "gen.npz", "--training", "train.npz", "--holdout", "train.npz")
    done = run(*sides, "--population", "--positive-control", "0", "--out", "kept", cwd=room)
    assert done.returncode == 1
    assert "of 1,000 given none lies outside the training set" in done.stderr
    assert json.loads((room / "kept" / "audit.json").read_text())["rate"]["count"] == 100
    assert (room / "kept" / "report.html").is_file()


def test_vectors_are_called_rows(room: Path) -> None:
    sides = ("audit", "--generated", "vector.npz", "--training", "vector.npz")
    done = run(*sides, "--set-aside", "10", "--duplicate-rms", "0.01", cwd=room)
    assert done.returncode == 0, done.stderr
    assert "training rows reproduced" in done.stderr
    assert "10 training rows were set aside" in done.stderr
    assert "image" not in done.stderr
    assert "levels" not in done.stderr


def test_several_spaces(room: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ROTE_CACHE", str(tmp_path))
    options = (
        "--holdout",
        "real.npz",
        "--space",
        "lowres:4",
        "--space",
        "pixel",
        "--out",
        "spaces",
    )
    options += ("--positive-control", "5")
    done = run(*SIDES, *options, cwd=room)
    assert done.returncode == 0, done.stderr
    for words in ("features in lowres:4:", "images/s", "by space and criterion", "rulers differ"):
        assert words in done.stderr
    value = json.loads((room / "spaces" / "audit.json").read_bytes())
    assert value["criterion"]["space"] == "lowres:4"
    assert [entry["space"]["name"] for entry in value["spaces"]] == ["lowres:4", "pixel"]
    # The second time, all features of 256 images and more are there; the answer is the same.
    done = run(*SIDES, *options, cwd=room)
    assert "features in lowres:4: 105 images" in done.stderr
    assert answer(json.loads((room / "spaces" / "audit.json").read_bytes())) == answer(value)
    assert "lowres:4: train.npz" in run("data", "cache", cwd=room).stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lowers", "error: --space 'lowers' is unknown (did you mean 'lowres'?)\n"),
        ("lowres:9", "and these are 8x8; leave it out, or load larger ones (--resolution)\n"),
    ],
)
def test_a_space_that_cannot_be_is_one_line(room: Path, name: str, message: str) -> None:
    done = run(*SIDES, *QUICK, "--space", name, cwd=room)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(message)
    assert "Traceback" not in done.stderr
