"""What images of a pipeline will cost, from its configuration files alone: no weights are read.

The network and the decoder are built without memory (torch's meta device) and run once: their operations
and the most memory that their results need at one time are counted. A fast attention, which keeps no
table of all pairs, is assumed.
"""

from __future__ import annotations

import importlib
import time
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from rote.core.errors import ConfigError, first_line
from rote.data.ahead.existing import PIPELINE
from rote.data.messages import shown
from rote.diffusion.pipelines.drawing import TILE
from rote.diffusion.pipelines.dtypes import BYTES
from rote.diffusion.pipelines.opened import PARTS, check_libraries, quiet

UTILIZATION = (0.25, 0.75)
"""Share of the speed of a large matrix product that such networks reach: from slow to fast."""
TRIAL_SECONDS = 0.3


@dataclass(frozen=True)
class Cost:
    """What images will cost.

    Attributes
    ----------
    images, steps, size
        How many, in how many denoising steps, of how many pixels a side.
    parameters
        Of all networks.
    weights_bytes, peak_bytes
        Of the weights, and with what the work needs beside them.
    flops
        Floating-point operations in all.
    seconds
        From fast to slow, at the speed that this device has in matrix products.
    device
        Where that was.
    """

    images: int
    steps: int
    size: int
    parameters: int
    weights_bytes: int
    peak_bytes: int
    flops: float
    seconds: tuple[float, float]
    device: str

    def to_json(self) -> dict[str, Any]:
        """Return plain types."""
        return asdict(self) | {"seconds": list(self.seconds)}

    def sentences(self) -> tuple[str, str, str]:
        """Say it in words."""
        fast, slow = (_in_words(seconds) for seconds in self.seconds)
        return (
            f"{self.images:,} images of {self.size} x {self.size} in {self.steps} steps, "
            f"{TILE} at a time",
            f"memory about {self.peak_bytes / 2**30:.2g} GiB, of which weights of {self.parameters:,} "
            f"parameters {self.weights_bytes / 2**30:.2g} GiB",
            f"{_short(self.flops / 1e12)} TFLOP: {fast} to {slow} on this {self.device}",
        )


def pipeline_cost(
    pipeline: str,
    *,
    images: int,
    guidance: float | None = None,
    steps: int | None = None,
    dtype: str = "float32",
    device: str = "cpu",
) -> Cost:
    """Return what images of a pipeline will cost.

    Parameters
    ----------
    pipeline
        A folder with its configuration files, or a name of the hub, of which those alone are fetched.
    images
        How many.
    guidance, steps, dtype, device
        As they will be; None: the pipeline's own.

    Raises
    ------
    ConfigError
        If the configuration cannot be read, or its network is no U-Net.
    """
    check_libraries(lora=False)
    import diffusers

    where = Path(pipeline).expanduser()
    name = str(where) if where.is_dir() else pipeline
    try:
        with quiet():
            index = diffusers.DiffusionPipeline.load_config(name)
            parts: dict[str, Any] = {
                part: _empty(name, part, *index[part])
                for part in PARTS
                if (index.get(part) or [None])[0] is not None
            }
            made = getattr(diffusers, index["_class_name"])
    except Exception as error:
        reason = first_line(error, longest=200)
        raise ConfigError(
            f"the configuration of the pipeline {shown(pipeline)} cannot be read ({reason}); give a "
            f"folder with {PIPELINE} and the config.json of each part"
        ) from error
    unet, vae = parts.get("unet"), parts.get("vae")
    if unet is None or vae is None:
        raise ConfigError(
            f"the pipeline {shown(pipeline)} has no U-Net with an autoencoder, and what others cost is "
            "not known; sample a few images and multiply"
        )
    defaults = {key: value.default for key, value in _signature(made).items()}
    steps = defaults["num_inference_steps"] if steps is None else steps
    guidance = defaults["guidance_scale"] if guidance is None else guidance
    both = 2 if guidance > 1 else 1
    predict, predicting = _counted(_work(unet), TILE * both)
    decode, decoding = _counted(_decoding(vae, unet.config.sample_size), 1)  # one by one
    flops = images * (steps * both * predict + decode)
    parameters = sum(w.numel() for part in parts.values() for w in part.parameters())
    unit = BYTES[dtype]
    beside = max(predicting, decoding) * unit // BYTES["float32"]
    speed = _speed(device, dtype)
    return Cost(
        images=images,
        steps=steps,
        size=unet.config.sample_size * 2 ** (len(vae.config.block_out_channels) - 1),
        parameters=parameters,
        weights_bytes=parameters * unit,
        peak_bytes=parameters * unit + beside,
        flops=float(flops),
        seconds=(flops / speed / UTILIZATION[1], flops / speed / UTILIZATION[0]),
        device=device,
    )


