"""An absolute threshold: nearer than a fixed distance, whatever the data around.

    pixels:    score = |x - NN1| / sqrt(values), the RMS difference in 8-bit levels
    features:  score = 1 - cos(f(x), f(NN1)), of one network under one preprocessing
    others:    score = |x - NN1| as the space tells it, for thresholds of one's own alone

memorized when score < threshold (features: the published rule "similarity above s" is score < 1 - s);
the smaller, the more of a copy.

What it misses: it knows nothing of the data's own spacing. Flat pictures lie near all flat pictures, so
it flags them (constant images lie below a pixel threshold of 1 %), and a noisy copy that is far by the
number is not flagged although nothing else is near. So read it beside its control, the
held-out items under the same rule.

A threshold of a feature space belongs to one network *and* one preprocessing: the same picture scores
otherwise when it is cropped instead of squeezed. `PUBLISHED` lists the published ones of SSCD with both;
they differ in preprocessing, so they are three rulers and not three strengths of one.

The pixel default is rote's own: the radius of near-duplicates, a share of the spacing of the training
images (docs/decisions/009-duplicates.md), 9.5 levels on CIFAR-10; where the spacing is not measured, as
over the many training sets of a search, RMS 10. No published threshold for whole images in pixel distance
is known to us; that of tiles (Carlini et al. 2023) is the criterion `tiles`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError
from rote.memorization.criteria.criterion import Conditions, Criterion, Evidence, Scores
from rote.memorization.duplicate_radius import SHARE_OF_SPACING, duplicate_radius
from rote.spaces.space import PIXEL, Space

PIXEL_RMS = 10.0
GIVEN = "given by the user"
Scale = Literal["rms", "cosine", "distance"]
FORMULAS: dict[Scale, str] = {
    "rms": "RMS(x - NN1) < threshold, in 8-bit units",
    "cosine": "1 - cos(x, NN1) < threshold",
    "distance": "|x - NN1| < threshold, in the distance of the space",
}
UNITS: dict[Scale, str] = {
    "rms": "an RMS difference in 8-bit levels, up to 255",
    "cosine": "a cosine distance, 1 - cos, up to 2",
    "distance": "a distance of the space",
}


@dataclass(frozen=True)
class Published:
    """A published threshold: similarity above it counts as a copy."""

    network: str
    similarity: float
    preprocessing: str
    source: str


IMAGENET = "mean 0.485 0.456 0.406, deviation 0.229 0.224 0.225"
PUBLISHED = (
    Published(
        "sscd_disc_mixup",
        0.75,
        f"small edge 288, or squeezed to 320x320; {IMAGENET}",
        "Pizzi et al. (2022), their README: 90 % precision on DISC",
    ),
    Published(
        "sscd_disc_mixup",
        0.7,
        f"squeezed to 320x320; {IMAGENET}",
        "Hintersdorf et al. (2024), preprocessing of their code",
    ),
    Published(
        "sscd_disc_mixup",
        0.5,
        "small edge 256, center 224x224; mean 0.5, deviation 0.5",
        "Somepalli et al. (2023), preprocessing of their code",
    ),
)


def published(network: str, similarity: float) -> Published:
    """Return the published threshold of a network; its preprocessing has to be used with it.

    Raises
    ------
    ConfigError
        If none is known.

    >>> published("sscd_disc_mixup", 0.75).preprocessing.startswith("small edge 288")
    True
    """
    for entry in PUBLISHED:
        if entry.network == network and math.isclose(entry.similarity, similarity):
            return entry
    known = ", ".join(f"{entry.network} {entry.similarity:g}" for entry in PUBLISHED)
    raise ConfigError(f"no threshold of {similarity:g} is published for {network}; known: {known}")


@dataclass(frozen=True)
class AbsoluteCriterion(Criterion):
    """The rule with its number.

    Attributes
    ----------
    threshold
        In the unit of the score: levels (RMS), cosine distance in (0, 2), or a distance of the space;
        None where none is known, and then there are no verdicts.
    scale
        "rms" of pixels, "cosine" of features of length 1, or "distance".
    preprocessing
        What was done before distances were taken; part of the rule.
    source
        Where the threshold comes from.
    """

    threshold: float | None = PIXEL_RMS
    scale: Scale = "rms"
    preprocessing: str | None = (
        "pixels as loaded (resolution and channels of the audit), 8-bit levels"
    )
    source: str = "rote's radius of near-duplicates, decision 9"

    name = "absolute"
    title = "Absolute distance"
    words = (
        "The distance to the nearest training image alone, against a fixed number. It knows nothing of "
        "the data's own spacing: flat pictures lie near all flat pictures."
    )
    unit = UNITS["rms"]
    formula = FORMULAS["rms"]
    images_only = True

    def __post_init__(self) -> None:
        if self.threshold is not None and not (
            math.isfinite(self.threshold) and self.threshold > 0
        ):
            raise ConfigError(f"the absolute threshold is {self.threshold}; it must be above 0")

    @staticmethod
    def of(entry: Published) -> AbsoluteCriterion:
        """Return the rule of a published threshold."""
        return AbsoluteCriterion(
            threshold=1 - entry.similarity,
            scale="cosine",
            preprocessing=entry.preprocessing,
            source=f"{entry.source} ({entry.network}, similarity above {entry.similarity:g})",
        )

    @staticmethod
    def of_spacing(spacing: float) -> AbsoluteCriterion:
        """Return the rule of pixels, from the spacing of the training images in levels.

        >>> AbsoluteCriterion.of_spacing(41.4).threshold, AbsoluteCriterion.of_spacing(2.07).threshold
        (9.5, 0.48)
        """
        source = (
            f"rote's radius of near-duplicates: {SHARE_OF_SPACING:g} of the {spacing:.3g} levels at "
            "which the nearest different image of a typical training image lies"
        )
        return AbsoluteCriterion(duplicate_radius(spacing), source=source)

    @property
    def label(self) -> str:
        """What a short table calls it."""
        return "nearest" if self.threshold is None else f"nearest < {self.threshold:g}"

    @property
    def undecided(self) -> str:
        """Why there is no threshold."""
        if self.threshold is not None:
            return ""
        return "give a threshold of your own, as absolute=NUMBER: none is known"

    def applied(self, conditions: Conditions) -> AbsoluteCriterion:
        """Return the rule of a space: with the threshold given for it, or the one known for it."""
        space = conditions.space
        for own in conditions.own_thresholds:
            if own.space in (None, space.name):
                return AbsoluteCriterion(own.threshold, scale_of(space), space.preprocessing, GIVEN)
        if space is PIXEL and conditions.spacing:
            return AbsoluteCriterion.of_spacing(conditions.spacing)
        known = absolute_in(space.name, space.source)
        return known or AbsoluteCriterion(None, "rms", None, "no threshold is known here")

    def score(self, evidence: Evidence) -> Scores:
        """Return the score (N,)."""
        return self.of_distances(evidence.nn1_sq_without_tone, evidence.values)

    def of_distances(self, nn1_sq: npt.NDArray[Any], values: int) -> Scores:
        """Return the score (N,) from squared L2 distances (N,) to the nearest.

        Parameters
        ----------
        nn1_sq
            Of pixels, or of features of length 1 (then 1 - cos = |a - b|^2 / 2).
        values
            Values per item; only the RMS depends on it.

        >>> AbsoluteCriterion().of_distances(np.array([400]), 4).tolist()
        [10.0]
        >>> AbsoluteCriterion(0.25, "cosine").of_distances(np.array([0.5]), 512).tolist()
        [0.25]
        """
        sq = nn1_sq.astype(np.float64)
        if self.scale == "cosine":
            return sq / 2
        return np.sqrt(sq / values if self.scale == "rms" else sq)

    def numbers(self) -> dict[str, Any]:
        """Return the threshold and what it belongs to."""
        return super().numbers() | {"preprocessing": self.preprocessing}

    def describe(self) -> dict[str, Any]:
        """Return what it is: the formula and the unit are those of the space."""
        told = FORMULAS[self.scale], UNITS[self.scale]
        return super().describe() | dict(zip(("formula", "unit"), told, strict=True))


def scale_of(space: Space) -> Scale:
    """Return what an absolute threshold in a space measures.

    >>> scale_of(PIXEL)
    'rms'
    """
    if space.metric == "cosine":
        return "cosine"
    return "rms" if space is PIXEL else "distance"


def absolute_in(space: str, source: str = "") -> AbsoluteCriterion | None:
    """Return the rule of a space, or None where no threshold is known for it.

    Parameters
    ----------
    space
        Its name: "pixel", or that of a network.
    source
        The file of the network's weights. The published 0.75 is that of `sscd_disc_mixup` with the
        shorter side at 288, which is what the space `sscd` does.

    >>> absolute_in("pixel").threshold, absolute_in("sscd", "sscd_disc_mixup.torchscript.pt").threshold
    (10.0, 0.25)
    >>> absolute_in("imgsim") is None
    True
    """
    if space == "pixel":
        return AbsoluteCriterion()
    if space == "sscd" and source.startswith("sscd_disc_mixup"):
        return AbsoluteCriterion.of(published("sscd_disc_mixup", 0.75))
    return None
