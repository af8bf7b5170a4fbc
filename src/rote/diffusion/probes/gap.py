"""The gap between a denoiser and the theoretical optimum of its training set, without sampling.

    gap(sigma) = E |D(x) - D*_train(x)|^2  /  E |D*_holdout(x) - D*_train(x)|^2,    x = y + sigma eps,

with y from the training set, eps standard normal, D* the posterior mean of
`rote.diffusion.optimal_denoiser` (Gu et al. 2025, eq. 4) and held-out images standing for the
population. 0: the denoiser is the optimum of
its training set, which can only copy. 1: it is as far from that as the optimum of images it never saw.

A conditional model is held against the conditional optimum, each point with the label it was trained
with. True labels tell something about unseen images, so the population's optimum is conditional, too;
random and unique labels tell nothing, so the population's optimum is the unconditional one.

Numerics. x is rounded to float32 once, and network and optima see the same rounded x. The optima, the
differences and the sums are float64. Point i draws its noise from its own generator, and network and
optima always see full tiles, so the terms of a point are the same bytes whatever is asked beside it.

Where it ends. For sigma to infinity both optima become the mean of their sets, and the denominator falls
to the squared distance of two sample means. Below `DENOMINATOR_FLOOR` (a root mean square of 1e-5, or a
thousandth of a gray level) the gap says nothing and is None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rote.core.errors import ConfigError, DataError
from rote.core.precision import strict_fp32
from rote.core.seeds import child_seed
from rote.data.convert import to_model
from rote.data.dataset import Dataset
from rote.diffusion.optimal_denoiser import OptimalDenoiser
from rote.diffusion.sample import DenoiserLike

SIGMAS = (0.1, 0.2, 0.4, 0.8, 1.6)
DENOMINATOR_FLOOR = 1e-10
NETWORK_TILE, OPTIMUM_TILE, TILE_BYTES = 64, 256, 64 * 2**20
MOST_POINTS, FEWEST_POINTS, PROBE_BYTES = 512, 16, 512 * 2**20
"""Points where none are asked for: 512 up to 17,000 values an item at five noise levels, then as many
as these bytes hold, which stay in memory for all snapshots."""
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GapCurve:
    """The gap at each noise level; every field but the last three has one entry per sigma.

    ``numerator`` and ``denominator`` are mean squared differences per element, in squared model units.
    ``standard_error`` is that of ``gap``; ``low`` and ``high`` are its interval, by the delta method on
    log(gap). They cover the draw of points and noise, for this training set and these held-out images.
    """

    sigmas: tuple[float, ...]
    gap: tuple[float | None, ...]
    standard_error: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    numerator: tuple[float, ...]
    denominator: tuple[float, ...]
    points: int
    holdout: int
    confidence: float

    def to_json(self) -> dict[str, Any]:
        """Return plain types: one list per field."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @staticmethod
    def from_json(data: dict[str, Any]) -> GapCurve:
        """Read back what `to_json` wrote."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
        }
        return GapCurve(**values)


@dataclass(frozen=True, eq=False)
class GapProbe:
    """Noisy training images with both optima at them: what all snapshots of a run share.

    Attributes
    ----------
    sigmas
        Noise levels (S,).
    noisy
        x, float32 (S, P, *shape), on the device.
    target
        D*_train(x), float64 (S, P, *shape).
    labels
        int64 (P,) of a conditional model, or None.
    population
        |D*_holdout(x) - D*_train(x)|^2 per element, float64 (S, P).
    holdout
        Held-out images behind the population's optimum.
    """

    sigmas: tuple[float, ...]
    noisy: Tensor
    target: Tensor
    labels: Tensor | None
    population: Array
    holdout: int

    def terms(self, denoiser: DenoiserLike) -> Array:
        """Return |D(x) - D*_train(x)|^2 per element, float64 (S, P).

        Raises
        ------
        ConfigError
            If a noise level is outside what the denoiser knows, or it is in training mode.
        """
        low, high = denoiser.sigma_min, denoiser.sigma_max
        for sigma in self.sigmas:
            if not low <= sigma <= high:
                raise ConfigError(f"sigma {sigma:g} lies outside the model's {low:g} to {high:g}")
        if getattr(denoiser, "training", False):
            raise ConfigError("the denoiser is in training mode; call .eval() on it first")
        rows = []
        with torch.no_grad(), strict_fp32():
            for sigma, noisy, target in zip(self.sigmas, self.noisy, self.target, strict=True):
                found = _tiled(denoiser, noisy, sigma, self.labels, tile=NETWORK_TILE)
                rows.append(_mean_square(found.double() - target))
        return np.stack(rows)

    def curve(self, denoiser: DenoiserLike, *, confidence: float = 0.95) -> GapCurve:
        """Measure the gap of a denoiser; errors as in `terms`."""
        above = self.terms(denoiser)
        columns = [
            ratio_of_means(a, b, confidence=confidence)
            for a, b in zip(above, self.population, strict=True)
        ]
        gap, error, low, high = zip(*columns, strict=True)
        return GapCurve(
            sigmas=self.sigmas,
            gap=gap,
            standard_error=error,
            low=low,
            high=high,
            numerator=tuple(above.mean(1).tolist()),
            denominator=tuple(self.population.mean(1).tolist()),
            points=self.noisy.shape[1],
            holdout=self.holdout,
            confidence=confidence,
        )


def usual_points(shape: Sequence[int], levels: int) -> int:
    """Return the points for each of so many noise levels where none are asked for.

    >>> usual_points((3, 32, 32), 5), usual_points((1, 64, 64, 64), 5)
    (512, 34)
    """
    each = levels * math.prod(shape) * (4 + 8)  # float32 points and the optimum at them in float64
    return max(FEWEST_POINTS, min(MOST_POINTS, PROBE_BYTES // each))


def gap_probe(
    subset: Dataset,
    holdout: Dataset,
    *,
    seed: int,
    sigmas: Sequence[float] = SIGMAS,
    points: int | None = None,
    labels: Tensor | None = None,
    holdout_labels: Tensor | None = None,
    device: str | torch.device = "cpu",
) -> GapProbe:
    """Draw the points and compute both optima at them.

    Parameters
    ----------
    subset
        The training set, in model units.
    holdout
        Images of the same source outside it.
    seed
        Root seed of the points and their noise.
    sigmas
        Noise levels, each > 0.
    points
        Noisy images per noise level; they go round the training set in a drawn order. None: as
        `usual_points` says.
    labels
        Labels the model was trained with, int64 (len(subset),); None: unconditional.
    holdout_labels
        Labels of the held-out images where labels mean the same there, int64 (len(holdout),); None: the
        population's optimum is unconditional.
    device
        Where the denoiser is.

    Raises
    ------
    ConfigError
        If there is no noise level or point, or a noise level is not positive.
    DataError
        If there are no held-out images, their shape differs, or a label has none.
    """
    sigmas = tuple(float(sigma) for sigma in sigmas)
    if not sigmas or not all(0 < sigma < math.inf for sigma in sigmas):
        raise ConfigError(f"sigmas are {list(sigmas)}; give at least one, each above 0")
    if points is None:
        points = usual_points(subset.shape, len(sigmas))
    if points < 2:
        raise ConfigError(f"points is {points}; at least 2 are needed for an interval")
    _check_holdout(subset, holdout, labels, holdout_labels)
    order = np.random.default_rng(child_seed(seed, "gap", -1)).permutation(len(subset))
    chosen = torch.from_numpy(order[np.arange(points) % len(subset)])
    clean = to_model(subset.tensor()[chosen]).double()
    noise = _noise(seed, points, subset.shape)
    own = None if labels is None else labels[chosen].to(device)
    train_optimum = OptimalDenoiser(
        subset, conditional=labels is not None, labels=labels, device=device
    )
    rest_optimum = OptimalDenoiser(
        holdout, conditional=holdout_labels is not None, labels=holdout_labels, device=device
    )
    rest_own = None if holdout_labels is None else own
    noisy = torch.empty(len(sigmas), *clean.shape, device=device)
    target = torch.empty(noisy.shape, dtype=torch.float64, device=device)
    population = []
    for number, sigma in enumerate(sigmas):
        x = noisy[number].copy_(clean + sigma * noise)
        copies = _tiled(train_optimum, x.double(), sigma, own, tile=OPTIMUM_TILE)
        others = _tiled(rest_optimum, x.double(), sigma, rest_own, tile=OPTIMUM_TILE)
        target[number] = copies
        population.append(_mean_square(others - copies))
    return GapProbe(sigmas, noisy, target, own, np.stack(population), len(holdout))


def _check_holdout(
    subset: Dataset,
    holdout: Dataset,
    labels: Tensor | None,
    holdout_labels: Tensor | None,
) -> None:
    if not len(holdout):
        raise DataError("no held-out images are left to stand for the population; train on fewer")
    if subset.shape != holdout.shape or subset.kind != holdout.kind:
        raise DataError(
            f"the held-out items have shape {holdout.shape}, the training items {subset.shape}; "
            "give held-out items of the same shape"
        )
    if labels is not None and holdout_labels is not None:
        missing = sorted(set(labels.tolist()) - set(holdout_labels.tolist()))
        if missing:
            raise DataError(f"no held-out image has label {missing[0]}; give more held-out images")


def _noise(seed: int, points: int, shape: tuple[int, ...]) -> Tensor:
    """Standard normal float64 (points, *shape), drawn on the CPU, each point by its own seed."""
    generator = torch.Generator()
    rows = []
    for number in range(points):
        generator.manual_seed(child_seed(seed, "gap", number))
        rows.append(torch.randn(shape, generator=generator, dtype=torch.float64))
    return torch.stack(rows)


def _tiled(
    denoiser: DenoiserLike, x: Tensor, sigma: float, labels: Tensor | None, *, tile: int
) -> Tensor:
    """Denoise x (P, *shape) in tiles that are always full: the last bits depend on the batch."""
    parts = []
    tile = max(1, min(tile, TILE_BYTES // (8 * x[0].numel())))
    level = torch.full((tile,), sigma, dtype=x.dtype, device=x.device)
    for start in range(0, len(x), tile):
        part = x[start : start + tile]
        pad = tile - len(part)
        full = torch.cat([part, part[-1:].expand(pad, *part.shape[1:])])
        own = None
        if labels is not None:
            own = labels[start : start + tile]
            own = torch.cat([own, own[-1:].expand(pad)])
        parts.append(denoiser(full, level, own)[: len(part)])
    return torch.cat(parts)


def _mean_square(difference: Tensor) -> Array:
    """Return the mean square of each item's elements, float64 (P,)."""
    found: Array = difference.flatten(1).square().mean(1).cpu().numpy()
    return found


def ratio_of_means(
    above: Array, below: Array, *, confidence: float = 0.95
) -> tuple[float | None, float | None, float | None, float | None]:
    """Return mean(above) / mean(below) of paired terms, its standard error, and its interval.

    By the delta method, var log(a / b) = (s_a^2 / a^2 + s_b^2 / b^2 - 2 s_ab / (a b)) / n. All four are
    None where mean(below) is under `DENOMINATOR_FLOOR`; a ratio of 0 has the interval [0, 0].

    >>> ratio_of_means(np.array([1.0, 2.0]), np.array([2.0, 4.0]))
    (0.5, 0.0, 0.5, 0.5)
    """
    a, b = float(above.mean()), float(below.mean())
    if b < DENOMINATOR_FLOOR:
        return None, None, None, None
    if a == 0:
        return 0.0, 0.0, 0.0, 0.0
    from scipy.special import ndtri  # not at import time: it costs 0.1 s

    relative = above / a - below / b  # its mean is 0
    deviation = math.sqrt(float((relative**2).sum()) / (len(above) - 1) / len(above))
    spread = math.exp(float(ndtri(0.5 + confidence / 2)) * deviation)
    return a / b, a / b * deviation, a / b / spread, a / b * spread
