"""Checkpoints: safetensors files with the configuration in the header. Never pickle."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rote.core.atomic_files import FORMAT_VERSION, write_atomic
from rote.core.config import parse_config
from rote.core.errors import ConfigError, DataError, RunError
from rote.core.memory import bounded_memory
from rote.data.dataset import Dataset
from rote.diffusion.config import ModelConfig
from rote.diffusion.preconditioning import Denoiser, build_denoiser

Weights = Literal["ema", "raw"]
BUILDING_BYTES = 1 << 30


def check_weights(name: str) -> Weights:
    """Return which weights of a snapshot are meant.

    Raises
    ------
    ConfigError
        If there are none of that name.
    """
    if name not in ("ema", "raw"):
        raise ConfigError(f"`weights` {name} is unknown; choose ema or raw")
    return cast("Weights", name)


@dataclass(frozen=True)
class Checkpoint:
    """A snapshot on disk: what it is, without its weights.

    ``facts`` hold where it came from: ``labels`` (the conditioning), ``unused_labels`` (where there are
    some), ``seed``, ``dataset`` (digest) and, for vectors, ``scaling``.
    """

    path: Path
    model: ModelConfig
    shape: tuple[int, ...]
    label_count: int
    images_seen: int
    facts: dict[str, Any]

    @property
    def unused_labels(self) -> list[int]:
        """Labels that no training image had; files of older versions do not tell."""
        return list(self.facts.get("unused_labels", ()))

    def check_trained_on(self, items: Dataset) -> None:
        """Refuse items other than those that it was trained on.

        Raises
        ------
        DataError
            One line.
        """
        if self.facts["dataset"] != items.digest:
            raise DataError(
                f"{self.path} was trained on other data than the {len(items)} items of "
                f"{items.source}; give the data, resolution and seed that it was trained with"
            )

    def denoiser(self, *, weights: Weights = "ema", device: str | torch.device = "cpu") -> Denoiser:
        """Load the denoiser, in evaluation mode, gradients off.

        Raises
        ------
        RunError
            If the weights are not those of the network that the file names.
        """
        prefix = f"{weights}."
        try:
            # A header may claim a network of any size; one of the file's own takes no more than this.
            with bounded_memory(4 * self.path.stat().st_size + BUILDING_BYTES):
                built = build_denoiser(self.model, self.shape, label_count=self.label_count, seed=0)
            tensors = read_tensors(self.path)
            built.load_state_dict(
                {
                    key.removeprefix(prefix): t
                    for key, t in tensors.items()
                    if key.startswith(prefix)
                }
            )
        except (RuntimeError, ValueError, TypeError, MemoryError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()[:160]
            raise RunError(
                f"{self.path} is damaged (its weights are not of the network that it names: {reason}); "
                "train it again"
            ) from error
        return built.requires_grad_(requires_grad=False).eval().to(device)


def save_snapshot(
    path: Path,
    *,
    model: ModelConfig,
    shape: tuple[int, ...],
    label_count: int,
    images_seen: int,
    facts: dict[str, Any],
    raw: dict[str, Tensor],
    ema: dict[str, Tensor],
) -> None:
    """Write a snapshot atomically."""
    header = {
        "model": model.to_json(),
        "shape": list(shape),
        "label_count": label_count,
        "images_seen": images_seen,
        "facts": facts,
    }
    tensors = {f"raw.{key}": value for key, value in raw.items()}
    tensors |= {f"ema.{key}": value for key, value in ema.items()}
    write_tensors(path, tensors, header)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read what a snapshot is; its weights are read by `Checkpoint.denoiser`.

    Parameters
    ----------
    path
        A snapshot file, or a run directory (its newest snapshot is taken).

    Raises
    ------
    RunError
        If there is no snapshot, or the file is damaged or no snapshot of rote's.
    """
    path = Path(path)
    if path.is_dir():
        found = snapshot_paths(path)
        if not found:
            raise RunError(f"{path} holds no checkpoints/<images_seen>.safetensors; train it first")
        path = found[-1]
    header = read_header(path)
    if "model" not in header:
        raise RunError(f"{path} is not a snapshot; give checkpoints/<images_seen>.safetensors")
    model = parse_config(ModelConfig, header["model"], where=str(path))
    if header["model"].get("network_version", 1) != model.network_version:
        raise RunError(
            f"{path} holds a network of an older rote (NCSN++ and the Fourier embedding were not quite "
            "the paper's); train it again, or read it with the rote that wrote it"
        )
    shape, counts = header.get("shape"), (header.get("label_count"), header.get("images_seen"))
    if not (
        isinstance(shape, list)
        and all(isinstance(size, int) and size > 0 for size in shape)
        and all(isinstance(count, int) for count in counts)
        and isinstance(header.get("facts"), dict)
    ):
        raise RunError(f"{path} is damaged (its header does not say what it holds); train it again")
    return Checkpoint(
        path=path,
        model=model,
        shape=tuple(shape),
        label_count=header["label_count"],
        images_seen=header["images_seen"],
        facts=header["facts"],
    )


