"""`rote train`, `sample`, `optimum`, `audit`, `report` and `data` as processes."""

import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from command import ENVIRONMENT, command, ok, run
from PIL import Image

from rote.data.load import load_images

TRAIN = [
    "--set",
    "train.batch=16",
    "--set",
    "train.images=1600",
    "--set",
    "train.snapshot_images=800",
]
TRAIN += ["--set", "model.width=8", "--set", "model.channel_mult=[1]", "--size", "16"]


@pytest.fixture(scope="module")
def digits_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write digits as PNG files: train/, holdout/ and generated/ with 10 copies among 40."""
    folder = tmp_path_factory.mktemp("digits")
    images = load_images("digits").items[..., 0]
    for name, numbers in (
        ("train", range(500)),
        ("holdout", range(500, 700)),
        ("generated", [*range(10), *range(700, 730)]),
    ):
        (folder / name).mkdir()
        for number in numbers:
            Image.fromarray(images[number]).save(folder / name / f"{number:04d}.png")
    return folder


def test_audit_finds_the_copies(digits_folders: Path) -> None:
    said = ok(
        *("audit", "--generated", "generated", "--training", "train", "--holdout", "holdout"),
        *("--out", "audit", "--json"),
        cwd=digits_folders,
    )
    value = json.loads(said)
    assert value["rate"]["count"] == 10
    assert value["rate"]["total"] == 40
    assert value["control"]["rate"]["count"] == 0
    assert value["coverage"]["distinct_references"] == 10
    rows = (digits_folders / "audit" / "pairs.csv").read_text().splitlines()
    assert len(rows) == 41
    assert rows[1].split(",")[:3] == ["0", "0000.png", "yes"]
    assert (digits_folders / "audit" / "report.html").stat().st_size > 100_000


def test_report_is_rebuilt_from_files_alone(digits_folders: Path) -> None:
    ok(
        "audit",
        "--generated",
        "generated",
        "--training",
        "train",
        "--out",
        "again",
        cwd=digits_folders,
    )
    path = digits_folders / "again" / "report.html"
    before = path.read_text()
    path.unlink()
    assert ok("report", "again", cwd=digits_folders).strip().endswith("report.html")
    assert path.read_text() == before


def test_train_sample_and_audit_a_model(tmp_path: Path) -> None:
    said = ok("train", "--data", "digits", "--out", "model", *TRAIN, cwd=tmp_path)
    assert said.strip().endswith("1600.safetensors")
    ok("sample", "model", "--count", "20", "--out", "a.npz", cwd=tmp_path)
    ok("sample", "model", "--count", "20", "--out", "b.npz", cwd=tmp_path)
    ok("sample", "model", "--count", "20", "--weights", "raw", "--out", "c.npz", cwd=tmp_path)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert (tmp_path / "a.npz").read_bytes() != (tmp_path / "c.npz").read_bytes()
    with np.load(tmp_path / "a.npz") as file:
        assert file["images"].shape == (20, 8, 8, 1)
        assert file["images"].dtype == np.uint8
        ok("sample", "model", "--count", "20", "--out", "pictures/", cwd=tmp_path)
        assert (load_images(tmp_path / "pictures").items == file["images"]).all()
    assert (tmp_path / "pictures-contact-sheet.png").is_file()
    done = run("sample", "model", "--count", "9", "--out", "pictures", cwd=tmp_path)
    assert done.returncode == 1 and "holds something already" in done.stderr
    value = json.loads(
        ok("audit", "--generated", "a.npz", "--training", "digits", "--json", cwd=tmp_path)
    )
    assert value["rate"]["total"] == 20


@pytest.mark.slow
def test_interrupted_training_resumes_bit_for_bit(tmp_path: Path) -> None:
    long = [*TRAIN, "--set", "train.images=6400", "--set", "train.snapshot_images=6400"]
    long += ["--set", "train.log_images=160"]
    ok("train", "--out", "whole", *long, cwd=tmp_path)
    process = subprocess.Popen(
        command("train", "--out", "cut", *long), cwd=tmp_path, env=ENVIRONMENT
    )
    metrics = tmp_path / "cut" / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while not (metrics.exists() and metrics.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    assert (tmp_path / "cut" / "checkpoints" / "state.safetensors").exists()
    ok("train", "--out", "cut", *long, cwd=tmp_path)
    for name in ("metrics.jsonl", "checkpoints/6400.safetensors"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_conditional_models_take_labels(tmp_path: Path) -> None:
    ok("train", "--out", "model", *TRAIN, "--set", "train.labels=true", cwd=tmp_path)
    ok("sample", "model", "--label", "3", "--count", "5", "--out", "s.npz", cwd=tmp_path)
    with np.load(tmp_path / "s.npz") as file:
        assert file["labels"].tolist() == [3] * 5
        ok("sample", "model", "--label", "3", "--count", "5", "--out", "s", cwd=tmp_path)
        found = load_images(tmp_path / "s")
        assert (found.items == file["images"]).all() and found.classes == ("3",)
    done = run("sample", "model", "--label", "10", "--count", "5", "--out", "s.npz", cwd=tmp_path)
    assert done.returncode == 1
    assert "labels 0 to 9" in done.stderr


def test_the_optimum_copies(tmp_path: Path) -> None:
    said = ok("optimum", "--size", "100", "--count", "50", "--out", "o.npz", "--json", cwd=tmp_path)
    assert json.loads(said)["rate"]["value"] == 1.0


def test_the_optimum_by_caption_copies_items_of_the_caption_alone(tmp_path: Path) -> None:
    items = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8)
    texts = [f"picture {number // 3}" for number in range(12)]
    np.savez(tmp_path / "pictures.npz", images=items, captions=texts)
    asked = ("optimum", "pictures.npz", "--by-caption", "--count", "32", "--out", "copies")
    assert "itself: 32 of 32" in ok(*asked, cwd=tmp_path)
    found = load_images(tmp_path / "copies")
    assert found.captions == tuple(f"picture {number % 4}" for number in range(32))
    held = {(item.tobytes(), text) for item, text in zip(items, texts, strict=True)}
    drawn = {(item.tobytes(), text) for item, text in zip(found.items, found.captions, strict=True)}
    assert drawn <= held and len(drawn) > 8, "bytes of an item of that caption, and not always one"
    done = run("optimum", "digits", "--by-caption", "--out", "none", cwd=tmp_path)
    assert done.returncode == 1 and "1,797 of 1,797 items" in done.stderr


def test_vectors_come_back_in_their_own_units(tmp_path: Path) -> None:
    ok("optimum", "--data", "wine", "--count", "30", "--out", "o.npz", cwd=tmp_path)
    wine = load_images("wine").items
    with np.load(tmp_path / "o.npz") as file:
        drawn = file["images"]
    nearest = np.abs(drawn[:, None] - wine[None]).max(axis=2).min(axis=1)
    # Float32 model units and back: 1e-6 of the largest column (proline, to 1,680), rounded up.
    assert nearest.max() < 0.01
    value = json.loads(
        ok("audit", "--generated", "o.npz", "--training", "wine", "--json", cwd=tmp_path)
    )
    assert value["rate"]["value"] == 1.0


def test_data_show_says_what_is_in_a_source() -> None:
    value = json.loads(ok("data", "show", "digits", "--json", cwd=Path.cwd()))
    assert value["count"] == 1797
    assert value["duplicates"]["distinct"] == 1797
    told = ok("data", "show", "digits", cwd=Path.cwd())
    for words in ("1,797 images, 8 wide, 8 high, 1 channel", "from 0 to 255", "none", "3 183"):
        assert words in told
    assert "1 channels" not in told and "{" not in told
