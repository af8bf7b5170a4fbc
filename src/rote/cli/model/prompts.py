"""`rote prompts`: which prompts does a pipeline react to as to those it was trained on?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rote.cli import options
from rote.cli.app import command
from rote.cli.command import takes_options
from rote.cli.model.pipeline_options import PROMPTS, LoraOptions

SHOWN = 20
"""Prompts in the table."""


@command(example="rote prompts PIPELINE --prompts captions.txt --control-prompts others.txt")
@takes_options
def prompts(
    *,
    pipeline: Annotated[
        str,
        typer.Argument(help="A folder that a pipeline of diffusers saved, or a name of the hub."),
    ],
    prompts: Annotated[str, typer.Option("--prompts", help=f"What is screened: {PROMPTS}.")],
    control_prompts: Annotated[
        str | None,
        typer.Option(
            "--control-prompts", help="Texts that were not trained on; without them no AUC."
        ),
    ] = None,
    draws: Annotated[int, typer.Option("--draws", min=1, help="Noises for each prompt.")] = 4,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", min=1, help="Of the schedule. [default: the pipeline's own number]"
        ),
    ] = None,
    how: LoraOptions,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for prompts.json.", show_default=False)
    ] = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    json: options.Json = False,
) -> None:
    """Screen prompts without any training image: how much does each one change the first step?

    The length of what guidance adds to the first prediction (Wen et al. 2024), its AUC against control
    prompts, and what that does not say.
    """
    from rote.core.console import console, print_result, print_text, table
    from rote.core.run_folder import check_writable
    from rote.diffusion.pipelines.prompts import read_prompts
    from rote.diffusion.pipelines.screen import screen_prompts

    how.check()
    read_prompts(prompts)  # said before weights are read
    if out is not None:
        check_writable(out)
    with options.interruptible(in_time=True):
        found = screen_prompts(
            how.opened(pipeline, device=device),
            prompts,
            control_prompts=control_prompts,
            draws=draws,
            steps=steps,
            seed=seed,
            out=out,
        )
    value = found.to_json()
    if json:
        print_result(value)
        return
    rows = [[f"{row['score']:.4g}", row["text"][:80]] for row in value["prompts"][:SHOWN]]
    title = f"prompts by what guidance adds at the first step (the highest {len(rows)})"
    console.print(table(title, ["score", "prompt"], rows))
    for line in found.sentences():
        print_text(line)
