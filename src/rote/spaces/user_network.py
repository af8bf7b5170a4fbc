"""Networks that a person brings: TorchScript and ONNX files, and functions of their own.

    torchscript:PATH[?size=N&norm=NAME&metric=cosine][#sha256=HEX]
    onnx:PATH[the same]
    sscd:PATH[#sha256=HEX]             the published TorchScript file, with its official preprocessing
    module:function                    a function: uint8 (T, H, W, C) -> float (T, D), both NumPy arrays

A file sees float32 (T, 3, h, w). Nothing about its preprocessing is guessed: ``size`` scales the shorter
side (left out: images as they are), ``norm`` is one of unit ([0, 1], the default), half ([-1, 1]),
imagenet, clip, lite. A file is data: it is checked before anything of it runs
(`rote.spaces.files.torchscript`, `rote.spaces.files.onnx`). A function is code, and runs as such.

SSCD: Pizzi et al., "A Self-Supervised Descriptor for Image Copy Detection" (2022); 512 numbers, cosine,
shorter side to 288, ImageNet's statistics. Its published thresholds hold for this preprocessing alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from rote.core.errors import ConfigError, DataError, did_you_mean, first_line
from rote.core.memory import bounded_memory
from rote.core.user_module import import_user_module, own_code
from rote.spaces.factory import SpaceFactory
from rote.spaces.files.onnx import check_onnx
from rote.spaces.files.torchscript import load_torchscript
from rote.spaces.guard import RefusedError, bounded
from rote.spaces.packaged_network import FEATURES, PIP
from rote.spaces.parse import Wanted, check_options, file_digest, file_of, matched, size_of
from rote.spaces.preprocess import NORMS, Preprocessing
from rote.spaces.space import Metric, Network, Space

if TYPE_CHECKING:
    from collections.abc import Collection

OPTIONS = ("size", "norm", "metric")
METRICS = ("l2", "cosine")
_FUNCTION = re.compile(r"[^\W\d][\w.]*:[^\W\d]\w*")


def torchscript(wanted: Wanted, device: str) -> Space:
    """Return the space of a TorchScript file."""
    check_options(wanted, OPTIONS)
    path = file_of(wanted)
    sha256, network = _torchscript(wanted, path, device)
    return _of_file(wanted, path, sha256, network, device)


def sscd(wanted: Wanted, device: str) -> Space:
    """Return the space of SSCD, from its published TorchScript file."""
    check_options(wanted, ())
    if not wanted.argument:
        raise ConfigError(
            "`space` sscd needs its weights by hand: get sscd_disc_mixup.torchscript.pt from "
            "github.com/facebookresearch/sscd-copy-detection and give `space` sscd:PATH"
        )
    path = file_of(wanted)
    sha256, network = _torchscript(wanted, path, device)
    return Space(
        name="sscd",
        preprocessing=str(Preprocessing("imagenet", size=288)),
        metric="cosine",
        source=path.name,
        license="MIT",
        weights_sha256=sha256,
        beside="",
        prepare=Preprocessing("imagenet", size=288, device=device),
        network=bounded(network, device),
        tile=16,
        width=512,
        foreign="file",
    )


def onnx(wanted: Wanted, device: str) -> Space:
    """Return the space of an ONNX file, run on the CPU."""
    check_options(wanted, OPTIONS)
    path = file_of(wanted)
    try:
        import onnxruntime
    except ImportError:
        raise ConfigError(
            f"`space` {wanted.text} needs the package onnxruntime, which is not installed: {PIP}"
        ) from None
    content = path.read_bytes()
    try:
        others = check_onnx(content, path)
    except RefusedError as error:
        raise _no_network(wanted, path, "ONNX", error) from None
    sha256 = _hash_of_all(path, content, others, wanted)
    try:
        # The bytes that were looked at; only what names files beside it has to be read from its place.
        with bounded_memory():
            session = onnxruntime.InferenceSession(
                str(path) if others else content, providers=["CPUExecutionProvider"]
            )
    except Exception as error:
        raise _no_network(wanted, path, "ONNX", error) from error
    entry = session.get_inputs()[0]

    def network(prepared: torch.Tensor) -> torch.Tensor:
        try:
            found = session.run(None, {entry.name: prepared.cpu().numpy()})
        except Exception as error:
            raise ValueError(str(error)) from error
        if not isinstance(found[0], np.ndarray) or found[0].dtype.kind not in "fiu":
            raise ValueError(f"its first output is {type(found[0]).__name__}, no tensor of numbers")
        return torch.from_numpy(found[0])

    batch = entry.shape[0] if entry.shape else None
    tile = batch if isinstance(batch, int) and batch > 0 else 16
    beside = f"onnxruntime {onnxruntime.__version__}"
    return _of_file(wanted, path, sha256, network, "cpu", tile=tile, beside=beside)


def _hash_of_all(path: Path, content: bytes, others: list[Path], wanted: Wanted) -> str:
    """Return the SHA-256 over the hashes of a graph and the files that it names; a pin is of that."""
    own = hashlib.sha256(content).hexdigest()
    if not others:
        return matched(own, path, wanted)
    parts = own + "".join(file_digest(file) for file in others)
    found = hashlib.sha256(parts.encode()).hexdigest()
    if wanted.sha256 is not None and not found.startswith(wanted.sha256):
        raise ConfigError(
            f"`space` {wanted.text}: {path} and the {len(others)} files of its weights "
            f"({others[0].name}, ...) have SHA-256 {found[:16]}... together, not "
            f"{wanted.sha256[:16]}...; they hold other weights: get the right files again"
        )
    return found


def function(text: str, names: Collection[str]) -> Space:
    """Return the space of a person's own function, or say that there is no such space."""
    unknown = f"`space` '{text}' is unknown{did_you_mean(text.partition(':')[0], names)}"
    if not _FUNCTION.fullmatch(text):
        raise ConfigError(unknown)
    module_name, _, name = text.partition(":")
    try:
        module = import_user_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise ConfigError(f"{unknown}, and there is no module {module_name}") from None
        raise ConfigError(f"`space` {text}: importing {module_name} raised {error}") from error
    except Exception as error:
        raise ConfigError(
            f"`space` {text}: importing {module_name} raised {type(error).__name__}: {error}"
        ) from error
    found = getattr(module, name, None)
    if not callable(found):
        raise ConfigError(
            f"`space` {text}: module {module_name} has no function {name}; give a function of uint8 "
            "images (T, H, W, C) that returns an array (T, D)"
        )
    source = getattr(module, "__file__", None)
    digest = hashlib.sha256(Path(source).read_bytes()).hexdigest() if source else None
    return Space(
        name=text,
        preprocessing="the function's own",
        source=f"function {text}; the hash is that of its module's file, and its rows are not kept",
        weights_sha256=digest,
        prepare=lambda images: torch.from_numpy(images),
        network=lambda prepared: _called(found, prepared, text),
        tile=32,
        foreign="function",
    )


