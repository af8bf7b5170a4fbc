"""`rote audit` in continuous integration: a step summary and a JUnit file, whatever comes of it."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from command import run_here


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = np.random.default_rng(0).integers(0, 256, (60, 4, 4, 1), dtype=np.uint8)
    np.save(tmp_path / "training.npy", images[:40])
    np.save(tmp_path / "copies.npy", images[:20])
    np.save(tmp_path / "fresh.npy", images[40:])
    return tmp_path


def audit(folder: Path, made: str, *more: str) -> int:
    sides = ["--generated", f"{made}.npy", "--training", "training.npy", "--positive-control", "0"]
    files = ["--junit", "junit.xml", "--summary-md", "summary.md"]
    return run_here("audit", *sides, *files, *more, cwd=folder).returncode


def suite(folder: Path) -> ET.Element:
    return ET.parse(folder / "junit.xml").getroot()


def test_a_gate_leaves_its_files(folder: Path) -> None:
    assert audit(folder, "fresh", "--fail-above", "0.9") == 0
    assert (suite(folder).get("failures"), suite(folder).get("errors")) == ("0", "0")
    assert audit(folder, "copies", "--fail-above", "0.9") == 4
    assert suite(folder).get("failures") == "1"
    assert audit(folder, "copies", "--fail-above", "0.1") == 3
    summary = (folder / "summary.md").read_text()
    assert [summary.count(f"**{word}**") for word in ("passed", "undecided", "failed")] == [1] * 3
    assert "no control: give --holdout, " in summary


def test_an_error_replaces_an_older_test(folder: Path) -> None:
    assert audit(folder, "fresh", "--fail-above", "0.9") == 0
    assert audit(folder, "nothing", "--fail-above", "0.9") == 1
    assert suite(folder).get("errors") == "1"
    assert "nothing.npy" in next(suite(folder).iter("error")).get("message")


def test_without_a_gate_there_is_no_test(folder: Path) -> None:
    sides = ["--generated", "fresh.npy", "--training", "training.npy"]
    done = run_here("audit", *sides, "--junit", "junit.xml", cwd=folder)
    assert done.returncode == 1
    assert "--fail-above" in done.stderr
    done = run_here("audit", *sides, "--summary-md", ".", cwd=folder)
    assert done.returncode == 1
    assert "--summary-md . is no file" in done.stderr
