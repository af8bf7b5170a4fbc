"""The gap of a model to the optimum falls as it trains."""

import numpy as np

from rote.diffusion.probes.gap_file import checkpoint_probe


def test_training_brings_the_gap_down(digits, trained):
    train, rest = digits.subset(64, seed=0), digits.take(np.arange(500))
    probe = checkpoint_probe(trained, train, rest, seed=0, points=128)
    fresh = probe.curve(trained.denoiser(weights="raw").apply(_forget))
    learned = probe.curve(trained.denoiser(weights="raw"))
    assert learned.numerator[3] < 0.5 * fresh.numerator[3]


def _forget(module):
    for value in module.parameters(recurse=False):
        value.zero_()
