"""The options of commands that open a pipeline of diffusers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from rote.cli.values import choice
from rote.core.errors import ConfigError
from rote.diffusion.pipelines.dtypes import DTYPES

if TYPE_CHECKING:
    from rote.diffusion.pipelines.folder import PromptSets
    from rote.diffusion.pipelines.opened import OpenPipeline

PROMPTS = (
    "a text file (one a line), a metadata.jsonl, or a folder of images with captions, such as the "
    "training images"
)


@dataclass(frozen=True)
class LoraOptions:
    """What is loaded into a pipeline, and in which numbers it computes."""

    lora: Annotated[
        str | None,
        typer.Option(
            "--lora",
            help="Of a pipeline: a .safetensors file of diffusers or kohya, or a folder that peft saved.",
        ),
    ] = None
    lora_scale: Annotated[
        float, typer.Option("--lora-scale", help="What the LoRA is multiplied by; 0: without it.")
    ] = 1.0
    dtype: Annotated[
        str, choice("--dtype", DTYPES, "Of a pipeline: the numbers that it computes in.")
    ] = "float32"

    def check(self) -> None:
        """Refuse to begin where a library is missing, before anything is read."""
        from rote.diffusion.pipelines.opened import check_libraries

        check_libraries(lora=self.lora is not None)

    def opened(self, pipeline: str, *, device: str) -> OpenPipeline:
        """Open a pipeline; say what is not as whoever made it left it."""
        from rote.diffusion.pipelines.opened import open_pipeline

        return open_pipeline(
            pipeline, lora=self.lora, lora_scale=self.lora_scale, device=device, dtype=self.dtype
        )


@dataclass(frozen=True)
class PipelineOptions(LoraOptions):
    """What a pipeline is asked for."""

    prompts: Annotated[str | None, typer.Option("--prompts", help=f"Of a pipeline: {PROMPTS}.")] = (
        None
    )
    control_prompts: Annotated[
        str | None,
        typer.Option(
            "--control-prompts", help="Texts that were not trained on, in the same forms."
        ),
    ] = None
    empty_prompt: Annotated[
        bool, typer.Option("--empty-prompt", help="Images of the empty prompt too.")
    ] = False
    per_caption: Annotated[
        int, typer.Option("--per-caption", min=1, help="Images of each prompt.")
    ] = 4
    guidance: Annotated[
        float | None,
        typer.Option(
            "--guidance", min=0, help="Classifier-free guidance. [default: the pipeline's own]"
        ),
    ] = None

    def sets(self, count: int | None) -> PromptSets:
        """Return the sets of prompts, with so many images of each, or --per-caption of each prompt.

        Raises
        ------
        ConfigError
            If there are none.
        """
        from rote.diffusion.pipelines.folder import PromptSets

        if self.prompts is None:
            raise ConfigError(f"a pipeline needs --prompts: {PROMPTS}")
        return PromptSets(
            prompts=self.prompts,
            control_prompts=self.control_prompts,
            empty_prompt=self.empty_prompt,
            per_caption=self.per_caption,
            count=count,
        )