def _signature(made: Any) -> Any:
    import inspect

    return inspect.signature(made.__call__).parameters


def _empty(where: str, part: str, library: str, kind: str) -> torch.nn.Module:
    """Build a network of a pipeline without memory for its weights."""
    found = getattr(importlib.import_module(library), kind)
    if library == "diffusers":
        config = found.load_config(where, subfolder=part)
        with torch.device("meta"):
            return found.from_config(config)
    config = found.config_class.from_pretrained(where, subfolder=part)
    with torch.device("meta"):
        return found(config)


def _work(unet: Any) -> Callable[[int], Any]:
    """Return one prediction of the network for so many images."""
    config = unet.config

    def predict(count: int) -> Any:
        def empty(*shape: int) -> torch.Tensor:
            return torch.empty(count, *shape, device="meta")

        added = None
        if config.addition_embed_type == "text_time":
            # Of the text and of six numbers (sizes and crop) with their own embedding.
            numbers = 6
            text = config.projection_class_embeddings_input_dim - numbers * (
                config.addition_time_embed_dim
            )
            added = {"text_embeds": empty(text), "time_ids": empty(numbers)}
        side = config.sample_size
        told = empty(77, config.cross_attention_dim)
        time = torch.empty((), device="meta")
        return unet(empty(config.in_channels, side, side), time, told, added_cond_kwargs=added)

    return predict


def _decoding(vae: Any, side: int) -> Callable[[int], Any]:
    def decode(count: int) -> Any:
        return vae.decode(torch.empty(count, vae.config.latent_channels, side, side, device="meta"))

    return decode


def _counted(work: Callable[[int], Any], count: int) -> tuple[float, int]:
    """Return the operations of one of so many, and the most bytes that all of them hold."""
    with (
        torch.no_grad(),
        FlopCounterMode(display=False) as counted,
        _Held() as held,
        _FastAttention() as attention,
    ):
        work(count)
    return (counted.get_total_flops() + attention.flops) / count, held.most


class _FastAttention(TorchFunctionMode):
    """Attention that holds its result alone, and counts its two products."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function is torch.nn.functional.scaled_dot_product_attention:
            query, key, value = args[:3]
            self.flops += 2 * query.numel() * key.shape[-2]
            self.flops += 2 * query.numel() // query.shape[-1] * key.shape[-2] * value.shape[-1]
            return query.new_empty(*query.shape[:-1], value.shape[-1])
        return function(*args, **(kwargs or {}))


class _Held(TorchDispatchMode):
    """Counts the bytes of all results that are alive, each storage once."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self._alive: Counter[int] = Counter()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                key, size = storage._cdata, storage.nbytes()
                if not self._alive[key]:
                    self.now += size
                    self.most = max(self.most, self.now)
                self._alive[key] += 1
                weakref.finalize(tensor, self._gone, key, size)
        return result

    def _gone(self, key: int, size: int) -> None:
        self._alive[key] -= 1
        if not self._alive[key]:
            self.now -= size
            del self._alive[key]


def _speed(device: str, dtype: str) -> float:
    """Return the floating-point operations a second of a large matrix product here."""
    side = 4096 if device == "cuda" else 1024
    matrix = torch.ones(side, side, device=device, dtype=getattr(torch, dtype))
    done, start, seconds = 0, time.perf_counter(), 0.0
    while seconds < TRIAL_SECONDS or done < 2:
        float((matrix @ matrix)[0, 0])  # waits for the device
        done += 1
        seconds = time.perf_counter() - start
        if done == 1:  # the first one prepares
            start = time.perf_counter()
    return 2 * side**3 * (done - 1) / seconds


def _in_words(seconds: float) -> str:
    for name, unit in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * unit:
            return f"{_short(seconds / unit)} {name}"
    return f"{_short(seconds)} seconds"


def _short(value: float) -> str:
    """Return a number with two digits at least, and without an exponent.

    >>> _short(1234.5), _short(12.34), _short(1.234), _short(0.01234)
    ('1,234', '12', '1.2', '0.012')
    """
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
