"""The figures of docs/derivations/average.md: the optimum, and sampling it."""

from __future__ import annotations

import numpy as np
import torch
from scene import Points, Scene, as_dataset, flower, plane

import rote

TRAINING = flower(12, seed=218)
NOISY = np.array([0.18, 0.42])


def optimum_at(x: Points, sigma: float) -> Points:
    """Return the best guess (B, 2) of the optimum for noisy points (B, 2)."""
    denoiser = rote.OptimalDenoiser(as_dataset(TRAINING))
    level = torch.full((len(x),), sigma, dtype=torch.float64)
    return denoiser(torch.from_numpy(x), level).numpy()


def weights_at(x: Points, sigma: float) -> Points:
    """Return the weight (12,) of each training point in the average for one noisy point (2,)."""
    squares = ((TRAINING - x) ** 2).sum(1)
    share = np.exp(-(squares - squares.min()) / (2 * sigma**2))
    return share / share.sum()


def average() -> None:
    """The noise falls; the average moves from the middle onto one training point."""
    sigmas = np.geomspace(2, 0.05, 26)
    scene = Scene(**plane())
    scene.slider("Noise level sigma", [f"{sigma:.2f}" for sigma in sigmas], start=12)
    weights = [weights_at(NOISY, sigma) for sigma in sigmas]
    guesses = [optimum_at(NOISY[None], sigma)[0] for sigma in sigmas]
    discs = [np.column_stack([TRAINING, 0.3 * np.sqrt(w)]) for w in weights]
    lines = [
        [
            [*NOISY, *y, 0.15 + 0.85 * share]
            for y, share in zip(TRAINING, w, strict=True)
            if share > 0.01
        ]
        for w in weights
    ]
    scene.moves("segments", "quiet", lines)
    scene.moves("discs", "training", discs, "weight (the area of the disc)")
    scene.stays("dots", "training", TRAINING, "training point")
    scene.stays("dots", "second", [[*NOISY, 6]], "noisy point")
    scene.moves("dots", "sample", [[[*guess, 7]] for guess in guesses], "best guess: the average")
    nearest = int(weights[-1].argmax())
    for sigma, share, guess in zip(sigmas, weights, guesses, strict=True):
        off = np.linalg.norm(guess - TRAINING[nearest])
        counted = int((share > 0.01).sum())
        scene.says.append(
            f"At sigma {sigma:.2f} the nearest training point has {share[nearest]:.0%} of the weight, and "
            f"{counted} of 12 have more than 1 %. The best guess lies {off:.2f} from the nearest one."
        )
    scene.save("average")


class Recorder:
    """The optimum, and every point that it was asked about."""

    def __init__(self) -> None:
        self.inner = rote.OptimalDenoiser(as_dataset(TRAINING))
        self.sigma_min, self.sigma_max = self.inner.sigma_min, self.inner.sigma_max
        self.asked: list[Points] = []

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor, labels: object = None) -> torch.Tensor:
        self.asked.append(x.double().numpy())
        return self.inner(x, sigma)


def sampling() -> None:
    """Forty samples of the optimum, from noise to training points."""
    config = rote.SampleConfig(steps=24, sigma_max=1.5, sigma_min=0.01)
    recorder = Recorder()
    last = rote.sample(recorder, range(40), shape=(2,), config=config).numpy()
    # Heun asks twice a step, but once in the last one: every other point is where a step began.
    path = np.stack([x[:40] for x in recorder.asked[::2]] + [last])
    scene = Scene(**plane(2.4))
    scene.slider("Steps taken", [str(i) for i in range(len(path))])
    trails = [
        [path[max(0, i - 3) : i + 1, k] for k in range(40)] if i else [] for i in range(len(path))
    ]
    scene.moves("lines", "quiet", trails)
    scene.stays("dots", "training", TRAINING, "training point")
    scene.moves("dots", "sample", path, "sample")
    for i, points in enumerate(path):
        off = np.linalg.norm(points[:, None] - TRAINING, axis=2).min(1)
        scene.says.append(
            f"After {i} of {len(path) - 1} steps the farthest of 40 samples is {off.max():.3f} from its "
            f"nearest training point; half of them are within {np.median(off):.3f}."
        )
    scene.save("sampling")


def draw() -> None:
    """Write both."""
    average()
    sampling()
