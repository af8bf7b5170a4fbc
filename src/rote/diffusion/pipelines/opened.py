"""A pipeline of diffusers, opened for measuring: its own weights, and nothing that changes its images."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rote.core.devices import resolve_device
from rote.core.errors import ConfigError, RoteError, first_line
from rote.core.installation import extra
from rote.data.ahead.existing import PIPELINE
from rote.data.messages import shown
from rote.diffusion.pipelines.dtypes import DTYPES
from rote.diffusion.pipelines.lora import add_lora

PARTS = (
    *("unet", "transformer", "vae"),
    *("text_encoder", "text_encoder_2", "text_encoder_3"),
)
"""The networks of a pipeline, by their folders."""


@dataclass(frozen=True, eq=False)
class OpenPipeline:
    """A pipeline that can be asked.

    Attributes
    ----------
    name
        How it was given.
    given
        The pipeline of diffusers.
    lora
        The LoRA file and its scale, if there is one.
    device, dtype
        Where it computes, and in which numbers.
    """

    name: str
    given: Any
    lora: tuple[str, float] | None
    device: str
    dtype: str

    @property
    def denoiser(self) -> Any:
        """The network that predicts noise."""
        return getattr(self.given, "unet", None) or self.given.transformer

    @property
    def size(self) -> int:
        """Height and width of its images, in pixels."""
        return int(self.denoiser.config.sample_size * self.given.vae_scale_factor)

    def default(self, argument: str) -> Any:
        """Return what the pipeline itself takes where an argument is left out."""
        return inspect.signature(type(self.given).__call__).parameters[argument].default

    def digest(self) -> str:
        """Return a SHA-256 of all weights, those of a LoRA among them."""
        found = hashlib.sha256()
        for name, part in sorted(self.given.components.items()):
            if not isinstance(part, torch.nn.Module):
                continue
            for key, tensor in part.state_dict().items():
                found.update(f"{name}.{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
                plain = tensor.detach().cpu().contiguous().reshape(-1)
                found.update(plain.view(torch.uint8).numpy().tobytes())
        return found.hexdigest()

    def longest(self) -> int | None:
        """Return how many tokens of a prompt it reads, if it says so."""
        tokenizer = getattr(self.given, "tokenizer", None)
        return None if tokenizer is None else int(tokenizer.model_max_length)

    def cut(self, prompts: tuple[str, ...]) -> int:
        """Return how many prompts are longer than what it reads of them."""
        longest = self.longest()
        if longest is None:
            return 0
        with quiet():
            ids = self.given.tokenizer(list(prompts)).input_ids
        return sum(len(one) > longest for one in ids)


def open_pipeline(
    pipeline: Any,
    *,
    lora: str | Path | None = None,
    lora_scale: float = 1.0,
    device: str = "auto",
    dtype: str = "float32",
) -> OpenPipeline:
    """Open a pipeline.

    A checker that blackens images and a watermark are taken off: both would change what is measured.

    Parameters
    ----------
    pipeline
        A folder that `save_pretrained` wrote, the name of a repository of the Hugging Face hub, or a
        pipeline that is open already (a LoRA, a device and numbers are then its own).
    lora
        A .safetensors file (of diffusers or kohya), or a folder that peft or diffusers saved.
    lora_scale
        What the LoRA is multiplied by; 0 is the pipeline without it.
    device, dtype
        Where it computes, and in which numbers: float32, float16 or bfloat16.

    Raises
    ------
    ConfigError
        One line: a library that is missing, files that cannot be loaded or do not fit, or a pipeline that
        takes no prompts.
    """
    where = resolve_device(device)
    check_libraries(lora=lora is not None)
    if dtype not in DTYPES:
        raise ConfigError(f"`dtype` {dtype} is unknown; give one of {', '.join(DTYPES)}")
    if not isinstance(pipeline, str | Path):
        if lora is not None:
            raise ConfigError(
                "`lora` is for a pipeline that is opened here; load it into this one yourself"
            )
        kind = type(pipeline).__name__
        given = _checked(pipeline, kind)
        numbers = str(given.dtype).removeprefix("torch.")
        found = OpenPipeline(kind, given, None, given.device.type, numbers)
    else:
        name = str(pipeline)
        with quiet():
            loaded = _checked(_loaded(name), name).to(where, getattr(torch, dtype))
            if lora is not None:
                add_lora(loaded, Path(lora).expanduser(), lora_scale)
        kept = None if lora is None else (Path(lora).name, float(lora_scale))
        found = OpenPipeline(name, loaded, kept, where, dtype)
    found.given.set_progress_bar_config(disable=True)
    if getattr(found.given, "vae", None) is not None:
        found.given.vae.enable_slicing()  # images are decoded one by one: memory, not time, is the limit
    return found


def check_libraries(*, lora: bool) -> None:
    """Refuse to begin where a library is missing.

    Raises
    ------
    ConfigError
        Naming it, and the extra that brings it.
    """
    for library in ("diffusers", "transformers", *(["peft"] if lora else [])):
        try:
            importlib.import_module(library)
        except ImportError:
            raise ConfigError(
                f"a pipeline{' with a LoRA' * lora} needs the package {library}, which is not installed: "
                f"{extra('diffusers')}"
            ) from None


def folder_of(name: str) -> Path:
    """Return the folder of a pipeline: a folder as it is, a repository after it was downloaded."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / PIPELINE).exists():
            raise ConfigError(
                f"the pipeline {shown(name)} has no {PIPELINE}; give a folder that a pipeline's "
                "save_pretrained wrote"
            )
        return folder
    from diffusers import DiffusionPipeline

    return Path(DiffusionPipeline.download(name, use_safetensors=True))


