"""What a model knows, without sampling: `membership.json` by its loss, `prompts.json` by its prompts."""

from __future__ import annotations

from typing import Literal

from rote.results.schema import Count, Number, Positive, Result, ResultFile
from rote.results.side import Side
from rote.stats.jackknife import Estimate
from rote.stats.roc import Roc


class Level(Result):
    """One noise level."""

    sigma: Number
    member_loss: Number
    """Mean over the training items."""
    other_loss: Number
    """Mean over the held-out items."""
    difference: Estimate
    """Loss of the held-out items less that of the training items."""
    roc: Roc
    """How well the loss tells both apart; `tpr` None: fewer than `needed` held-out items."""


class MembershipFile(ResultFile):
    """`rote membership`."""

    kind: Literal["membership"]
    images_seen: Count
    weights: Literal["ema", "raw"]
    seed: int
    draws: Positive
    """Draws of the noise for each item."""
    fpr: Number
    """False-positive rate of the recall."""
    training: Side
    holdout: Side
    holdout_in_training: Count
    """Equal to a training item, and left out."""
    levels: tuple[Level, ...]


class PromptScore(Result):
    """One prompt."""

    text: str
    score: Number
    """Length of what guidance adds at the first step, the mean over the draws; units of the latents."""


class Lora(Result):
    """A LoRA that was loaded."""

    file: str
    scale: Number


class PromptsFile(ResultFile):
    """`rote prompts`."""

    kind: Literal["prompts"]
    pipeline: str
    """How it was given."""
    weights_sha256: str
    """Of all its weights, those of a LoRA among them."""
    lora: Lora | None
    draws: Positive
    """Noises for each prompt."""
    steps: Positive
    """Of the schedule whose first step was looked at."""
    seed: int
    roc: Roc | None
    """Of the prompts against the control prompts, of scores times -1. null: no control prompts."""
    prompts: tuple[PromptScore, ...]
    """The highest first."""
    control: tuple[PromptScore, ...]
    says: str
    """What a score does not say."""
