"""`rote gap` and `rote train --gap` as processes."""

import json
from pathlib import Path

import numpy as np
import pytest
from command import ok, run
from report_page import Page

import rote
from rote.data.load import load_images
from rote.diffusion.checkpoint import load_checkpoint
from rote.diffusion.probes.gap_file import complement, find_subset

TRAIN = ["train", "--size", "16", "--set", "train.batch=16", "--set", "train.images=640"]
TRAIN += ["--set", "train.snapshot_images=320", "--set", "model.width=8", "--first"]
TRAIN += ["--set", "model.channel_mult=[1]", "--resolution", "4", "--seed", "3"]


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train with --gap; return the folder that holds the run `logged`, on a part of an npz file."""
    folder = tmp_path_factory.mktemp("gap")
    np.savez(folder / "digits.npz", images=load_images("digits").items[:200])
    ok(*TRAIN, "--data", "digits.npz", "--gap", "--out", "logged", cwd=folder)
    return folder


def test_training_logs_what_the_command_measures_afterwards(logged: Path) -> None:
    written = (logged / "logged" / "gap.json").read_bytes()
    entries = json.loads(written)["snapshots"]
    assert [entry["images_seen"] for entry in entries] == [320, 640]
    assert all(len(entry["gap"]) == 5 for entry in entries)
    (logged / "logged" / "gap.json").unlink()
    # From another folder, and told nothing: data, resolution, seed and device are those of the training.
    said = json.loads(ok("gap", logged / "logged", "--json", cwd=logged.parent))
    assert said["snapshots"] == entries
    assert (logged / "logged" / "gap.json").read_bytes() == written
    assert (said["training"]["count"], said["holdout"]["count"]) == (16, 184)


def test_the_run_is_found_by_its_digest_and_its_rest_is_the_complement(logged: Path) -> None:
    digits = load_images(logged / "digits.npz", resolution=4)
    checkpoint = load_checkpoint(logged / "logged")
    taken = find_subset(digits, checkpoint, count=16, seeds=[0])
    assert taken.tolist() == list(range(16))
    rest = complement(digits, taken)
    assert np.array_equal(rest.items, digits.items[16:])


def test_what_cannot_be_measured_is_said_in_one_line(logged: Path) -> None:
    for arguments, expected in (
        (["gap", "nowhere"], "nowhere does not exist; give the --out of `rote train`"),
        (["gap", "logged", "--sigmas", "0.4,x"], "--sigmas 0.4,x"),
        (["gap", "logged", "--resolution", "8"], "no subset of 16 items"),
        (["gap", "."], "holds no training"),
        (["train", "--gap", "--out", "whole"], "give --holdout, or"),
        (["train", "--holdout", "digits", "--out", "whole"], "give --gap too"),
    ):
        done = run(*arguments, cwd=logged)
        assert done.returncode == 1, arguments
        assert expected in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert not (logged / "whole").exists()


def test_the_functions_do_what_the_commands_do(logged: Path) -> None:
    run_folder = logged / "logged"
    found = rote.gap(run_folder, sigmas="0.4,0.8", points=64)
    said = json.loads(
        ok("gap", "logged", "--sigmas", "0.4,0.8", "--points", "64", "--json", cwd=logged)
    )
    assert found.to_json() == said
    assert found.summary().startswith("gap at sigma 0.8 after 640 images seen: ")
    assert found.to_pandas().shape == (4, 5)
    told = rote.membership(str(run_folder), sigmas=[0.8], draws=1)
    assert (
        told.to_json()["levels"]
        == json.loads((run_folder / "membership.json").read_text())["levels"]
    )
    for result in (found, told):
        assert "<svg" in result._repr_html_()
    with pytest.raises(rote.RoteError, match="`weights` best"):
        rote.gap(run_folder, weights="best")


def test_a_training_has_a_page_with_its_loss_gap_and_membership(logged: Path) -> None:
    ok("membership", "logged", "--draws", "1", cwd=logged)
    assert ok("report", "logged", cwd=logged).strip() == "logged/report.html"
    page = Page(logged / "logged" / "report.html")
    assert "640 images seen of 16 training items of digits.npz: each about 40 times." in page.text
    assert "The training has ended." in page.text
    assert "16 training and 184 held-out items" in page.text
    specs = page.data["chart-data"]["specs"]
    assert {"loss", "gap"} <= set(specs)
    rows = [
        json.loads(line) for line in (logged / "logged" / "metrics.jsonl").read_text().splitlines()
    ]
    drawn = [{"seen": row["images_seen"], "loss": row["loss"]} for row in rows]
    assert drawn in specs["loss"]["datasets"].values()
    found = json.loads((logged / "logged" / "membership.json").read_text())
    for level in found["levels"]:
        assert f"{level['roc']['auc']:.3f}" in page.text


def test_a_training_that_was_stopped_has_a_page_too(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "state.safetensors").touch()
    config = {
        "format_version": 1,
        "kind": "train",
        "seed": 0,
        "model": {"width": 8},
        "train": {"batch": 16},
    }
    config["dataset"] = {"digest": "0", "source": "digits", "count": 16}
    (tmp_path / "config.json").write_text(json.dumps(config))
    ok("report", tmp_path, cwd=tmp_path)
    text = Page(tmp_path / "report.html").text
    assert "The training has not ended" in text
    assert "No line of the loss has been written yet." in text