def snapshot_paths(run: Path) -> list[Path]:
    """Return the snapshots of a run directory, oldest first."""
    found = [p for p in (run / "checkpoints").glob("*.safetensors") if p.stem.isdigit()]
    return sorted(found, key=lambda p: int(p.stem))


def write_tensors(path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write tensors and a JSON header atomically."""
    held = {key: value.detach().contiguous().cpu() for key, value in tensors.items()}
    told = {"format_version": FORMAT_VERSION, **header, "sha256": _digest(held)}
    text = json.dumps(told, allow_nan=False)

    def write(temporary: Path) -> None:
        try:
            save_file(held, temporary, metadata={"rote": text})
        except SafetensorError as error:  # its text alone says what the system refused
            found = re.search(r"os error (\d+)", str(error))
            number = int(found[1]) if found else 0
            raise OSError(number, os.strerror(number) if found else str(error)) from error

    write_atomic(path, write)


def read_header(path: Path) -> dict[str, Any]:
    """Read the JSON header of a tensor file.

    Raises
    ------
    RunError
        If the file is missing, damaged or not rote's.
    """
    try:
        with safe_open(path, framework="pt") as handle:
            metadata = handle.metadata() or {}
    except FileNotFoundError:
        raise RunError(f"{path} does not exist; give a snapshot or a run directory") from None
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path} is damaged or no safetensors file ({error})") from None
    if "rote" not in metadata:
        raise RunError(f"{path} was not written by rote (no 'rote' entry in its header)")
    try:
        header: dict[str, Any] = json.loads(metadata["rote"])
        newer = header["format_version"] > FORMAT_VERSION
    except (ValueError, TypeError, KeyError, RecursionError):
        raise RunError(
            f"{path} is damaged (its header is not one of rote's); train it again"
        ) from None
    if newer:
        raise RunError(f"{path} was written by a newer rote; install that")
    return header


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a file onto the CPU.

    Raises
    ------
    RunError
        If they are not those that were written; files of older versions do not tell.
    """
    expected = read_header(path).get("sha256")
    try:
        with safe_open(path, framework="pt") as handle:
            found = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path} is damaged or no safetensors file ({error})") from None
    if expected is not None and _digest(found) != expected:
        raise RunError(
            f"{path} is damaged: its numbers are not those that were written; delete it and train again"
        )
    return found


def _digest(tensors: dict[str, Tensor]) -> str:
    """Return the SHA-256 of tensors on the CPU: names, types, shapes and bytes."""
    hasher = hashlib.sha256()
    for key, value in sorted(tensors.items()):
        hasher.update(f"{key} {value.dtype} {tuple(value.shape)} ".encode())
        hasher.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()