def _called(found: Callable[[Any], Any], prepared: torch.Tensor, text: str) -> torch.Tensor:
    try:
        with own_code():
            rows = found(prepared.numpy())
    except Exception as error:
        raise DataError(f"`space` {text} raised {type(error).__name__}: {error}") from error
    return torch.from_numpy(np.asarray(rows)) if not isinstance(rows, torch.Tensor) else rows


def _torchscript(wanted: Wanted, path: Path, device: str) -> tuple[str, Network]:
    """Return the hash of a TorchScript file and its network."""
    content = path.read_bytes()
    sha256 = matched(hashlib.sha256(content).hexdigest(), path, wanted)
    try:
        with bounded_memory() if device == "cpu" else contextlib.nullcontext():
            network = load_torchscript(content, device=device)
    except RefusedError as error:
        raise _no_network(wanted, path, "TorchScript", error) from error
    return sha256, cast("Network", network)


def _no_network(wanted: Wanted, path: Path, kind: str, error: Exception) -> ConfigError:
    reason = first_line(error, longest=160)
    return ConfigError(f"`space` {wanted.text}: {path} is no {kind} file that is taken ({reason})")


def _of_file(
    wanted: Wanted,
    path: Path,
    sha256: str,
    network: Network,
    device: str,
    *,
    tile: int = 16,
    beside: str | None = "",
) -> Space:
    norm, metric = wanted.options.get("norm", "unit"), wanted.options.get("metric", "l2")
    for key, value, known in (("norm", norm, tuple(NORMS)), ("metric", metric, METRICS)):
        if value not in known:
            raise ConfigError(
                f"`space` {wanted.text}: {key}={value} is unknown{did_you_mean(value, known)}"
            )
    size = size_of(wanted.options["size"], wanted) if "size" in wanted.options else None
    return Space(
        name=replace(wanted, argument=path.name).text,
        preprocessing=str(Preprocessing(norm, size=size)),
        metric=cast("Metric", metric),
        source=path.name,
        weights_sha256=sha256,
        beside=beside,
        prepare=Preprocessing(norm, size=size, device=device),
        network=bounded(network, device),
        tile=tile,
        foreign="file",
    )


FILE_USAGE = ":PATH[?size=N&norm=NAME&metric=cosine][#sha256=HEX]"
TORCHSCRIPT = SpaceFactory(
    "torchscript", "Any TorchScript file.", torchscript, usage=f"torchscript{FILE_USAGE}"
)
ONNX = SpaceFactory("onnx", "Any ONNX file.", onnx, usage=f"onnx{FILE_USAGE}", needs=FEATURES)
SSCD = SpaceFactory(
    "sscd",
    "A descriptor of copies, from its published TorchScript file.",
    sscd,
    usage="sscd:PATH[#sha256=HEX]",
)
