"""The figures of docs/derivations/gap.md: a mixture of two optima in the plane, and gap against rate of real runs."""

from __future__ import annotations

import csv

import numpy as np
import torch
from scene import FOLDER, Points, Scene, as_dataset, axis, flower, log_axis, plane
from scipy.stats import spearmanr

import rote
from rote.diffusion.probes.gap import gap_probe

SIGMA = 0.25
BUDGETS = ("19200", "38400", "57600", "76800")


class Mixture:
    """A denoiser between the optimum of some points and that of others."""

    sigma_min, sigma_max = 0.0, float("inf")

    def __init__(self, first: Points, second: Points, share: float) -> None:
        self.first = rote.OptimalDenoiser(as_dataset(first))
        self.second = rote.OptimalDenoiser(as_dataset(second))
        self.share = share

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor, labels: object = None) -> torch.Tensor:
        near = self.first(x, sigma)
        return near + self.share * (self.second(x, sigma) - near)


def mixture() -> None:
    """From copying to not copying, in a straight line."""
    training, rest = flower(12, seed=218), flower(600, seed=4)
    rng = np.random.default_rng(1)
    noisy = np.repeat(training, 2, axis=0) + SIGMA * rng.standard_normal((24, 2))
    level = torch.full((24,), SIGMA, dtype=torch.float64)
    x = torch.from_numpy(noisy)
    probe = gap_probe(as_dataset(training), as_dataset(rest), seed=0, sigmas=[SIGMA], points=512)
    shares = np.linspace(0, 1, 11)
    scene = Scene(**plane(1.5))
    scene.slider("Share p of the population's optimum", [f"{p:.1f}" for p in shares], start=5)
    answers = []
    for share in shares:
        model = Mixture(training, rest, float(share))
        answers.append(model(x, level).numpy())
        gap = probe.curve(model).gap[0]
        scene.says.append(
            f"p = {share:.1f}: measured at 512 noisy points, the gap is {gap:.3f}; p squared is {share**2:.3f}."
        )
    ends = np.hstack([answers[0], answers[-1]])
    scene.stays("dots", "quiet", [[*p, 1.2] for p in rest], "the population, held out")
    scene.stays("segments", "quiet", ends)
    scene.stays("dots", "training", training, "training point")
    scene.stays(
        "dots", "held", [[*p, 3] for p in answers[-1]], "answer of the population's optimum"
    )
    scene.moves("dots", "sample", [[[*p, 4] for p in a] for a in answers], "answer of the mixture")
    scene.save("mixture")


def gap_rate() -> None:
    """Gap and rate of real runs on digits, at four budgets."""
    path = FOLDER.parent / "results" / "gap" / "banks.csv"
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["bank"] == "digits"]
    scene = Scene(
        x=log_axis(0.01, 0.6, "gap to the optimum at sigma 0.4", (0.01, 0.03, 0.1, 0.3)),
        y=axis(0, 1.02, "share of copies", (0, 0.25, 0.5, 0.75, 1)),
    )
    scene.slider("Images seen in training", [f"{int(b):,}" for b in BUDGETS], start=3)
    frames, grey = [], []
    for budget in BUDGETS:
        here = np.array(
            [
                [float(r["sigma 0.4"]), int(r["count"]) / int(r["total"])]
                for r in rows
                if r["images_seen"] == budget
            ]
        )
        frames.append(np.column_stack([np.log10(here[:, 0]), here[:, 1]]))
        grey.append([*np.column_stack([np.log10(here[:, 0]), here[:, 1], np.full(len(here), 2.5)])])
        rank = spearmanr(here[:, 0], here[:, 1]).statistic
        scene.says.append(
            f"{len(here)} runs of 8 to 128 digits after {int(budget):,} images: rank correlation of gap and rate {rank:.2f} "
            "(-1 would be: the larger the gap, the fewer the copies, without exception)."
        )
    scene.stays("dots", "quiet", [dot for some in grey for dot in some], "runs at any budget")
    scene.moves("dots", "sample", frames, "runs at this budget")
    scene.save("gap-rate")


def draw() -> None:
    """Write both."""
    mixture()
    gap_rate()
