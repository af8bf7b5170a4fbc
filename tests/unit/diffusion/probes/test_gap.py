"""The gap to the optimum: known denoisers have known gaps, and a point is the same in any company."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from rote.core.errors import ConfigError, DataError
from rote.diffusion.optimal_denoiser import OptimalDenoiser
from rote.diffusion.probes import gap
from rote.diffusion.probes.gap import (
    DENOMINATOR_FLOOR,
    GapCurve,
    gap_probe,
    ratio_of_means,
)
from rote.diffusion.probes.gap_file import checkpoint_probe

SIGMAS = (0.002, 0.05, 0.4, 1.6, 80.0)


class Mixed:
    """(1 - share) * first + share * second: its gap is share^2 where they are the two optima."""

    sigma_min, sigma_max = 0.0, math.inf

    def __init__(self, first, second, share):
        self.first, self.second, self.share = first, second, share

    def __call__(self, x, sigma, labels=None):
        a, b = self.first(x, sigma, labels), self.second(x, sigma, labels)
        return (1 - self.share) * a + self.share * b


@pytest.fixture(scope="module")
def parts(digits):
    order = digits.subset_indices(len(digits), seed=0)
    return digits.take(order[:48]), digits.take(order[48:700])


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_mixtures_of_the_two_optima_have_the_square_of_their_share(parts, share):
    train, rest = parts
    mixed = Mixed(OptimalDenoiser(train), OptimalDenoiser(rest), share)
    curve = gap_probe(train, rest, seed=0, sigmas=SIGMAS, points=70).curve(mixed)
    # The denoiser answers in float32: off by 6e-8 of values up to 1, on mean squares of 1e-4 and more
    # (the denominator at sigma 80), so by 1e-5 at the most.
    assert curve.gap == pytest.approx([share**2] * 5, abs=1e-5)


def softmax_mean(x, references, sigma):
    """D*(x, sigma) written out over differences, float64."""
    logits = -((x - references) ** 2).sum(1) / (2 * sigma**2)
    weights = np.exp(logits - logits.max())
    return weights @ references / weights.sum()


def test_against_the_definition_in_loops(parts):
    train, rest = parts
    probe = gap_probe(train, rest, seed=3, sigmas=(0.05, 0.8), points=9)
    both = [part.items.reshape(len(part), -1).astype(np.float32) for part in parts]
    ours = [(images / np.float32(127.5) - np.float32(1)).astype(np.float64) for images in both]
    above = probe.terms(Mixed(lambda x, *_: 0 * x, lambda x, *_: 0 * x, 0.0))
    for s, sigma in enumerate((0.05, 0.8)):
        for p in range(9):
            x = probe.noisy[s, p].double().numpy().ravel()
            own, other = softmax_mean(x, ours[0], sigma), softmax_mean(x, ours[1], sigma)
            assert probe.population[s, p] == pytest.approx(((own - other) ** 2).mean(), rel=1e-9)
            assert above[s, p] == pytest.approx((own**2).mean(), rel=1e-9)


def test_points_lie_around_every_training_image_in_turn(parts):
    train, rest = parts
    probe = gap_probe(train, rest, seed=0, sigmas=(1e-4,), points=96)
    clean = torch.from_numpy(train.items.reshape(48, -1).astype(np.float32)) / 127.5 - 1
    nearest = torch.cdist(probe.noisy[0].flatten(1), clean).argmin(1)
    assert sorted(nearest[:48].tolist()) == list(range(48))
    assert torch.equal(nearest[:48], nearest[48:])
    assert not torch.equal(probe.noisy[0, :48], probe.noisy[0, 48:])  # with fresh noise


def test_large_items_go_through_in_smaller_tiles(parts, snapshot, monkeypatch):
    def terms():
        labels = torch.arange(48) % 10
        probe = gap_probe(*parts, seed=0, sigmas=(0.8,), points=20, labels=labels)
        return probe.terms(snapshot.denoiser()), probe.target

    usual = terms()
    monkeypatch.setattr(gap, "TILE_BYTES", 3 * 64 * 8)
    small = terms()
    assert np.allclose(small[0], usual[0], rtol=1e-5)  # the last bits depend on the batch
    assert torch.allclose(small[1], usual[1], rtol=1e-12, atol=1e-12)


def test_a_point_is_the_same_bytes_beside_others_or_alone(parts, snapshot):
    train, rest = parts
    labels = torch.arange(48) % 10
    denoiser = snapshot.denoiser()

    def terms(points, sigmas, seed=0):
        probe = gap_probe(train, rest, seed=seed, sigmas=sigmas, points=points, labels=labels)
        return probe.terms(denoiser)

    many = terms(150, (0.1, 0.8))
    assert np.array_equal(terms(70, (0.8,))[0], many[1, :70])
    assert not np.array_equal(terms(70, (0.8,), seed=1)[0], many[1, :70])


def test_true_labels_make_both_optima_conditional(digits, snapshot):
    train = digits.subset(64, seed=0)
    rest = digits.take(digits.subset_indices(len(digits), seed=0)[64:])
    labels, others = torch.from_numpy(train.labels), torch.from_numpy(rest.labels)
    own = OptimalDenoiser(train, conditional=True)
    population = OptimalDenoiser(rest, conditional=True)
    probe = gap_probe(train, rest, seed=0, labels=labels, holdout_labels=others)
    for share in (0.0, 1.0):
        found = probe.curve(Mixed(own, population, share))
        assert found.gap == pytest.approx([share] * 5, abs=1e-5)
    # The checkpoint was trained with true labels, and says so itself.
    denoiser = snapshot.denoiser()
    assert checkpoint_probe(snapshot, train, rest, seed=0).curve(denoiser) == probe.curve(denoiser)


def test_random_and_unique_labels_tell_nothing_of_the_population(digits, parts, snapshot):
    train = digits.subset(64, seed=0)
    rest = parts[1]
    unique = replace(
        snapshot,
        label_count=64,
        facts={**snapshot.facts, "labels": "unique", "dataset": train.digest},
    )
    probe = checkpoint_probe(unique, train, rest, seed=0, sigmas=(1.6,), points=64)
    # Each label has one training image, so the conditional optimum is that image whatever the noise.
    order = torch.from_numpy(train.items.reshape(64, -1).astype(np.float32)) / 127.5 - 1
    assert torch.equal(probe.target[0].flatten(1), order[probe.labels].double())
    level = torch.full((64,), 1.6, dtype=torch.float64)
    expected = OptimalDenoiser(rest)(probe.noisy[0].double(), level)
    difference = (expected - probe.target[0]).flatten(1).square().mean(1).numpy()
    assert probe.population[0] == pytest.approx(difference, rel=1e-9)


def test_no_gap_where_both_optima_are_the_same(parts, snapshot):
    train, _ = parts
    mixed = Mixed(OptimalDenoiser(train), OptimalDenoiser(train), 0.5)
    curve = gap_probe(train, train, seed=0, sigmas=(0.4,), points=16).curve(mixed)
    assert curve.gap == curve.low == curve.high == curve.standard_error == (None,)
    assert curve.denominator[0] < DENOMINATOR_FLOOR
    assert GapCurve.from_json(curve.to_json()) == curve


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_interval_covers_at_its_confidence(confidence):
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        shared = rng.normal(size=400)
        above = np.exp(0.8 * shared + 0.5 * rng.normal(size=400))
        below = np.exp(0.5 * shared)
        *_, low, high = ratio_of_means(above, below, confidence=confidence)
        covered += low <= math.exp((0.64 + 0.25 - 0.25) / 2) <= high
    # Four binomial errors, and 1 % for the third moment that the delta method leaves out at n = 400.
    assert covered / 1000 == pytest.approx(confidence, abs=0.01 + 4 * math.sqrt(0.2 * 0.8 / 1000))


def test_the_ratio_of_exact_multiples_has_no_error():
    below = np.array([1.0, 2.0, 5.0])
    assert ratio_of_means(0 * below, below) == (0, 0, 0, 0)
    assert ratio_of_means(3 * below, below) == pytest.approx((3, 0, 3, 3), abs=1e-12)


def test_bad_input_is_named(parts, digits, snapshot):
    train, rest = parts
    with pytest.raises(ConfigError, match="above 0"):
        gap_probe(train, rest, seed=0, sigmas=(0.1, 0.0))
    with pytest.raises(ConfigError, match="at least 2"):
        gap_probe(train, rest, seed=0, points=1)
    with pytest.raises(DataError, match="no held-out images"):
        gap_probe(train, rest.take(np.arange(0)), seed=0)
    with pytest.raises(DataError, match="no held-out image has label 9"):
        gap_probe(train, rest, seed=0, labels=torch.arange(48) % 10, holdout_labels=torch.arange(9))
    with pytest.raises(DataError, match="trained on other data"):
        checkpoint_probe(snapshot, train, rest, seed=0)
    probe = gap_probe(train, rest, seed=0, sigmas=(0.4,), points=2)
    with pytest.raises(ConfigError, match=r"call \.eval"):
        probe.terms(snapshot.denoiser().train())


@pytest.mark.cuda
def test_a_gpu_agrees(digits, snapshot):
    train, rest = digits.subset(64, seed=0), digits.take(np.arange(500))
    ours, theirs = (
        checkpoint_probe(snapshot, train, rest, seed=0, device=device).curve(
            snapshot.denoiser(device=device)
        )
        for device in ("cpu", "cuda")
    )
    assert theirs.gap == pytest.approx(
        ours.gap, rel=1e-4
    )  # a network's float32 sums in another order
    assert theirs.denominator == pytest.approx(ours.denominator, rel=1e-9)
