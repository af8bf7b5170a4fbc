"""Small numeric checks of docs/concepts/proofs.md, on scikit-learn's digits.

python benchmarks/validity/proofs.py
"""

import math

import numpy as np
import numpy.typing as npt

from rote.data.load import load_images

SIGMAS = (0.002, 0.3, 0.6)
Floats = npt.NDArray[np.float64]


def optimum(x: Floats, points: Floats, sigma: float) -> tuple[Floats, Floats]:
    """Return the posterior mean over some points at x (B, D), and their log mass, both in float64."""
    logits = -((x[:, None] - points) ** 2).sum(2) / (2 * sigma**2)
    top = logits.max(1, keepdims=True)
    share = np.exp(logits - top)
    total = share.sum(1, keepdims=True)
    return (share / total) @ points, top[:, 0] + np.log(total[:, 0])


def main() -> None:
    """Print what each proof promises and what is found."""
    rng = np.random.default_rng(0)
    pixels = load_images("digits").items.reshape(-1, 64).astype(np.float64) / 127.5 - 1
    points, rest = pixels[:64], pixels[64:164]
    reach = np.linalg.norm(points[:, None] - points, axis=2).max()
    for sigma in SIGMAS:
        x = points[rng.integers(64, size=400)] + sigma * rng.standard_normal((400, 64))
        squared = ((x[:, None] - points) ** 2).sum(2)
        found, _ = optimum(x, points, sigma)
        error = np.linalg.norm(found - points[squared.argmin(1)], axis=1)
        first, second = np.sort(squared, axis=1)[:, :2].T
        bound = 63 * np.exp(-(second - first) / (2 * sigma**2)) * reach
        held = (error <= bound + 1e-12).mean()
        print(f"sigma {sigma}: error at most {error.max():.2g}, within the bound in {held:.0%}")
        step = x - sigma * ((x - found) / sigma)
        print(f"  an Euler step to 0 against the denoiser: {np.abs(step - found).max():.2g}")

    noisy = points[rng.integers(64, size=400)] + 0.8 * rng.standard_normal((400, 64))
    own, own_mass = optimum(noisy, points, 0.8)
    other, other_mass = optimum(noisy, rest, 0.8)
    both, _ = optimum(noisy, np.concatenate([points, rest]), 0.8)
    share = 1 / (1 + np.exp(own_mass - other_mass))[:, None]
    print(f"mixture of optima: {np.abs(both - (own + share * (other - own))).max():.2g}")
    for part in (0.1, 0.5, 0.9):
        mixed = own + part * (other - own)
        gap = ((mixed - own) ** 2).sum() / ((other - own) ** 2).sum()
        print(f"gap of a mixture with {part}: {gap:.6f}, promised {part**2:.6f}")

    images, shape, middle = 76_800, 3.0, 1_000
    thresholds = middle * np.exp(rng.logistic(0, 1, 400_000) / shape)
    sizes = [40, 57, 80, 113, 160]
    rates = [float((thresholds < images / size).mean()) for size in sizes]
    logits = [math.log(rate / (1 - rate)) for rate in rates]
    slopes = np.diff(logits) / np.diff(np.log(sizes))
    print(f"logit over ln N: slopes {np.round(slopes, 2).tolist()}, promised {-shape}")
    onset = [size * float(np.quantile(thresholds, 0.02)) for size in sizes]
    power = np.diff(np.log(onset)) / np.diff(np.log(sizes))
    print(f"onset over N: powers {np.round(power, 6).tolist()}, promised 1")


if __name__ == "__main__":
    main()
