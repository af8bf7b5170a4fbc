"""`rote optimum`: draw from the theoretical optimum of a training set."""

from __future__ import annotations

from typing import Annotated

import typer

from rote.cli import options
from rote.cli.app import command
from rote.cli.command import takes_options
from rote.cli.model.samples import Count, SamplesFile, check_count, check_file, write_samples
from rote.cli.source import SourceOptions, check_source, load
from rote.core.devices import resolve_device

# Wide tiles: every tile of samples reads all references once for each noise level.
TILE = 512


@command(example="rote optimum digits --size 100 --out copies.npz")
@takes_options
def optimum(
    *,
    out: SamplesFile,
    data: options.PlacedData = "digits",
    subset: options.SubsetOptions,
    count: Count = 64,
    how: SourceOptions,
    by_caption: Annotated[
        bool,
        typer.Option(
            "--by-caption",
            help="Draw of one caption after the other, each from its own items alone: what a "
            "text-to-image model at its optimum would give.",
        ),
    ] = False,
    spreadsheet: options.Spreadsheet = False,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    json: options.Json = False,
) -> None:
    """Draw from the theoretical optimum of a training set, which can only copy, and score it."""
    check_source(data)
    from dataclasses import replace

    import numpy as np
    import torch

    from rote.core.console import print_result, print_text
    from rote.core.progress.display import progress
    from rote.core.seeds import child_seed
    from rote.data.captions.vary import caption_numbers
    from rote.data.convert import as_items, for_models, in_own_units
    from rote.diffusion.config import SampleConfig
    from rote.diffusion.optimal_denoiser import OptimalDenoiser
    from rote.diffusion.sample import sample as run_sample
    from rote.memorization.audit.audit import run_audit
    from rote.memorization.audit.options import RATIO_ONLY

    device = resolve_device(device)
    dataset = load(data, how)
    check_file(out, kind=dataset.kind, table=dataset.schema is not None)
    scaled, _ = for_models(dataset)
    if subset.size is not None:
        scaled = scaled.take(subset.positions(scaled, seed=seed))
    check_count(count, scaled.shape)
    seeds = [child_seed(seed, "sample", number) for number in range(count)]
    numbers, texts = caption_numbers(scaled) if by_caption else (None, ())
    asked = np.arange(count) % len(texts) if texts else None
    with options.interruptible(), progress("samples drawn", count) as report:
        drawn = run_sample(
            OptimalDenoiser(
                scaled,
                conditional=by_caption,
                labels=None if numbers is None else torch.from_numpy(numbers),
                device=device,
            ),
            seeds,
            shape=scaled.shape,
            config=SampleConfig(tile=TILE),
            labels=None if asked is None else torch.from_numpy(asked),
            device=device,
            on_progress=report,
        )
    copies = as_items(drawn, scaled, source="theoretical optimum")
    if asked is not None:
        copies = replace(copies, captions=tuple(texts[number] for number in asked.tolist()))
    found = run_audit(copies, scaled, replace(RATIO_ONLY, device=device), look_for_mistakes=False)
    own = replace(copies, items=in_own_units(copies), scaling=None)
    write_samples(out, replace(own, seeds=np.array(seeds, np.int64)), spreadsheet=spreadsheet)
    if json:
        print_result(found.to_json())
    else:
        print_text(f"memorization rate of the theoretical optimum {found.rate}")
        if found.captions is not None:
            of_own = sum(prompts.own for prompts in found.captions.sets.values())
            print_text(
                f"copies of an item of the caption itself: {of_own:,} of {found.rate.count:,}"
            )
