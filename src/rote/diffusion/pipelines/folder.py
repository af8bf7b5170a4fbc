"""`sample_pipeline`: images of prompts, in a folder that an audit reads; a kill costs one tile.

::

    OUT/prompts/00000-000.png ...  metadata.jsonl (file_name, text, seed)
    OUT/control/ ...               of `control_prompts`
    OUT/empty/ ...                 of the empty prompt, where it is asked for
    OUT/config.json, manifest.json

A set is there when all its images are: until then they lie in a hidden folder, which no audit reads.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from PIL import Image

from rote.core.atomic_files import one_line_io, write_atomic, write_text
from rote.core.errors import ConfigError
from rote.core.progress.display import progress
from rote.core.run_folder import Run
from rote.diffusion.pipelines.drawing import TILE, draw
from rote.diffusion.pipelines.opened import OpenPipeline, open_pipeline
from rote.diffusion.pipelines.prompts import Asked, images_of, read_prompts

METADATA = "metadata.jsonl"
PER_CAPTION = 4


@dataclass(frozen=True, kw_only=True)
class PromptSets:
    """What a pipeline is asked.

    Attributes
    ----------
    prompts
        Such as the captions of the training images: what `read_prompts` takes.
    control_prompts
        Texts that were not trained on, or None.
    empty_prompt
        Whether to ask the empty prompt too, for as many images as the largest of the other sets.
    per_caption
        Images of each prompt.
    count
        Images of each set in all, of its prompts in turn; None: ``per_caption`` of each prompt.
    """

    prompts: str | Path
    control_prompts: str | Path | None = None
    empty_prompt: bool = False
    per_caption: int = PER_CAPTION
    count: int | None = None

    @cached_property
    def texts(self) -> dict[str, tuple[str, ...]]:
        """The prompts of each set, by the name of its folder; read once."""
        if self.per_caption < 1:
            raise ConfigError(f"`per_caption` is {self.per_caption}; give 1 or more")
        if self.count is not None and self.count < 1:
            raise ConfigError(f"`count` is {self.count}; give 1 or more")
        found = {"prompts": read_prompts(self.prompts)}
        if self.control_prompts is not None:
            found["control"] = read_prompts(self.control_prompts, argument="control_prompts")
        return found

    def asked(self, *, seed: int) -> dict[str, tuple[Asked, ...]]:
        """Return the images of each set."""
        found = {
            name: images_of(texts, each=self.per_caption, seed=seed, count=self.count)
            for name, texts in self.texts.items()
        }
        if self.empty_prompt:
            found["empty"] = images_of([""], each=max(map(len, found.values())), seed=seed)
        return found


def sample_pipeline(
    pipeline: Any,
    asked: PromptSets,
    *,
    out: str | Path,
    guidance: float | None = None,
    steps: int | None = None,
    seed: int = 0,
) -> Path:
    """Draw images of prompts into a folder; the same call goes on where it was stopped.

    Parameters
    ----------
    pipeline
        What `rote.open_pipeline` returned, or what that takes.
    asked
        The prompts, and how many images of each.
    out
        The folder.
    guidance, steps
        Classifier-free guidance and denoising steps; None: what the pipeline itself takes.
    seed
        Root seed; every image has its own.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ConfigError, DataError, RunError
        One line each: as `rote.open_pipeline`, prompts that cannot be read, a folder of other settings.
    """
    sets = asked.asked(seed=seed)  # before weights are read
    opened = pipeline if isinstance(pipeline, OpenPipeline) else open_pipeline(pipeline)
    told = {
        "guidance": float(opened.default("guidance_scale") if guidance is None else guidance),
        "steps": int(opened.default("num_inference_steps") if steps is None else steps),
    }
    if told["steps"] < 1:
        raise ConfigError(f"`steps` is {steps}; give 1 or more")
    folder = Path(out)
    facts = {"pipeline": opened.name, "size": opened.size}
    with Run(folder, _config(opened, sets, told, seed), facts=facts) as run:
        if cut := opened.cut(tuple({one.prompt for each in sets.values() for one in each})):
            run.note(
                f"{cut} prompts are longer than the {opened.longest()} tokens that the pipeline reads"
            )
        with run.timed("sample"), progress("images", sum(map(len, sets.values()))) as report:
            done = 0
            for name, images in sets.items():
                for count in _drawn(opened, folder / name, images, told):
                    done += count
                    report(done, sum(map(len, sets.values())))
    return folder


def _config(
    opened: OpenPipeline, sets: dict[str, tuple[Asked, ...]], told: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Return all that the images depend on."""
    lora = None if opened.lora is None else {"file": opened.lora[0], "scale": opened.lora[1]}
    return {
        "kind": "pipeline",
        "weights_sha256": opened.digest(),
        "lora": lora,
        "sets": {
            name: {"images": len(images), "prompts_sha256": _digest(images)}
            for name, images in sets.items()
        },
        **told,
        "seed": seed,
        "dtype": opened.dtype,
        "device": opened.device,
    }


def _digest(images: tuple[Asked, ...]) -> str:
    return hashlib.sha256(json.dumps([one.prompt for one in images]).encode()).hexdigest()


def _save(picture: Image.Image, path: Path) -> None:
    picture.save(path, "PNG")


def _drawn(
    opened: OpenPipeline, folder: Path, images: tuple[Asked, ...], told: dict[str, Any]
) -> Iterator[int]:
    """Make the images of one set that are missing; yield how many more are there."""
    if folder.exists():
        yield len(images)
        return
    drawing = folder.with_name(f".{folder.name}")
    with one_line_io(drawing):
        drawing.mkdir(exist_ok=True)
    for start in range(0, len(images), TILE):
        tile = images[start : start + TILE]
        if not all((drawing / one.name).exists() for one in tile):
            for one, pixels in zip(tile, draw(opened, tile, **told), strict=True):
                write_atomic(drawing / one.name, partial(_save, Image.fromarray(pixels)))
        yield len(tile)
    rows = [{"file_name": one.name, "text": one.prompt, "seed": one.seed} for one in images]
    write_text(
        drawing / METADATA, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    )
    with one_line_io(folder):
        drawing.rename(folder)
