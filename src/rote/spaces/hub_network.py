"""Networks of the Hugging Face hub, through transformers: `dinov2` and `clip`.

Weights are downloaded by transformers when they are first asked for, or come from a folder:
``dinov2:FOLDER`` with config.json and model.safetensors. Their hash travels with every score;
``#sha256=HEX`` pins it. Files that could run code on loading are not taken, and weights must fit the
network name by name: transformers itself would fill what is missing with random numbers.

Sources: Oquab et al., "DINOv2" (2023); Radford et al., "Learning Transferable Visual Models" (2021).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from rote.core.errors import ConfigError, first_line
from rote.spaces.factory import SpaceFactory
from rote.spaces.packaged_network import FEATURES, PIP
from rote.spaces.parse import Wanted, check_hash, check_options, folder_digest, size_of
from rote.spaces.preprocess import Preprocessing
from rote.spaces.space import Space

WEIGHTS = "model.safetensors"
NAMED = 3
"""Weights that do not fit are told by name up to this number."""


@dataclass(frozen=True)
class Hub:
    """A network of the hub: where it is, how images go in, and what of its output counts."""

    repository: str
    model: str
    license: str
    preprocessing: Preprocessing
    rows: Callable[[Any], torch.Tensor]


DINOV2_BASE = Hub(
    repository="facebook/dinov2-base",
    model="Dinov2Model",
    license="Apache-2.0",
    preprocessing=Preprocessing("imagenet", size=256, crop=224, filter="bicubic"),
    rows=lambda output: output.pooler_output,
)
CLIP_BASE = Hub(
    repository="openai/clip-vit-base-patch32",
    model="CLIPVisionModelWithProjection",
    license="MIT",
    preprocessing=Preprocessing("clip", size=224, crop=224, filter="bicubic"),
    rows=lambda output: output.image_embeds,
)


def dinov2(wanted: Wanted, device: str) -> Space:
    """Return the space of DINOv2's class token, cosine."""
    return _space(DINOV2_BASE, wanted, device)


def clip(wanted: Wanted, device: str) -> Space:
    """Return the space of CLIP's image embedding, cosine."""
    return _space(CLIP_BASE, wanted, device)


def _space(hub: Hub, wanted: Wanted, device: str) -> Space:
    check_options(wanted, ("size",))
    network, path = _load(hub, wanted)
    sha256 = check_hash(path, wanted.sha256, wanted)
    network = network.eval().to(device)
    preprocessing = hub.preprocessing
    if "size" in wanted.options:
        size = size_of(wanted.options["size"], wanted)
        preprocessing = replace(preprocessing, size=size, crop=size)
    return Space(
        name=wanted.name,
        preprocessing=str(preprocessing),
        metric="cosine",
        source=wanted.argument or f"huggingface.co/{hub.repository}",
        license=hub.license,
        weights_sha256=sha256,
        beside=f"{transformers_version()} {folder_digest(path.parent)}",
        prepare=replace(preprocessing, device=device),
        network=lambda prepared: hub.rows(network(pixel_values=prepared)),
        tile=16,
    )


def transformers_version() -> str:
    """Return the version of the code of the networks."""
    from importlib.metadata import version

    return f"transformers {version('transformers')}"


def misfits(found: Mapping[str, Collection[Any]]) -> str:
    """Return which weights do not fit, in words, from what `from_pretrained` tells of loading; or "".

    >>> misfits({"missing_keys": ["b", "a"], "unexpected_keys": [], "mismatched_keys": [("w", 3, 4)]})
    '2 missing: a, b; 1 of another shape: w'
    """
    words = {
        "missing_keys": "missing",
        "unexpected_keys": "unknown",
        "mismatched_keys": "of another shape",
        "error_msgs": "errors",
    }
    told = []
    for kind, word in words.items():
        names = sorted(str(one if isinstance(one, str) else one[0]) for one in found.get(kind, ()))
        if names:
            more = f", and {len(names) - NAMED} more" if len(names) > NAMED else ""
            told.append(f"{len(names)} {word}: {', '.join(names[:NAMED])}{more}")
    return "; ".join(told)


@contextlib.contextmanager
def quiet(logging: Any) -> Iterator[None]:
    """Keep the logging of transformers or diffusers from printing what is told in one line here."""
    before = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()


def _load(hub: Hub, wanted: Wanted) -> tuple[Any, Path]:
    """Return the network and the file that its weights come from."""
    folder = Path(wanted.argument).expanduser() if wanted.argument else None
    by_hand = (
        f"get config.json and {WEIGHTS} of huggingface.co/{hub.repository} into a folder and give "
        f"`space` {wanted.name}:FOLDER"
    )
    if folder is not None and not (folder / WEIGHTS).is_file():
        raise ConfigError(f"`space` {wanted.text}: {folder} holds no {WEIGHTS}; {by_hand}")
    try:
        import transformers
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        raise ConfigError(
            f"`space` {wanted.text} needs the package transformers, which is not installed: {PIP}"
        ) from None
    model = getattr(transformers, hub.model)
    try:
        with quiet(transformers.utils.logging):
            network, found = model.from_pretrained(
                str(folder or hub.repository),
                use_safetensors=True,
                trust_remote_code=False,
                ignore_mismatched_sizes=True,  # told by name below
                output_loading_info=True,
            )
    except Exception as error:
        reason = first_line(error, longest=160)
        raise ConfigError(
            f"`space` {wanted.text}: its weights cannot be had ({reason}); {by_hand}"
        ) from error
    wrong = misfits(found)
    if wrong:
        raise ConfigError(
            f"`space` {wanted.text}: the weights do not fit the network ({wrong}), and what is missing "
            f"would be random; {by_hand}"
        )
    if folder is not None:
        return network, folder / WEIGHTS
    path = try_to_load_from_cache(hub.repository, WEIGHTS)
    if not isinstance(path, str):
        raise ConfigError(f"`space` {wanted.text}: no {WEIGHTS} among what was loaded; {by_hand}")
    return network, Path(path)


DINOV2, CLIP = (
    SpaceFactory(
        name,
        f"{title}, from the Hugging Face hub or a folder.",
        opener,
        usage=f"{name}[:FOLDER][?size=N]",
        needs=FEATURES,
    )
    for name, title, opener in (
        ("dinov2", "DINOv2's class token", dinov2),
        ("clip", "CLIP's image embedding", clip),
    )
)
