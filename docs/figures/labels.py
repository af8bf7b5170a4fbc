"""The figure of docs/derivations/labels.md: random labels split the training points, and the model copies."""

from __future__ import annotations

import torch
from scene import Scene, plane
from trained import Setting, chance, copied, samples

import rote
from rote.diffusion.conditioning import conditioning

SIZE, IMAGES = 16, 64 * 4096
CLASSES = (1, 2, 4, 8, 16)


def draw() -> None:
    """One label's points and samples, for more and more labels."""
    scene = Scene(**plane(1.35))
    scene.slider("Random labels C", [str(c) for c in CLASSES])
    mine, others, copies, novel = [], [], [], []
    for count in CLASSES:
        setting = Setting(size=SIZE, labels=count, images=IMAGES)
        network = setting.denoisers()[-1][1]
        config = rote.TrainConfig(images=IMAGES, labels="random", random_classes=count)
        labels = conditioning(setting.dataset(), config, seed=0).labels
        assert labels is not None
        own = labels.numpy() == int(labels[0])
        asked = labels[torch.arange(256) % SIZE]
        flagged = copied(samples(network, asked), setting.points)
        here = samples(network, torch.full((256,), int(labels[0])))[:80]
        found = copied(here, setting.points)
        mine.append([[*p, 5] for p in setting.points[own]])
        others.append([[*p, 2.5] for p in setting.points[~own]])
        copies.append([[*p, 3] for p in here[found]])
        novel.append([[*p, 3] for p in here[~found]])
        rate = rote.wilson(int(flagged.sum()), 256)
        scene.says.append(
            f"{count} label{'s' if count > 1 else ''}: drawn by lot for 16 points; the one shown has {own.sum()} of them. Over "
            f"all labels {rate.value:.0%} of 256 samples are flagged as copies ({rate.low:.0%} to {rate.high:.0%}), and "
            f"{chance(setting.points):.0%} of fresh points of the ring."
        )
    scene.moves("dots", "quiet", others, "training point of another label")
    scene.moves("dots", "training", mine, "training point of the label shown")
    scene.moves("dots", "second", novel, "sample for this label, no copy")
    scene.moves("dots", "sample", copies, "sample for this label, flagged")
    scene.save("labels")
