"""Weights & Biases and MLflow, offline: what they were shown is what `metrics.jsonl` holds."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from command import ENVIRONMENT, command

from rote.core.errors import RunError
from rote.core.run_folder import read_metrics
from rote.core.trackers import _one_line

TRAIN = [
    *("train", "--data", "digits", "--size", "32", "--seed", "3", "--out", "run", "--json"),
    *("--set", "model.width=8", "--set", "model.channel_mult=[1]", "--set", "train.batch=16"),
    *("--set", "train.images=480", "--set", "train.snapshot_images=240"),
    *("--set", "train.log_images=160"),
]


def needs(*packages: str) -> pytest.MarkDecorator:
    missing = [name for name in packages if find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def train(tracker: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*TRAIN, "--track", tracker),
        cwd=cwd,
        env=ENVIRONMENT | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def expected(folder: Path) -> list[tuple[int, float]]:
    rows = read_metrics(folder / "run" / "metrics.jsonl")
    assert [row["images_seen"] for row in rows] == [160, 320, 480]
    return [(row["images_seen"], row["loss"]) for row in rows]


@pytest.mark.slow
@needs("accelerate", "wandb")
def test_wandb_is_shown_every_row_under_its_images_seen(tmp_path: Path) -> None:
    done = train("wandb", tmp_path, WANDB_MODE="offline")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["images_seen"] == 480  # and its own words went elsewhere
    (file,) = tmp_path.glob("run/wandb/offline-run-*/run-*.wandb")
    shown, settings, names = [], {}, []
    for kind, record in wandb_records(file.read_bytes()):
        if kind == "history":
            row = {item.key or item.nested_key[0]: item.value_json for item in record.item}
            shown.append((record.step.num, json.loads(row["loss"])))
        elif kind == "config":
            settings |= {item.key or item.nested_key[0]: item.value_json for item in record.update}
        elif kind == "run":
            names.append((record.project, record.display_name))
    assert shown == expected(tmp_path)
    assert names == [("rote", "run")]
    assert (settings["model.width"], settings["train.images"]) == ("8", "480")
    # A run that has nothing left to do leaves no trace.
    assert train("wandb", tmp_path, WANDB_MODE="offline").returncode == 0
    assert list(tmp_path.glob("run/wandb/offline-run-*")) == [file.parent]


def wandb_records(raw: bytes) -> Iterator[tuple[str, object]]:
    """Read the file of an offline run: a log of LevelDB's form, parts of records in blocks of 32 KiB."""
    from wandb.proto import wandb_internal_pb2

    at, text, block, header = 7, b"", 32768, 7
    while at + header <= len(raw):
        if block - at % block < header:
            at += block - at % block
            continue
        length, part = int.from_bytes(raw[at + 4 : at + 6], "little"), raw[at + 6]
        text += raw[at + header : at + header + length]
        at += header + length
        if part in (1, 4):  # whole, or the last of several
            record = wandb_internal_pb2.Record()
            record.ParseFromString(text)
            kind = record.WhichOneof("record_type")
            yield kind, getattr(record, kind)
            text = b""


@pytest.mark.slow
@needs("accelerate", "mlflow")
def test_mlflow_is_shown_every_row_under_its_images_seen(tmp_path: Path) -> None:
    store = {"MLFLOW_TRACKING_URI": f"file://{tmp_path}/store", "MLFLOW_ALLOW_FILE_STORE": "true"}
    done = train("mlflow", tmp_path, **store)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["images_seen"] == 480
    (run,) = [path.parent for path in tmp_path.glob("store/*/*/meta.yaml")]
    assert "name: rote" in (run.parent / "meta.yaml").read_text().splitlines()
    lines = [line.split() for line in (run / "metrics" / "loss").read_text().splitlines()]
    assert [(int(step), float(value)) for _, value, step in lines] == expected(tmp_path)
    assert (run / "tags" / "mlflow.runName").read_text() == "run"
    assert (run / "params" / "model.width").read_text() == "8"
    assert train("mlflow", tmp_path, **store).returncode == 0
    assert len(list(tmp_path.glob("store/*/*/meta.yaml"))) == 1


@pytest.mark.slow
@needs("accelerate", "mlflow")
def test_mlflow_is_prepared_once_before_workers_begin(tmp_path: Path) -> None:
    code = "from rote.core.trackers import prepare_tracker as prepare; [prepare('mlflow') for _ in '12']"
    store = {"MLFLOW_TRACKING_URI": f"file://{tmp_path}/store", "MLFLOW_ALLOW_FILE_STORE": "true"}
    for experiment in ({}, {"MLFLOW_EXPERIMENT_NAME": "mine"}):
        environment = ENVIRONMENT | store | experiment
        subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, check=True)
    names = [path.read_text().splitlines() for path in tmp_path.glob("store/*/meta.yaml")]
    assert sorted(line for lines in names for line in lines if line.startswith("name: ")) == [
        "name: Default",
        "name: mine",
        "name: rote",
    ]


@pytest.mark.slow
@needs("accelerate", "mlflow")
def test_a_client_that_fails_is_one_line(tmp_path: Path) -> None:
    done = train("mlflow", tmp_path, MLFLOW_TRACKING_URI="nowhere://at/all")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "--track mlflow failed (" in line
    assert "nowhere" in line
    assert "Traceback" not in done.stderr


def test_what_a_client_says_and_raises(capsys: pytest.CaptureFixture[str]) -> None:
    """Needs no client: its words go to stderr, its errors become one line with the way out."""
    with pytest.raises(RunError) as caught, _one_line("wandb"):
        print("welcome")
        raise OSError("no network\n  at all")
    assert str(caught.value).startswith("`track` wandb failed (no network at all); ")
    assert "without `track`" in str(caught.value)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "welcome\n")
