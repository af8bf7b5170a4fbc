"""What a fixed grid of sizes would have cost for the interval that a search has reached.

The paper trains one run of every size of a grid about an octave apart. Repeated with new seeds, and
read by the estimator of this library, such a grid narrows the interval too. How often it has to be
repeated is simulated: `GRIDS` grids on the fitted curve, their runs apart by the fitted spread, each
repeated until its interval is as narrow as the search's. The median is the price of a typical grid, if
the curve is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.seeds import child_seed
from rote.emm.curve import CurvePosterior, Observation, fit_curve

GRIDS = 25
SIZES = 5
"""As many as the paper's grid at 8x8."""
MOST_REPEATS = 20


def octaves(value: float, grid: Sequence[int], *, start: int) -> list[int]:
    """Return up to five sizes whole octaves from ``start``, with the EMM in the middle.

    Octaves beyond the smallest and the largest size of ``grid`` are left out.

    >>> octaves(43.0, [4, 8, 11, 16, 32, 45, 54, 64, 128, 256], start=32)
    [8, 16, 32, 64, 128]
    """
    lowest = math.floor(math.log2(value / start)) - SIZES // 2
    wanted = [start * 2.0**power for power in range(lowest, lowest + SIZES)]
    inside = [one for one in wanted if grid[0] / 1.01 <= one <= grid[-1] * 1.01]
    return sorted({min(grid, key=lambda size: abs(math.log(size / one))) for one in inside})


def grid_price(
    posterior: CurvePosterior,
    *,
    grid: Sequence[int],
    start: int,
    samples: int,
    images: Callable[[int], int],
    seed: int,
) -> dict[str, Any] | None:
    """Return sizes, repeats, runs and training images of a fixed grid with an interval as narrow.

    None where the interval has an open end. ``repeats``, ``runs`` and ``images_trained`` are None
    where most grids would need more than `MOST_REPEATS`.

    Parameters
    ----------
    posterior
        What the search has found.
    grid
        All sizes that it might have trained.
    start
        Where the octaves begin.
    samples
        Fresh samples of each run of the fixed grid.
    images
        Training images of a run of a size.
    seed
        Root seed of the simulation.
    """
    emm = posterior.emm()
    if emm.value is None:
        return None
    low, _, high = posterior.quantiles()
    sizes = octaves(emm.value, grid, start=start)
    logits = _mean_logits(posterior, sizes)
    reach = (grid[0], grid[-1])
    spread = posterior.spread()[0]
    repeats = []
    for number in range(GRIDS):
        rng = np.random.default_rng(child_seed(seed, "price", number))
        runs: list[Observation] = []
        narrow, repeat = False, 0
        while not narrow and repeat <= MOST_REPEATS:
            repeat += 1
            runs += _drawn(sizes, logits, spread, samples, rng)
            least, _, most = fit_curve(runs, epsilon=posterior.epsilon, reach=reach).quantiles()
            narrow = most / least <= high / low
        repeats.append(repeat)
    typical = sorted(repeats)[GRIDS // 2]
    known = typical <= MOST_REPEATS
    return {
        "sizes": sizes,
        "repeats": typical if known else None,
        "runs": typical * len(sizes) if known else None,
        "images_trained": typical * sum(images(size) for size in sizes) if known else None,
    }


def _mean_logits(posterior: CurvePosterior, sizes: Sequence[int]) -> npt.NDArray[np.float64]:
    from scipy.special import logit

    return np.asarray(logit(np.clip(posterior.band(sizes)[0], 1e-6, 1 - 1e-6)))


def _drawn(
    sizes: Sequence[int],
    logits: npt.NDArray[np.float64],
    spread: float,
    samples: int,
    rng: np.random.Generator,
) -> list[Observation]:
    """Draw one run of every size."""
    from scipy.special import expit

    counts = rng.binomial(samples, expit(logits + spread * rng.standard_normal(len(sizes))))
    return [
        Observation(size, int(count), samples) for size, count in zip(sizes, counts, strict=True)
    ]
