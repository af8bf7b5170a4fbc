"""A model whose rate of copies is known by quadrature: training items plus normal noise."""

import math

import numpy as np
from scipy import integrate, optimize, stats

import rote


def kernel_density(job: rote.TrainingJob) -> rote.TrainedModel:
    """Train a kernel density estimate: keep the rows, and draw around them."""
    items, bandwidth = job.data.items.astype(np.float64), job.settings["bandwidth"]

    def sample(num: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        rows = items[rng.integers(len(items), size=num)]
        return (rows + bandwidth * rng.normal(size=rows.shape)).astype(np.float32)

    return rote.TrainedModel(images_seen=len(items), sample=sample)


def copied(size: float, bandwidth: float, *, dimension: int, c: float = 1 / 3) -> float:
    """Return the expected rate of copies where ``size`` rows are standard normal.

    A sample y = x + bandwidth z has the distances of independent normal rows to all training rows but x;
    their squares are noncentral chi-squared around |y|^2. With r = |y - x| it is a copy if x is the
    nearest and all others lie beyond r / c, or if another one is, at s, and the rest lie beyond s / c.
    """
    rng = np.random.default_rng(0)
    draws = 4000
    x, z = rng.normal(size=(2, draws, dimension))
    far = ((x + bandwidth * z) ** 2).sum(1)
    own = bandwidth**2 * (z**2).sum(1)

    def beyond(square: np.ndarray, n: float) -> np.ndarray:
        return np.exp(n * stats.ncx2.logsf(square, dimension, far))

    nearest = beyond(own / c**2, size - 1)
    grid = np.linspace(0, 1, 41)[1:, None] * (own * c**2)
    density = (size - 1) * stats.ncx2.pdf(grid, dimension, far) * beyond(grid / c**2, size - 2)
    other = integrate.simpson(np.vstack([np.zeros(draws), density]), dx=1 / 40, axis=0) * own * c**2
    return float((nearest + other).mean())


def true_emm(bandwidth: float, *, dimension: int, epsilon: float) -> float:
    """Return the size at which the expected rate is 1 - epsilon."""
    found = optimize.brentq(
        lambda log: copied(math.exp(log), bandwidth, dimension=dimension) - (1 - epsilon),
        math.log(3),
        math.log(1e5),
        xtol=1e-3,
    )
    return math.exp(found)
