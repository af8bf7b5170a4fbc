"""The figures of docs/derivations/networks.md: a staircase and a slope, and what size, width and time do."""

from __future__ import annotations

import numpy as np
import torch
from scene import Scene, axis, plane
from trained import Setting, chance, copied, samples

import rote
from rote.data.dataset import Dataset

SIZES, WIDTHS = (6, 18, 54), (8, 32, 128)
IMAGES = 64 * 8192


def staircase() -> None:
    """The answers of the optimum and of a network along a line through the plane."""
    setting = Setting(size=12, width=32, images=IMAGES)
    sigmas = (0.4, 0.2, 0.1, 0.05, 0.025)
    across = np.linspace(-1.2, 1.2, 241)
    line = torch.from_numpy(np.column_stack([across, np.full_like(across, 0.3)]))
    optimum = rote.OptimalDenoiser(Dataset(setting.points.astype(np.float32)))
    networks = setting.denoisers()
    chosen = [networks[0], networks[1], networks[3], networks[-1]]
    scene = Scene(
        x=axis(-1.2, 1.2, "where the noisy point is, from left to right", (-1, 0, 1)),
        y=axis(-1.2, 1.2, "where the answer is", (-1, 0, 1)),
    )
    scene.slider("Noise level sigma", [f"{sigma:g}" for sigma in sigmas], start=2)
    scene.slider(
        "Training points seen by the network", [f"{seen:,}" for seen, _ in chosen], start=1
    )
    best, learned = [], []
    for sigma in sigmas:
        level = torch.full((len(line),), sigma, dtype=torch.float64)
        own = optimum(line, level).numpy()
        best.append([np.column_stack([across, own[:, 0]])])
        for seen, network in chosen:
            with torch.no_grad():
                answer = network(line.float(), level.float()).double().numpy()
            learned.append([np.column_stack([across, answer[:, 0]])])
            off = np.sqrt(((answer - own) ** 2).sum(1).mean())
            steepest = (np.diff(own[:, 0]) / np.diff(across)).max()
            slope = (np.diff(answer[:, 0]) / np.diff(across)).max()
            scene.says.append(
                f"Noise {sigma:g}, {seen:,} training points seen: the steepest rise of the optimum is {steepest:.3g}, "
                f"that of the network {slope:.3g}; they lie {off:.2f} apart."
            )
    scene.stays("segments", "quiet", [[-1.2, -1.2, 1.2, 1.2]], "answer = question", dashed=True)
    scene.moves("lines", "training", best, "optimum", by=[0])
    scene.moves("lines", "sample", learned, "network")
    scene.save("staircase")


def networks() -> None:
    """Samples of networks of three widths, trained on three sizes, from early to late."""
    scene = Scene(**plane(1.35))
    settings = [Setting(size=n, width=w, images=IMAGES) for n in SIZES for w in WIDTHS]
    runs = [setting.denoisers() for setting in settings]
    scene.slider("Training points seen", [f"{seen:,}" for seen, _ in runs[0]], start=7)
    scene.slider("Training points", [str(n) for n in SIZES], start=0)
    scene.slider("Width of the network", [str(w) for w in WIDTHS], start=1)
    by_chance = {n: chance(Setting(size=n).points) for n in SIZES}
    copies, novel = [], []
    for when in range(len(runs[0])):
        for setting, run in zip(settings, runs, strict=True):
            found = samples(run[when][1])
            flagged = copied(found, setting.points)
            shown = np.flatnonzero(np.arange(len(found)) < 110)
            copies.append([[*p, 3] for p in found[shown][flagged[shown]]])
            novel.append([[*p, 3] for p in found[shown][~flagged[shown]]])
            rate = rote.wilson(int(flagged.sum()), len(flagged))
            scene.says.append(
                f"{setting.size} points, width {setting.width}, {run[when][0]:,} seen: each point "
                f"{run[when][0] // setting.size:,} times. Flagged as copies: {rate.value:.0%} "
                f"({rate.low:.0%} to {rate.high:.0%}) of 256 samples, and {by_chance[setting.size]:.0%} of fresh points of the ring."
            )
    points = [[[*p, 4] for p in Setting(size=n).points] for n in SIZES]
    scene.moves("dots", "second", novel, "sample that is no copy")
    scene.moves("dots", "sample", copies, "sample that is flagged as a copy")
    scene.moves("dots", "training", points, "training point", by=[1])
    scene.save("networks")


def draw() -> None:
    """Write both."""
    staircase()
    networks()
