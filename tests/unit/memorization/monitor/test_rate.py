"""The metric by hand, in every form of input, and against the audit."""

import json

import numpy as np
import pytest
import torch
from audits import ratio_audit as audit

import rote
from rote.core.errors import ConfigError, DataError
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.memorization.criteria import RatioCriterion
from rote.memorization.monitor import references as metric_module
from rote.memorization.monitor.monitor import MemorizationMonitor
from rote.memorization.monitor.options import OnsetTest
from rote.memorization.monitor.rate import MemorizationRate


def grey(*values):
    """Images of 1x2 pixels from (left, right), uint8 (N, 1, 2, 1)."""
    return np.array(values, np.uint8).reshape(-1, 1, 2, 1)


# As in test_audit.py: of the generated images the first, second and fourth are copies.
TRAINING = grey((0, 0), (30, 40), (100, 0), (200, 200))
GENERATED = grey((3, 4), (100, 0), (15, 20), (160, 160))


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


@pytest.fixture(scope="module")
def noisy(digits):
    """300 digits, the first 200 of them copies of training images 0..199 with some noise."""
    rng = np.random.default_rng(0)
    images = digits.items[np.r_[0:200, 1000:1100]].astype(int)
    return np.clip(images + rng.normal(0, 12, images.shape).round(), 0, 255).astype(np.uint8)


def test_four_rows_by_hand():
    metric = MemorizationRate(TRAINING)
    assert metric.update(GENERATED) is None
    rate = metric.compute()
    assert (rate.count, rate.total, rate.value, rate.confidence) == (3, 4, 0.75, 0.95)
    assert rate == rote.wilson(3, 4)


def test_the_default_radius_is_that_of_an_audit(digits):
    training, holdout = digits.take(range(300)), digits.take(range(300, 400))
    found = rote.audit(holdout, training, positive_control=0, training_sample=0, device="cpu")
    monitor = MemorizationMonitor(training, test=OnsetTest(null_rate=0.001), every_images=1)
    assert found.settings.duplicate_rms > 0
    assert MemorizationRate(training).state["duplicate_rms"] == found.settings.duplicate_rms
    told = monitor.to_json()
    assert told["training"]["duplicate_rms"] == told["collapse_rms"] == found.settings.duplicate_rms
    assert told["criterion"]["ratio_threshold"] == float(found.criterion.fraction)


def test_reset_forgets_the_images_and_compute_needs_some():
    metric = MemorizationRate(TRAINING)
    with pytest.raises(DataError, match=r"call update\(images\) first"):
        metric.compute()
    metric.update(GENERATED)
    metric.reset()
    with pytest.raises(DataError, match="no images"):
        metric.compute()
    metric.update(GENERATED[:1])
    assert metric.compute().total == 1


def test_calling_it_gives_the_rate_of_the_batch_and_counts_it():
    metric = MemorizationRate(TRAINING)
    assert metric(GENERATED[:2]).value == 1
    assert metric(GENERATED[2:]).value == 0.5
    assert metric(GENERATED[:0]) is None
    assert metric.compute().count == 3


@pytest.mark.parametrize("size", [1, 7, 64, 300])
def test_order_and_batches_do_not_matter(digits, noisy, size):
    training = digits.take(np.arange(1000))
    expected = audit(Dataset(noisy), training).rate
    assert 0.2 < expected.value < 0.7
    order = np.random.default_rng(size).permutation(len(noisy))
    metric = MemorizationRate(training)
    for start in range(0, len(noisy), size):
        metric.update(noisy[order[start : start + size]])
    assert metric.compute() == expected


def test_the_prepared_search_gives_the_same_verdicts(digits, noisy, monkeypatch):
    training, noisy = digits.take(np.arange(300)), noisy[::3]
    plain = MemorizationRate(training)
    plain.update(noisy)
    monkeypatch.setattr(metric_module, "PREPARED_FROM", 1)
    prepared = MemorizationRate(training)
    prepared.update(noisy[:40])
    cascade = prepared._references._matcher._prepared
    prepared.update(noisy[40:])
    assert cascade is not None
    assert prepared._references._matcher._prepared is cascade
    assert prepared.compute() == plain.compute()


@pytest.mark.parametrize("color", [1, 3])
def test_every_form_of_the_same_images_gives_the_same_rate(digits, noisy, color):
    def channels(images):
        return np.repeat(images, color, axis=3)

    training, images = channels(digits.items[:1000]), channels(noisy)
    u8 = torch.from_numpy(images).permute(0, 3, 1, 2)
    expected = MemorizationRate(training)
    expected.update(images)
    forms = [
        (u8, None),
        (u8.float() / 255, (0, 1)),
        (u8.double() / 127.5 - 1, (-1, 1)),
        (u8.float() / 127.5 - 1, (-1.0, 1.0)),
        ((u8.float() / 127.5 - 1).requires_grad_(), (-1, 1)),
        (images.astype(np.float32) / 255, (0, 1)),
        (np.asfortranarray(images), None),
    ]
    for form, value_range in forms:
        metric = MemorizationRate(torch.from_numpy(training).permute(0, 3, 1, 2))
        metric.update(form, value_range=value_range)
        assert metric.compute() == expected.compute()
    by_metric = MemorizationRate(training, value_range=(0, 1))
    by_metric.update(u8.float() / 255)
    by_metric.update(u8.float() / 127.5 - 1, value_range=(-1, 1))
    assert by_metric.compute().count == 2 * expected.compute().count


