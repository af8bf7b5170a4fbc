"""Wrong input: one line on stderr that says what, where and what to do; nothing half-written."""

from pathlib import Path

import numpy as np
import pytest
from audits import ratio_audit as audit
from command import QUICK, run, run_here
from PIL import Image

from rote.data.dataset import Dataset
from rote.data.load import load_images


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill a folder with all kinds of wrong input."""
    folder = tmp_path_factory.mktemp("bad")
    digits = load_images("digits").items
    (folder / "empty").mkdir()
    for name in ("one", "good", "torn", "mixed-sizes", "mixed-channels"):
        (folder / name).mkdir()
    Image.fromarray(digits[0, ..., 0]).save(folder / "one" / "a.png")
    for number in range(6):
        image = Image.fromarray(digits[number, ..., 0])
        image.save(folder / "good" / f"{number}.png")
        image.save(folder / "torn" / f"{number}.png")
        image.resize((8 + number % 2, 8)).save(folder / "mixed-sizes" / f"{number}.png")
        shown = image.convert("RGB") if number % 2 else image
        shown.save(folder / "mixed-channels" / f"{number}.png")
    torn = (folder / "torn" / "3.png").read_bytes()
    (folder / "torn" / "3.png").write_bytes(torn[: len(torn) // 2])
    done = run_here("data", "shard", "good", "--out", "shards", cwd=folder)
    assert done.returncode == 0, done.stderr
    np.savez(folder / "unit.npz", images=(digits[:50] / 255).astype(np.float32))
    np.savez(folder / "color.npz", images=np.repeat(digits[:50], 3, axis=3))
    np.savez(folder / "big.npz", images=digits[:50].repeat(2, axis=1).repeat(2, axis=2))
    broken = np.zeros((5, 3), np.float32)
    broken[2, 1] = np.nan
    np.savez(folder / "nan.npz", images=broken)
    (folder / "notes.txt").write_text("no images here")
    audit(Dataset(digits[:9]), Dataset(digits[:50])).save(folder / "audited")
    return folder


AUDIT = ("audit", "--training", "digits", "--generated")
EMM = ("emm", "--out", "out")

CASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "missing folder": (
        (*AUDIT, "nowhere/at/all"),
        ("nowhere/at/all", "does not exist", "--generated"),
    ),
    "missing training": (
        ("audit", "--training", "nowhere", "--generated", "good"),
        ("--training 'nowhere'",),
    ),
    "empty folder": ((*AUDIT, "empty"), ("empty",)),
    "unknown file": ((*AUDIT, "notes.txt"), ("notes.txt", "unknown type")),
    "unknown name": ((*AUDIT, "digit"), ("digit", "did you mean 'digits'")),
    "one training image": (
        ("audit", "--training", "one", "--generated", "good"),
        ("one", "at least two"),
    ),
    "shards": (
        (*AUDIT, "shards"),
        ("shards is a folder of shards", "`rote neighbors`", "give --generated the source"),
    ),
    "an argument is no option": (("data", "show", "nowhere/"), ("exist; give a folder",)),
    "an argument without a path": (("data", "show", "digit"), ("error: 'digit' is", "'digits'")),
    "shards of nothing": (("data", "shard", "empty", "--out", "out"), ("; give a source with",)),
    "no shards": (
        ("neighbors", "--generated", "good", "--training", "good", "--verify", "--out", "out"),
        ("--verify", "--training good", "rote data shard"),
    ),
    "unreadable file": ((*AUDIT, "torn"), ("3.png", "--skip-unreadable")),
    "mixed sizes": (("train", "--data", "mixed-sizes", "--out", "out"), ("--resolution",)),
    "mixed channels": ((*AUDIT, "mixed-channels"), ("--channels 3",)),
    "other channels": ((*AUDIT, "color.npz"), ("color", "grey", "--channels")),
    "other size": ((*AUDIT, "big.npz"), ("16x16", "8x8", "--resolution")),
    "unit range": ((*AUDIT, "unit.npz"), ("from 0 to 1", "255")),
    "NaN": ((*AUDIT, "nan.npz"), ("NaN",)),
    "ratio": ((*AUDIT, "good", "--ratio-threshold", "3"), ("--ratio-threshold", "0.3333")),
    "size above data": (("train", "--size", "5000", "--out", "out"), ("--size 5000", "1797")),
    "unbalanced size": (
        ("train", "--size", "33", "--stratify", "--out", "out"),
        ("33", "10 classes", "multiple of 10"),
    ),
    "no classes": (
        ("train", "--data", "good", "--size", "4", "--stratify", "--out", "out"),
        ("no labels", "--stratify"),
    ),
    "size above data, optimum": (
        ("optimum", "--size", "5000", "--out", "x.npz"),
        ("--size 5000", "1797"),
    ),
    "first is nowhere": (("compare", "gone", "empty"), ("FIRST gone does not exist", "--out")),
    "second is a file": (
        ("compare", "audited", "notes.txt"),
        ("SECOND notes.txt", "no audit.json"),
    ),
    "second is no audit": (("compare", "audited", "empty"), ("SECOND empty holds no", "--out")),
    "limit above 1": ((*AUDIT, "good", "--fail-above", "5"), ("--fail-above is 5", "between 0")),
    "false positives": (
        (*AUDIT, "good", "--false-positive-rate", "2"),
        ("--false-positive-rate is 2", "0.5"),
    ),
    "audit into a file": (
        (*AUDIT, "good", "--out", "notes.txt/x"),
        ("--out notes.txt/x", "notes.txt is a file"),
    ),
    "unknown preset": ((*EMM, "--preset", "tinny"), ("tinny", "did you mean 'tiny'")),
    "unknown key": ((*EMM, "--set", "train.bacth=3"), ("train.bacth", "did you mean 'batch'")),
    "unknown room": ((*EMM, "--set", "trian.batch=3"), ("trian", "did you mean 'train'")),
    "bad value": ((*EMM, "--set", "train.batch=many"), ("train.batch", "many")),
    "bad epsilon": ((*EMM, "--epsilon", "1.5"), ("--epsilon is 1.5", "between 0 and 1")),
    "epsilon of nothing": ((*EMM, "--epsilon", "nan"), ("--epsilon is nan",)),
    "no tolerance": ((*EMM, "--tolerance", "0"), ("--tolerance is 0", "above 0")),
    "endless tolerance": ((*EMM, "--tolerance", "inf"), ("--tolerance is inf",)),
    "budget without a unit": ((*EMM, "--budget", "5x"), ("--budget '5x'", "20m")),
    "negative budget": ((*EMM, "--budget", "-3h"), ("--budget '-3h'", "20m")),
    "sizes above data": (
        (*EMM, "--set", "search.max_size=null", "--set", "search.min_size=5000"),
        ("5000", "the data has 1797", "lower search.min_size"),
    ),
    "sizes cut off": (
        (*EMM, "--set", "search.max_size=8", "--set", "search.start=16"),
        ("search.max_size allows 8", "raise search.max_size"),
    ),
    "unbalanced data": (
        (*EMM, "--data", "good", "--set", "search.stratify=true"),
        ("no classes", "search.stratify=false"),
    ),
    "unknown snapshot": ((*EMM, "--set", "search.snapshot=first"), ("search.snapshot", "'best'")),
    "unknown weights": ((*EMM, "--set", "search.weights=swa"), ("search.weights", "'ema'")),
    "odd resolution": (
        (*EMM, "--resolution", "9", "--set", "model.channel_mult=[1,2]"),
        ("9x9", "--resolution"),
    ),
    "start above data": (
        (*EMM, "--set", "search.start=9999"),
        ("search.start", "9999", "allows 16"),
    ),
    "unknown device": ((*EMM, "--device", "tpu"), ("--device tpu", "cpu")),
    "not a run": (("report", "empty"), ("empty",)),
    "no model": (("sample", "empty", "--out", "x.npz"), ("empty", "train")),
    "not an npz": (("optimum", "--out", "x.png"), ("x.png", "npz")),
    "file in the way": (("train", "--out", "notes.txt"), ("notes.txt", "--out")),
}


@pytest.mark.parametrize("name", CASES)
def test_one_line_and_nothing_written(room: Path, name: str) -> None:
    arguments, expected = CASES[name]
    before = sorted(room.rglob("*"))
    quick = QUICK if arguments[0] == "emm" else []
    done = run_here(arguments[0], *quick, *arguments[1:], cwd=room)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    for part in expected:
        assert part in lines[0]
    assert sorted(room.rglob("*")) == before


def test_unreadable_files_can_be_left_out_and_are_counted(room: Path) -> None:
    done = run(*AUDIT, "torn", "--skip-unreadable", cwd=room)
    assert done.returncode == 0
    assert "not read: .png (1, unreadable, such as 3.png)" in done.stderr
    assert "of 5" in done.stdout


def test_wrong_usage_exits_with_2(room: Path) -> None:
    for arguments in (("emm", "--nope"), ("emm", "--seed", "-1"), ("audit",), ("nothing",)):
        assert run(*arguments, cwd=room).returncode == 2


def test_a_traceback_only_with_debug(room: Path) -> None:
    assert "Traceback" not in run("report", "empty", cwd=room).stderr
    assert "Traceback" in run("--debug", "report", "empty", cwd=room).stderr
