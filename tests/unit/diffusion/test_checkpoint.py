"""Snapshots: what they hold, and one line for each file that is none."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from rote.core.errors import RunError
from rote.diffusion.checkpoint import (
    load_checkpoint,
    read_header,
    read_tensors,
    save_snapshot,
    snapshot_paths,
    write_tensors,
)
from rote.diffusion.preconditioning import build_denoiser


def test_a_snapshot_says_what_it_is(snapshot, digits, small):
    again = load_checkpoint(snapshot.path)
    assert again == snapshot
    assert (again.model, again.shape, again.label_count) == (small, (1, 8, 8), 10)
    assert again.images_seen == 1280
    assert again.facts == {
        "labels": "true",
        "label_dropout": 0.0,
        "scaling": None,
        "seed": 0,
        "dataset": digits.subset(64, seed=0).digest,
    }


def test_weights_are_those_in_the_file(snapshot):
    tensors = read_tensors(snapshot.path)
    for kind in ("ema", "raw"):
        denoiser = snapshot.denoiser(weights=kind)
        state = denoiser.state_dict()
        assert {f"{kind}.{key}" for key in state} == {k for k in tensors if k.startswith(kind)}
        assert all(torch.equal(value, tensors[f"{kind}.{key}"]) for key, value in state.items())
        assert not denoiser.training
        assert not any(p.requires_grad for p in denoiser.parameters())
    assert any(not torch.equal(tensors[k], tensors["raw" + k[3:]]) for k in tensors if k[0] == "e")


@pytest.mark.parametrize("changes", [{"encoder": "residual"}, {"time_embedding": "fourier"}])
def test_a_network_that_has_changed_since_is_refused(small, tmp_path, changes):
    model = small.model_copy(update=changes)
    network = build_denoiser(model, (1, 8, 8), label_count=0, seed=0)
    path, raw = tmp_path / "0.safetensors", network.state_dict()
    ema = {name: 0.9 * value for name, value in raw.items()}
    about = {"shape": (1, 8, 8), "label_count": 0, "images_seen": 0, "facts": {}}
    save_snapshot(path, model=model, raw=raw, ema=ema, **about)
    assert load_checkpoint(path).model == model
    header = read_header(path)
    assert header["model"].pop("network_version") == 2  # as an older rote wrote it
    save_file(load_file(path), path, metadata={"rote": json.dumps(header)})
    with pytest.raises(RunError, match=r"a network of an older rote .* train it again, or read it"):
        load_checkpoint(path)


def test_a_run_directory_gives_its_newest_snapshot(snapshot, tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in ("512", "1280", "96", "state"):
        (folder / f"{name}.safetensors").write_bytes(snapshot.path.read_bytes())
    assert [path.stem for path in snapshot_paths(tmp_path)] == ["96", "512", "1280"]
    assert load_checkpoint(tmp_path).path.stem == "1280"


def damaged(path, snapshot):
    path.write_bytes(snapshot.path.read_bytes()[:-100])


def text(path, snapshot):
    path.write_text("a safetensors file this is not")


def foreign(path, snapshot):
    save_file({"a": torch.zeros(1)}, path)


def state(path, snapshot):
    write_tensors(path, {"raw.a": torch.zeros(1)}, {"images_seen": 4})


def newer(path, snapshot):
    write_tensors(path, {"raw.a": torch.zeros(1)}, {"format_version": 2, "model": {}})


def other_model(path, snapshot):
    header = {"model": {"widht": 8}, "shape": [1], "label_count": 0, "images_seen": 0, "facts": {}}
    write_tensors(path, {"raw.a": torch.zeros(1)}, header)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (damaged, "is damaged or no safetensors file"),
        (text, "is damaged or no safetensors file"),
        (foreign, "was not written by rote"),
        (state, "is not a snapshot; give checkpoints/<images_seen>.safetensors"),
        (newer, "was written by a newer rote"),
    ],
)
def test_files_that_are_no_snapshots_are_one_line(make, message, snapshot, tmp_path):
    path = tmp_path / "7.safetensors"
    make(path, snapshot)
    with pytest.raises(RunError, match=f"^{re.escape(str(path))} {message}"):
        load_checkpoint(path)


def test_a_model_that_this_rote_does_not_know_is_one_line(snapshot, tmp_path):
    path = tmp_path / "7.safetensors"
    other_model(path, snapshot)
    with pytest.raises(Exception, match=r"unknown key 'widht' \(did you mean 'width'\?\)"):
        load_checkpoint(path)


def test_missing_files_and_empty_runs_are_one_line(tmp_path):
    with pytest.raises(RunError, match="does not exist; give a snapshot or a run directory"):
        load_checkpoint(tmp_path / "7.safetensors")
    with pytest.raises(RunError, match="train it first"):
        load_checkpoint(tmp_path)