def test_training_may_be_floats_of_a_said_range(digits, noisy):
    tensor = digits.tensor()[:1000].float() / 127.5 - 1
    metric = MemorizationRate(tensor, value_range=(-1, 1))
    metric.update(noisy)
    plain = MemorizationRate(digits.items[:1000])
    plain.update(noisy)
    assert metric.state == plain.state


def test_a_doubled_training_set_and_its_perfect_copier():
    metric = MemorizationRate(np.concatenate([TRAINING, TRAINING]))
    metric.update(TRAINING)
    assert metric.compute().value == 1


def test_near_duplicates_in_training_hide_no_copies(digits, noisy):
    """Every training image has a twin nearby, as JPEG would make one; so has a real monitor's."""
    images = digits.items[:200]
    twins = np.clip(
        images.astype(int) + np.random.default_rng(1).integers(-4, 5, images.shape), 0, 255
    )
    training = np.concatenate([images, twins.astype(np.uint8)])
    rates = []
    for rms in (0.0, 10.0):
        metric = MemorizationRate(training, duplicate_rms=rms)
        metric.update(noisy)
        rates.append(metric.compute())
        assert rates[-1] == audit(Dataset(noisy), Dataset(training), duplicate_rms=rms).rate
    metric = MemorizationRate(training)
    metric.update(noisy)
    assert rates[0].value < 0.1
    assert rates[1].value > 0.3
    assert metric.compute() == rates[1]


def test_every_option_changes_the_answer():
    strict = MemorizationRate(TRAINING, criterion=RatioCriterion(0.1), confidence=0.5)
    strict.update(GENERATED)
    rate = strict.compute()
    assert (rate.count, rate.confidence) == (1, 0.5)


def test_states_of_several_processes_are_merged():
    parts = [MemorizationRate(TRAINING) for _ in range(3)]
    for part, images in zip(parts, (GENERATED[:1], GENERATED[1:], GENERATED[:0]), strict=True):
        part.update(images)
    parts[0].merge_state(parts[1])
    parts[0].merge_state(json.loads(json.dumps(parts[2].state)))
    assert parts[0].compute() == rote.wilson(3, 4)


def test_states_of_other_references_or_criteria_are_not():
    metric = MemorizationRate(TRAINING)
    with pytest.raises(ConfigError, match="the training of the other state"):
        metric.merge_state(MemorizationRate(TRAINING[:3]))
    with pytest.raises(ConfigError, match="the criterion of the other state"):
        metric.merge_state(MemorizationRate(TRAINING, criterion=RatioCriterion(0.5)))
    with pytest.raises(ConfigError, match="the training of the other state is None"):
        metric.merge_state({})


def test_floats_without_a_range_are_an_error(digits):
    metric = MemorizationRate(digits)
    with pytest.raises(DataError, match=r"say value_range=\(-1, 1\) or \(0, 1\)"):
        metric.update(digits.tensor()[:4].float())
    with pytest.raises(DataError, match="training are torch"):
        MemorizationRate(digits.tensor().float())


@pytest.mark.parametrize(
    ("change", "said", "guess"),
    [
        (lambda u: u.float() / 255, (-1, 1), r"\[0, 1\]"),
        (lambda u: u.float() / 127.5 - 1, (0, 1), r"\[-1, 1\]"),
        (lambda u: u.float(), (0, 1), r"\[0, 255\]"),
        (lambda u: u.float(), (-1, 1), r"\[0, 255\]"),
        (lambda u: (u.float() / 255).to(torch.uint8), None, r"\[0, 1\] cut to whole numbers"),
    ],
)
def test_a_wrong_range_is_an_error_and_not_a_rate_of_zero(digits, change, said, guess):
    metric = MemorizationRate(digits)
    with pytest.raises(DataError, match=rf"looks like {guess}; a wrong range") as found:
        metric.update(change(digits.tensor()[:100]), value_range=said)
    assert "\n" not in str(found.value)


