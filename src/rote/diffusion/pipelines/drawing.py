"""Images of a pipeline, in tiles of one size, so that each depends on its prompt and seed alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from rote.core.errors import RunError, first_line
from rote.diffusion.pipelines.changes import Change, unchanged
from rote.diffusion.pipelines.opened import OpenPipeline, quiet
from rote.diffusion.pipelines.prompts import Asked

TILE = 4
"""Images at once: the last bits of a convolution depend on it, so it is no option (decision 2)."""


def draw(
    pipeline: OpenPipeline,
    asked: Sequence[Asked],
    *,
    guidance: float,
    steps: int,
    change: Change = unchanged,
) -> npt.NDArray[np.uint8]:
    """Return the images that are asked for, uint8 (N, H, W, 3), N at most `TILE`.

    Parameters
    ----------
    pipeline
        What is asked.
    asked
        Prompts and seeds; the noise is drawn on the CPU, so that it is the same on every device.
    guidance
        Classifier-free guidance; 1 and below is without.
    steps
        Denoising steps.
    change
        Of the text that the network is told.

    Raises
    ------
    RunError
        If the pipeline failed, or gave no numbers.
    """
    assert 0 < len(asked) <= TILE
    filled = [*asked, *[asked[-1]] * (TILE - len(asked))]
    try:
        with quiet(), change(pipeline, filled):
            images = pipeline.given(
                prompt=[one.prompt for one in filled],
                generator=[torch.Generator().manual_seed(one.seed) for one in filled],
                guidance_scale=guidance,
                num_inference_steps=steps,
                output_type="np",
            ).images
    except (
        RuntimeError,
        ValueError,
        TypeError,
    ) as error:  # what libraries raise of shapes and memory
        reason = first_line(error, longest=200)
        raise RunError(f"the pipeline {pipeline.name} failed ({reason})") from error
    found = np.asarray(images)[: len(asked)]
    if not np.isfinite(found).all():
        raise RunError(
            f"the pipeline {pipeline.name} gave NaN for {asked[0].prompt!r} in {pipeline.dtype}; give "
            "`dtype` float32"
        )
    return (found * 255).round().clip(0, 255).astype(np.uint8)
