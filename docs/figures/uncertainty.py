"""The figures of docs/derivations/uncertainty.md: Wilson's interval, how often it holds, a threshold from held-out digits."""

from __future__ import annotations

import numpy as np
from scene import Scene, axis
from scipy.stats import binom

import rote
from rote.memorization.criteria.ratio import distance_ratio
from rote.stats.conformal import calibrate

Z = 1.959964
TOTALS = (5, 10, 20, 50, 200, 1000)


def wilson() -> None:
    """Which true rates go with what was counted."""
    shares = np.linspace(0, 1, 21)
    rates = np.linspace(0, 1, 201)
    scene = Scene(
        x=axis(0, 1, "true rate p", (0, 0.25, 0.5, 0.75, 1)),
        y=axis(0, 1, "share of copies counted in n images", (0, 0.25, 0.5, 0.75, 1)),
    )
    scene.slider("Copies counted", [f"{share:.0%}" for share in shares], start=1)
    scene.slider("Images n", [str(n) for n in TOTALS], start=2)
    bands = []
    for n in TOTALS:
        half = Z * np.sqrt(rates * (1 - rates) / n)
        up, down = np.column_stack([rates, rates + half]), np.column_stack([rates, rates - half])
        bands.append([np.vstack([up, down[::-1]])])
    counted, inside, wald = [], [], []
    for share in shares:
        for n in TOTALS:
            found = rote.wilson(round(share * n), n)
            p, half = found.value, Z * np.sqrt(found.value * (1 - found.value) / n)
            counted.append([[0, p, 1, p]])
            inside.append(
                [
                    [found.low, 0.012, found.high, 0.012],
                    [found.low, 0, found.low, p],
                    [found.high, 0, found.high, p],
                ]
            )
            wald.append([[p - half, 0.04, p + half, 0.04]])
            scene.says.append(
                f"{found.count} of {n}: Wilson's interval is {found.low:.1%} to {found.high:.1%}; the textbook's "
                f"p +- 1.96 standard errors is {p - half:.1%} to {p + half:.1%}."
            )
    scene.moves("areas", "training", bands, "counts that a rate explains (19 of 20)", by=[1])
    scene.moves("segments", "second", counted, "what was counted")
    scene.moves("segments", "sample", inside, "Wilson's interval")
    scene.moves("segments", "quiet", wald, "textbook interval", dashed=True)
    scene.save("wilson")


def coverage() -> None:
    """How often each interval holds the true rate: summed exactly over all counts."""
    rates = np.linspace(0.002, 0.5, 200)
    scene = Scene(
        x=axis(0, 0.5, "true rate", (0, 0.1, 0.2, 0.3, 0.4, 0.5)),
        y=axis(0, 1, "how often the interval holds it", (0, 0.25, 0.5, 0.75, 0.95)),
    )
    scene.slider("Images n", [str(n) for n in TOTALS], start=2)
    ours, textbook = [], []
    for n in TOTALS:
        count = np.arange(n + 1)
        chance = binom.pmf(count[:, None], n, rates)
        found = [rote.wilson(int(k), n) for k in count]
        low, high = np.array([[f.low, f.high] for f in found]).T
        share = count / n
        half = Z * np.sqrt(share * (1 - share) / n)
        held = (chance * ((low[:, None] <= rates) & (rates <= high[:, None]))).sum(0)
        plain = (
            chance * (((share - half)[:, None] <= rates) & (rates <= (share + half)[:, None]))
        ).sum(0)
        ours.append([np.column_stack([rates, held])])
        textbook.append([np.column_stack([rates, plain])])
        at = int(np.abs(rates - 0.01).argmin())
        scene.says.append(
            f"With {n} images and a true rate of 1 %, Wilson's interval holds it {held[at]:.0%} of the time, the textbook's "
            f"{plain[at]:.0%}. On average over all rates: {held.mean():.1%} and {plain.mean():.1%}."
        )
    scene.stays("segments", "quiet", [[0, 0.95, 0.5, 0.95]], "95 %")
    scene.moves("lines", "second", textbook, "textbook interval", dashed=True)
    scene.moves("lines", "sample", ours, "Wilson's interval")
    scene.save("coverage")


def calibration() -> None:
    """A threshold from held-out digits, and the noisy copies that it finds."""
    digits = rote.load_images("digits")
    training, held = digits.take(np.arange(900)), digits.take(np.arange(900, 1797))
    rng = np.random.default_rng(0)
    noisy = training.items[:300] + 20 * rng.standard_normal((300, 8, 8, 1))
    copies = np.clip(np.round(noisy), 0, 255).astype(np.uint8)

    def ratios(items: np.ndarray) -> np.ndarray:
        near = rote.nearest_neighbors(items, training.items, k=2)
        return distance_ratio(near.sq_distances[:, 0], near.sq_distances[:, 1])

    ours, theirs = ratios(held.items), ratios(copies)
    edges = np.linspace(0, 1, 41)
    asked = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
    scene = Scene(
        x=axis(0, 1, "ratio", (0, 0.33, 0.5, 0.75, 1)),
        y=axis(0, 0.16, "share of images", (0, 0.05, 0.1, 0.15)),
    )
    scene.slider(
        "Held-out images that may be flagged", [f"{share:.1%}" for share in asked], start=1
    )

    def bars(values: np.ndarray) -> list[np.ndarray]:
        share = np.histogram(values, edges)[0] / len(values)
        return [
            np.array([[a, 0], [a, h], [b, h], [b, 0]])
            for a, b, h in zip(edges[:-1], edges[1:], share, strict=True)
            if h
        ]

    scene.stays("areas", "training", bars(ours), "held-out digits")
    scene.stays("areas", "sample", bars(theirs), "noisy copies of training digits")
    scene.stays("segments", "quiet", [[1 / 3, 0, 1 / 3, 0.16]], "threshold 1/3", dashed=True)
    lines = []
    for share in asked:
        found = calibrate(ours, asked=share)
        assert found.threshold is not None and found.false_positives is not None
        lines.append([[found.threshold, 0, found.threshold, 0.16]])
        low, high = found.false_positives
        scene.says.append(
            f"At most {share:.1%} of unseen digits may be flagged: the threshold is {found.threshold:.2f} (true false-positive rate "
            f"{low:.2%} to {high:.2%}). It finds {(theirs < found.threshold).mean():.0%} of the copies; 1/3 finds "
            f"{(theirs < 1 / 3).mean():.0%}."
        )
    scene.moves("segments", "accent", lines, "calibrated threshold")
    scene.save("calibration")


def draw() -> None:
    """Write all three."""
    wilson()
    coverage()
    calibration()
