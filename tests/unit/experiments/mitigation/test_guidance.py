"""Away from every training image, by closed form; and nothing at strength 0."""

import numpy as np
import pytest
import torch

from rote.data.convert import as_items, to_model
from rote.data.load import load_images
from rote.diffusion.conditioning import NO_LABEL
from rote.diffusion.config import SampleConfig
from rote.diffusion.optimal_denoiser import OptimalDenoiser
from rote.diffusion.sample import sample
from rote.experiments.mitigation.guidance import Away, LateLabels, nearest_others
from rote.memorization.audit.audit import run_audit
from rote.memorization.audit.options import RATIO_ONLY

TRAINING = load_images("digits").take(np.arange(40))
TWINS = load_images("digits").take(np.array([*range(40), 0, 1]))
CONFIG = SampleConfig(steps=8, tile=32)


def drawn(denoiser, count: int = 32) -> torch.Tensor:
    return sample(denoiser, range(count), shape=(1, 8, 8), config=CONFIG)


@pytest.mark.parametrize("training", [TRAINING, TWINS], ids=["distinct", "twins"])
def test_the_optimum_stays_out_of_every_ball(training) -> None:
    optimum = OptimalDenoiser(training)
    copies, kept = drawn(optimum), drawn(Away(optimum, training, 0.5))
    references = to_model(TRAINING.tensor()).flatten(1).double()
    apart = torch.cdist(references, references)
    apart.fill_diagonal_(torch.inf)
    radii = 0.5 * apart.min(1).values
    far = torch.cdist(kept.flatten(1), references) / radii
    assert far.min() >= 1 - 1e-5
    assert (torch.cdist(copies.flatten(1), references) / radii).min(1).values.max() < 0.1
    shown = [as_items(x, TRAINING, source="") for x in (copies, kept)]
    rounded = torch.cdist(to_model(shown[1].tensor()).flatten(1).double(), references) / radii
    assert rounded.min() >= 0.99  # half a grey level in each of 64 pixels
    assert [run_audit(x, TRAINING, RATIO_ONLY).rate.value for x in shown] == [1, 0]


def test_strength_0_changes_no_bit_and_others_do() -> None:
    optimum = OptimalDenoiser(TRAINING)
    assert torch.equal(drawn(Away(optimum, TRAINING, 0.0), 5), drawn(optimum, 5))
    assert not torch.equal(drawn(Away(optimum, TRAINING, 0.2), 5), drawn(optimum, 5))


def test_the_distance_to_the_nearest_other_is_that_of_all_pairs() -> None:
    points = torch.randn(300, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    apart = torch.cdist(points, points)
    apart.fill_diagonal_(torch.inf)
    assert torch.allclose(nearest_others(points), apart.min(1).values)


class _Told:
    """Remembers the labels that it is asked with."""

    sigma_min, sigma_max = 0.0, float("inf")

    def __init__(self) -> None:
        self.seen: list[tuple[float, int]] = []

    def __call__(self, x, sigma, labels=None):
        self.seen += [(float(sigma[0]), int(labels[0]))]
        return torch.zeros_like(x)


def test_labels_are_told_below_a_noise_level_alone() -> None:
    told = _Told()
    labels = torch.full((3,), 7)
    sample(LateLabels(told, 1.0), range(3), shape=(1, 8, 8), config=CONFIG, labels=labels)
    assert {label for sigma, label in told.seen if sigma >= 1} == {NO_LABEL}
    assert {label for sigma, label in told.seen if sigma < 1} == {7}
