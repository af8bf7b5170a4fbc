"""Which prompts does a pipeline react to as to those it was trained on? A screen without training data.

The score of a prompt is the length of what guidance adds at the first denoising step,

    || e(x_T, t_T, prompt) - e(x_T, t_T, empty prompt) ||,

the mean over some draws of the noise x_T, the same draws for every prompt (Wen, Liu, Chen and Lyu,
"Detecting, explaining, and mitigating memorization in diffusion models", ICLR 2024). It is large where a
text decides already from pure noise what the image will be. Against control prompts, which the pipeline
surely was not trained on, an AUC with its interval says how far the score can be trusted here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.core.errors import ConfigError, RunError, first_line
from rote.core.presentation.figures import intervals
from rote.core.presentation.shown import ShownFile
from rote.core.progress.display import progress
from rote.core.seeds import child_seed
from rote.diffusion.pipelines.drawing import TILE
from rote.diffusion.pipelines.opened import OpenPipeline, open_pipeline, quiet
from rote.diffusion.pipelines.prompts import read_prompts
from rote.results.membership import PromptsFile
from rote.results.schema import write_result
from rote.stats.roc import roc

DRAWS = 4
HONEST = (
    "A high score says that the pipeline knows the text, not that it copies an image: it tells trained "
    "from other texts, and hardly memorized from other trained ones. What is copied, an audit of "
    "images says."
)
FILE = "prompts.json"


@dataclass(frozen=True, repr=False)
class ScreenedPrompts(ShownFile):
    """The score of every prompt; `json` is the content of `prompts.json`."""

    json: dict[str, Any]

    def sentences(self) -> Sequence[str]:
        """Return the AUC against the control prompts, and what it does not say."""
        found = self.json
        counts = f"{len(found['prompts'])} prompts, {found['draws']} draws each"
        if found["roc"] is None:
            return (
                f"{counts}; without `control_prompts` nothing says what a high score is",
                HONEST,
            )
        told = found["roc"]
        return (
            f"AUC {told['auc']:.3f} [{told['auc_low']:.3f}, {told['auc_high']:.3f}] of the prompts "
            "against the control prompts (0.5: not told apart)",
            f"{counts}, {len(found['control'])} control prompts",
            HONEST,
        )

    def plot(self) -> Any:
        """Return an Altair chart of the AUC with its interval."""
        told = self.json["roc"]
        if told is None:
            raise ConfigError("there is no AUC to plot without `control_prompts`")
        row = {
            "name": "AUC",
            "value": told["auc"],
            "low": told["auc_low"],
            "high": told["auc_high"],
        }
        return intervals([row], "AUC (0.5: not told apart)", domain=(0, 1))

    def figure_html(self) -> str:
        """Return the chart, where there is one."""
        return "" if self.json["roc"] is None else super().figure_html()


def screen_prompts(
    pipeline: Any,
    prompts: str | Path,
    *,
    control_prompts: str | Path | None = None,
    draws: int = DRAWS,
    steps: int | None = None,
    seed: int = 0,
    out: str | Path | None = None,
) -> ScreenedPrompts:
    """Score prompts by what guidance adds at the first step, and compare them with control prompts.

    Parameters
    ----------
    pipeline
        What `rote.open_pipeline` returned, or what that takes.
    prompts, control_prompts
        Text files, metadata files or folders of images with captions. A prompt of both is no control.
    draws
        Noises for each prompt.
    steps
        Denoising steps of the schedule whose first one is looked at; None: what the pipeline takes.
    seed
        Root seed of the noises.
    out
        A folder for `prompts.json`, or None.

    Raises
    ------
    ConfigError, DataError, RunError
        One line each: as `rote.open_pipeline`, or a pipeline that does not predict with and without the
        prompt side by side.
    """
    if draws < 1:
        raise ConfigError(f"`draws` is {draws}; give 1 or more")
    texts = read_prompts(prompts)
    others: tuple[str, ...] = ()
    if control_prompts is not None:
        given = read_prompts(control_prompts, argument="control_prompts")
        others = tuple(text for text in given if text not in set(texts))
        if not others:
            raise ConfigError(
                "`control_prompts` holds no text that `prompts` has not; give other texts"
            )
    opened = pipeline if isinstance(pipeline, OpenPipeline) else open_pipeline(pipeline)
    steps = opened.default("num_inference_steps") if steps is None else steps
    scores = _scores(opened, (*texts, *others), draws=draws, steps=steps, seed=seed)
    known, unknown = scores[: len(texts)], scores[len(texts) :]
    found = {
        "kind": "prompts",
        "pipeline": opened.name,
        "weights_sha256": opened.digest(),
        "lora": None if opened.lora is None else {"file": opened.lora[0], "scale": opened.lora[1]},
        "draws": draws,
        "steps": steps,
        "seed": seed,
        # The smaller a score, the more of a member: the other way round here.
        "roc": roc(-known, -unknown).to_json() if others else None,
        "prompts": _rows(texts, known),
        "control": _rows(others, unknown),
        "says": HONEST,
    }
    if out is not None:
        Path(out).mkdir(parents=True, exist_ok=True)
        write_result(Path(out) / FILE, PromptsFile, found)
    return ScreenedPrompts(found)


def _rows(texts: Sequence[str], scores: npt.NDArray[np.float64]) -> list[dict[str, Any]]:
    """Return the prompts with their scores, the highest first."""
    order = np.argsort(-scores, kind="stable")
    return [{"text": texts[n], "score": float(scores[n])} for n in order]


def _scores(
    opened: OpenPipeline, texts: Sequence[str], *, draws: int, steps: int, seed: int
) -> npt.NDArray[np.float64]:
    """Return the mean score of every text, float64 (N,)."""
    lengths = np.zeros((len(texts), draws))
    with progress("prompts screened", len(texts) * draws) as report:
        for draw in range(draws):
            noise = child_seed(seed, "probe", draw)
            for start in range(0, len(texts), TILE):
                tile = texts[start : start + TILE]
                filled = [*tile, *[tile[-1]] * (TILE - len(tile))]
                lengths[start : start + len(tile), draw] = _added(opened, filled, noise, steps)[
                    : len(tile)
                ]
                report(draw * len(texts) + start + len(tile), len(texts) * draws)
    return lengths.mean(axis=1)


class _Seen(Exception):
    """The first prediction is there, and nothing more is needed."""


def _added(
    opened: OpenPipeline, texts: list[str], noise: int, steps: int
) -> npt.NDArray[np.float64]:
    """Return the length of what guidance adds at the first step for each text, float64 (N,).

    The pipeline prepares text, noise and time, whatever its kind; it is left at its first prediction.
    """
    seen: list[torch.Tensor] = []

    def first(module: torch.nn.Module, given: Any, result: Any) -> None:
        seen.append(result[0] if isinstance(result, tuple) else result.sample)
        raise _Seen

    hook = opened.denoiser.register_forward_hook(first)
    try:
        with quiet():
            opened.given(
                prompt=texts,
                generator=[torch.Generator().manual_seed(noise) for _ in texts],
                guidance_scale=2.0,  # above 1, so that both predictions are made
                num_inference_steps=steps,
                output_type="latent",
            )
    except _Seen:
        pass
    except (RuntimeError, ValueError, TypeError) as error:
        reason = first_line(error, longest=200)
        raise RunError(f"the pipeline {opened.name} failed ({reason})") from error
    finally:
        hook.remove()
    if not seen or len(seen[0]) != 2 * len(texts):
        raise ConfigError(
            f"the pipeline {opened.name} does not predict with and without the prompt side by side (it "
            "has no classifier-free guidance), so there is nothing to compare; audit its images"
        )
    without, with_text = seen[0].detach().double().cpu().chunk(2)
    return np.asarray((with_text - without).flatten(1).norm(dim=1).numpy())
