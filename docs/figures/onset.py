"""The figure of docs/derivations/onset.md: rates over training time, and the scale on which they fall together."""

from __future__ import annotations

import numpy as np
from scene import Color, Scene, axis, flower
from trained import SAMPLES, Setting, copied, samples

from rote.emm.onset import fit_onset_law, onset_interval

SIZES = (6, 9, 14, 21, 32)
POWERS = np.round(np.arange(0, 2.51, 0.1), 1)
COLORS: tuple[Color, ...] = ("training", "held", "accent", "second", "sample")


def draw() -> None:
    """Train, score every snapshot, and squeeze the time by N^b."""
    settings = [Setting(size=n, images=64 * 6144, snapshots=16) for n in SIZES]
    histories, intervals = [], []
    for setting in settings:
        history = []
        for seen, network in setting.denoisers():
            history.append((seen, int(copied(samples(network), setting.points).sum()), SAMPLES))
        fresh = copied(flower(2000, seed=9), setting.points)
        histories.append(history)
        intervals.append(onset_interval(setting.size, history, control=(int(fresh.sum()), 2000)))
    law = fit_onset_law(intervals)
    assert law is not None, intervals
    print([(i.size, i.low, i.high) for i in intervals], law.exponent)
    scene = Scene(
        x=axis(0, 1, "images seen / N^b, as a share of the longest", (0, 0.25, 0.5, 0.75, 1)),
        y=axis(0, 1.02, "share of copies", (0, 0.25, 0.5, 0.75, 1)),
    )
    scene.slider("Power b", [f"{b:.1f}" for b in POWERS])
    for number, (size, history) in enumerate(zip(SIZES, histories, strict=True)):
        seen, count, total = np.array(history).T
        frames = []
        for b in POWERS:
            longest = max(one[-1][0] / n**b for n, one in zip(SIZES, histories, strict=True))
            frames.append([np.column_stack([seen / size**b / longest, count / total])])
        scene.moves("lines", COLORS[number], frames, f"N = {size}")
    for b in POWERS:
        times = [np.log(i.high / i.size**b) for i in intervals if i.high is not None]
        scene.says.append(
            f"b = {b:.1f}: on this scale the {len(times)} onsets that were seen lie within a factor of {np.exp(max(times) - min(times)):.1f} "
            f"of each other ({len(SIZES) - len(times)} run had not begun). Fitted to all runs by rote: b = {law.exponent.value:.2f} "
            f"({law.exponent.low:.2f} to {law.exponent.high:.2f})."
        )
    scene.save("onset")