def test_values_beyond_the_range_are_what_early_training_gives(digits):
    """They are clipped as a display would; no error ends a training for it."""
    metric = MemorizationRate(digits)
    generator = torch.Generator().manual_seed(0)
    metric.update(torch.randn(64, 1, 8, 8, generator=generator) * 10, value_range=(-1, 1))
    metric.update(torch.zeros(64, 1, 8, 8), value_range=(-1, 1))
    metric.update(torch.zeros(64, 1, 8, 8, dtype=torch.uint8))
    assert metric.compute().total == 192


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((4, 8, 8), np.uint8), r"numpy \(N, height, width, channels\)"),
        ([[1, 2]], "images are list; numpy"),
        (np.zeros((4, 9, 8, 1), np.uint8), "training images are 8x8 pixels in 1 channels"),
        (np.zeros((4, 1, 8, 8), np.uint8), r"\(numpy: \(N, H, W, C\), torch: \(N, C, H, W\)\)"),
        (torch.zeros(4, 8, 8, 1, dtype=torch.uint8), r"images have shape \(4, 8, 8, 1\)"),
        (torch.zeros(4, 3, 8, 8, dtype=torch.uint8), "8x8 pixels in 3 channels"),
        (torch.zeros(4, 1, 8, 8, dtype=torch.int64), "convert them to uint8"),
        (torch.full((4, 1, 8, 8), torch.nan), "4 of 4 samples hold NaN"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(digits, images, message):
    metric = MemorizationRate(digits, value_range=(-1, 1))
    with pytest.raises(DataError, match=message) as found:
        metric.update(images)
    assert "\n" not in str(found.value)


def test_arguments_out_of_range(digits):
    with pytest.raises(ConfigError, match="confidence is 2"):
        MemorizationRate(digits, confidence=2)
    with pytest.raises(ConfigError, match=r"value_range is \(0, 255\)"):
        MemorizationRate(digits, value_range=(0, 255))
    with pytest.raises(ConfigError, match=r"value_range is \(0, 2\)"):
        MemorizationRate(digits).update(digits.items, value_range=(0, 2))
    with pytest.raises(ConfigError, match='device is "gpu"'):
        MemorizationRate(digits, device="gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="torch sees no CUDA device"):
            MemorizationRate(digits, device="cuda")
    with pytest.raises(DataError, match="training has 1 distinct images"):
        MemorizationRate(np.repeat(TRAINING[:1], 5, axis=0))
    with pytest.raises(DataError, match="training holds vectors"):
        MemorizationRate(load_images("iris"))


def test_the_caller_keeps_its_images(digits):
    images = digits.tensor()[:8].float() / 127.5 - 1
    before = images.clone()
    MemorizationRate(digits, value_range=(-1, 1)).update(images)
    assert torch.equal(images, before)


@pytest.mark.cuda
def test_on_a_gpu_the_rate_is_the_same(digits, noisy):
    plain, on_gpu = MemorizationRate(digits), MemorizationRate(digits, device="cuda")
    plain.update(noisy)
    on_gpu.update(torch.from_numpy(noisy).permute(0, 3, 1, 2).cuda())
    assert plain.compute() == on_gpu.compute()


WRONG = [
    (lambda u: u.float() / 255, (-1, 1)),
    (lambda u: u.float() / 127.5 - 1, (0, 1)),
    (lambda u: u.float(), (-1, 1)),
    (lambda u: (u.float() / 255).to(torch.uint8), None),
    (lambda u: (u.float() / 255).permute(0, 2, 3, 1).numpy(), (-1, 1)),
]


@pytest.mark.parametrize("size", [1, 3, 8])
@pytest.mark.parametrize(("change", "said"), WRONG)
def test_a_wrong_range_is_an_error_whatever_the_size_of_batches(digits, change, said, size):
    metric = MemorizationRate(digits, value_range=said)
    copies = change(digits.tensor()[:64])

    def feed():
        for start in range(0, len(copies), size):
            metric.update(copies[start : start + size])

    with pytest.raises(DataError, match="a wrong range finds no copies at all"):
        feed()
    with pytest.raises(DataError, match="a wrong range finds no copies at all"):
        metric.compute()
    metric.reset()
    metric.update(digits.items[:8])
    assert metric.compute().count == 8


@pytest.mark.parametrize(("change", "said"), WRONG)
def test_a_wrong_range_of_few_images_is_an_error_at_the_end(digits, change, said):
    metric = MemorizationRate(digits, value_range=said)
    metric.update(change(digits.tensor()[:4]))
    with pytest.raises(DataError, match="4 of them run from"):
        metric.compute()
    other = MemorizationRate(digits, value_range=said)
    other.merge_state(json.loads(json.dumps(metric.state)))
    with pytest.raises(DataError, match="4 of them run from"):
        other.compute()


def test_a_last_short_batch_of_another_range_is_seen(digits):
    metric = MemorizationRate(digits)
    metric.update(digits.tensor()[:64].float() / 127.5 - 1, value_range=(-1, 1))
    metric.update(digits.tensor()[64:70].float() / 255, value_range=(-1, 1))
    with pytest.raises(DataError, match=r"6 of them .* looks like \[0, 1\]"):
        metric.compute()


def test_few_bright_images_are_no_wrong_range():
    """Of training images that are bright half of the time, three bright ones say nothing."""
    rng = np.random.default_rng(0)
    bright = rng.integers(140, 256, (50, 8, 8, 1), dtype=np.uint8)
    training = np.concatenate([bright, rng.integers(0, 256, (50, 8, 8, 1), dtype=np.uint8)])
    metric = MemorizationRate(training, value_range=(-1, 1))
    metric.update((bright[:3] / 127.5 - 1).astype(np.float32))
    assert metric.compute().count == 3
