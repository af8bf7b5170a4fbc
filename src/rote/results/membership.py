"""`membership.json`: do training items have a lower loss than others? (`rote membership`)."""

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