def _loaded(name: str) -> Any:
    from diffusers import DiffusionPipeline

    try:
        folder = folder_of(name)
        index = json.loads((folder / PIPELINE).read_text(encoding="utf-8"))
        parts = {
            part: _part(folder / part, *index[part], pipeline=name)
            for part in PARTS
            if (index.get(part) or [None])[0] is not None
        }
        found = DiffusionPipeline.from_pretrained(str(folder), **parts)
    except RoteError:
        raise
    except Exception as error:
        reason = first_line(error, longest=200)
        raise ConfigError(
            f"the pipeline {shown(name)} cannot be loaded ({reason}); give a folder that a pipeline's "
            "save_pretrained wrote, with .safetensors files, or the name of a repository"
        ) from error
    return found


def _part(folder: Path, library: str, kind: str, *, pipeline: str) -> Any:
    """Load one network, all of whose weights are in its files: the libraries fill in random ones."""
    if library not in ("diffusers", "transformers"):
        raise ConfigError(
            f"the pipeline {shown(pipeline)}: its {folder.name} is code of {shown(library)}, which is "
            "not run; open it yourself, and give the pipeline"
        )
    files = sorted(folder.glob("*.safetensors"))
    half = bool(files) and all(".fp16." in file.name for file in files)
    network, told = getattr(importlib.import_module(library), kind).from_pretrained(
        str(folder),
        use_safetensors=True,
        output_loading_info=True,
        variant="fp16" if half else None,
    )
    if missing := sorted({*told["missing_keys"], *map(str, told["mismatched_keys"])}):
        raise ConfigError(
            f"the pipeline {shown(pipeline)}: {len(missing)} weights of its {folder.name} are in no file "
            f"(such as {shown(missing[0])}) and would be random; save it again"
        )
    return network


def _checked(pipeline: Any, name: str) -> Any:
    kind = type(pipeline).__name__
    denoiser = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    if denoiser is None or not hasattr(pipeline, "encode_prompt"):
        raise ConfigError(
            f"the pipeline {shown(name)} is a {kind}, which takes no prompts; give one that does, such "
            "as a StableDiffusionPipeline (of others give their images)"
        )
    for changes in ("safety_checker", "watermark"):
        if getattr(pipeline, changes, None) is not None:
            setattr(pipeline, changes, None)
    return pipeline


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep diffusers and transformers from talking of what is checked here, and from their bars."""
    # Neither has types.
    talk: Any = importlib.import_module("diffusers.utils.logging")
    others: Any = importlib.import_module("transformers.utils.logging")
    before = talk.get_verbosity(), others.get_verbosity()
    talk.set_verbosity_error()
    others.set_verbosity_error()
    bars = others.is_progress_bar_enabled()
    others.disable_progress_bar()
    talk.disable_progress_bar()
    try:
        yield
    finally:
        talk.set_verbosity(before[0])
        others.set_verbosity(before[1])
        talk.enable_progress_bar()
        if bars:
            others.enable_progress_bar()
