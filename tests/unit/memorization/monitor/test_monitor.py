"""The monitor in loops of known outcome."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from rote.core.errors import ConfigError, DataError, RoteWarning, RunError
from rote.data.duplicates import exact_duplicates
from rote.data.load import load_images
from rote.memorization.duplicates import near_duplicates
from rote.memorization.monitor.check import Check, near_another
from rote.memorization.monitor.monitor import MemorizationMonitor
from rote.memorization.monitor.options import CopyRule, OnsetTest
from rote.stats.sequential import binomial_p_value, fisher_p_value, spent_alpha

STATED = OnsetTest(null_rate=0.001)


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


@pytest.fixture(scope="module")
def training(digits):
    return digits.take(np.arange(100))


@pytest.fixture(scope="module")
def rest(digits):
    return digits.take(np.arange(100, 1000))


@pytest.fixture(scope="module")
def model(digits, training):
    """A sampler that copies a share of its images and draws the others from unseen digits."""

    def at(share):
        def sampler(num, seed):
            rng = np.random.default_rng(seed)
            copies = training.items[rng.integers(100, size=num)]
            fresh = digits.items[rng.integers(1000, 1797, size=num)]
            return np.where(rng.random((num, 1, 1, 1)) < share, copies, fresh)

        return sampler

    return at


def run(monitor, sampler, *, until=1000, start=100):
    for images_seen in range(start, until + 1, 100):
        monitor(images_seen, sampler)
    return monitor


def test_a_copier_and_a_model_that_does_not_copy(training, rest, model):
    copier = run(
        MemorizationMonitor(training, holdout=rest, every_images=200, samples=50), model(1)
    )
    assert [check.images_seen for check in copier.curve] == [200, 400, 600, 800, 1000]
    assert [check.look for check in copier.curve] == [1, 2, 3, 4, 5]
    assert all(check.memorized.count == 50 for check in copier.curve)
    assert copier.begun == 200
    novel = run(MemorizationMonitor(training, holdout=rest, every_images=200, samples=50), model(0))
    assert all(check.memorized.count == 0 for check in novel.curve)
    assert novel.begun is None
    assert novel.begun_by == {"model": None}


def test_it_says_begun_at_the_check_after_copying_sets_in(training, rest, model):
    monitor = MemorizationMonitor(training, holdout=rest, every_images=100, samples=100)
    run(monitor, model(0), until=500)
    assert monitor.begun is None
    run(monitor, model(0.2), start=600)
    assert monitor.begun == 600


def test_each_check_is_tested_as_the_page_says(training, rest, model):
    monitor = MemorizationMonitor(
        training, holdout=rest, every_images=100, samples=80, test=OnsetTest(alpha=0.01)
    )
    run(monitor, {"raw": model(0.05), "ema": model(0)}, until=300)
    control = monitor.control
    assert control.total == 900
    for check in monitor.curve:
        assert check.p_value == fisher_p_value(
            check.memorized.count, 80, control_count=control.count, control_total=900
        )
        assert check.alpha == spent_alpha(0.01, check.images_seen // 100, sets=2)
    stated = MemorizationMonitor(
        training, every_images=100, samples=80, test=OnsetTest(null_rate=0.02)
    )
    run(stated, model(0.05), until=300)
    assert stated.control is None
    for check in stated.curve:
        assert check.p_value == binomial_p_value(check.memorized.count, 80, rate=0.02)
        assert check.alpha == spent_alpha(0.05, check.look)


def test_a_null_rate_of_zero_takes_one_copy_as_proof(training, model):
    strict = MemorizationMonitor(
        training, every_images=100, samples=100, test=OnsetTest(null_rate=0)
    )
    with pytest.warns(RoteWarning, match=r"`begun` rests on an assumption.*at most 0.001"):
        usual = MemorizationMonitor(training, every_images=100, samples=100)
    (said,) = usual.notices
    assert said.numbers == {"null_rate": 0.001, "assumed": True} and not said.doubtful
    assert usual.to_json()["notices"] == [said.to_json()] and strict.notices == ()
    for monitor in (strict, usual):
        monitor(100, model(0.01))
        assert monitor.curve[0].memorized.count == 1
    assert strict.begun == 100
    assert usual.begun is None


def test_three_classes_add_up_and_collapse_is_seen(training, rest, digits):
    def sampler(num, seed):
        # A quarter copies, half one and the same unseen digit, a quarter distinct unseen digits.
        some = num // 4
        return np.concatenate(
            [
                training.items[:some],
                np.repeat(digits.items[1500:1501], num - 2 * some, axis=0),
                digits.items[1600 : 1600 + some],
            ]
        )

    monitor = MemorizationMonitor(training, holdout=rest, every_images=1, samples=80)
    (check,) = monitor(1, sampler)
    counts = [check.memorized.count, check.collapsed.count, check.novel.count]
    assert counts == [20, 40, 20]
    assert str(check).startswith("1 images seen, model: memorized 0.25 [")


def test_collapse_by_hand():
    items = np.array([(0, 0), (0, 4), (0, 9), (200, 200), (200, 200), (200, 200)], np.uint8)
    items = items.reshape(-1, 1, 2, 1)
    # RMS differences: sqrt(16 / 2) = 2.83, sqrt(25 / 2) = 3.54, and the last three are equal.
    assert near_another(items, rms=3.6).tolist() == [True, True, True, True, True, True]
    assert near_another(items, rms=3).tolist() == [True, True, False, True, True, True]
    assert near_another(items, rms=8**0.5 - 1e-9).tolist() == [False] * 3 + [True] * 3
    assert near_another(items, rms=0).tolist() == [False] * 3 + [True] * 3
    assert near_another(items[:1], rms=255).tolist() == [False]


@pytest.mark.parametrize("rms", [0, 10, 30, 50])
def test_collapse_is_what_an_audit_calls_a_duplicate(digits, rms):
    rng = np.random.default_rng(0)
    items = digits.items[rng.integers(300, size=200)]
    expected = near_duplicates(items, exact_duplicates(items), rms=rms).repeated
    assert near_another(items, rms=rms).tolist() == expected.tolist()
    order = rng.permutation(200)
    assert near_another(items[order], rms=rms).tolist() == expected[order].tolist()


def test_the_collapse_radius_changes_the_answer(training, model):
    shares = [
        MemorizationMonitor(
            training, test=STATED, every_images=1, samples=200, rule=CopyRule(collapse_rms=rms)
        )(1, model(0))
        for rms in (0, 10, 60)
    ]
    counts = [check.collapsed.count for (check,) in shares]
    assert counts[0] <= counts[1] < counts[2]
    assert counts[0] > 0  # 200 of 797 digits drawn at random: some twice


def test_both_weights_get_the_same_fresh_seeds(training, model):
    seeds = {"raw": [], "ema": []}

    def watched(name):
        def sampler(num, seed):
            seeds[name].append((num, seed))
            return model(0)(num, seed)

        return sampler

    monitor = MemorizationMonitor(
        training, test=STATED, every_images=100, samples=50, batch=20, seed=3
    )
    run(monitor, {name: watched(name) for name in seeds}, until=200)
    assert [num for num, _ in seeds["raw"]] == [20, 20, 10, 20, 20, 10]
    assert seeds["raw"] == seeds["ema"]
    assert len({seed for _, seed in seeds["raw"]}) == 6
    again = MemorizationMonitor(
        training, test=STATED, every_images=100, samples=50, batch=20, seed=3
    )
    run(again, {"raw": model(0), "ema": model(0)}, until=200)
    assert again.curve == monitor.curve
    other = MemorizationMonitor(
        training, test=STATED, every_images=100, samples=50, batch=20, seed=4
    )
    run(other, {"raw": watched("raw"), "ema": model(0)}, until=200)
    assert not {seed for _, seed in seeds["ema"]} & {seed for _, seed in seeds["raw"][6:]}


def test_begun_is_that_of_the_first_weights_that_copy(training, rest, model):
    monitor = MemorizationMonitor(training, holdout=rest, every_images=100, samples=50)
    monitor(100, {"raw": model(0), "ema": model(0)})
    monitor(200, {"raw": model(0.5), "ema": model(0)})
    monitor(300, {"raw": model(0.5), "ema": model(0.5)})
    assert monitor.begun_by == {"raw": 200, "ema": 300}
    assert monitor.begun == 200


@pytest.mark.parametrize(
    ("stop_at", "stops"), [(None, [0, 0, 0, 0]), ("begun", [0, 1, 1, 1]), (0.4, [0, 0, 1, 1])]
)
def test_it_asks_the_loop_to_stop(training, rest, model, stop_at, stops):
    monitor = MemorizationMonitor(
        training, holdout=rest, every_images=1, samples=100, stop_at=stop_at
    )
    seen = []
    for number, share in enumerate([0, 0.3, 0.9, 0], start=1):
        monitor(number, model(share))
        seen.append(int(monitor.should_stop))
    assert seen == stops


def test_holdout_images_that_were_trained_on_are_no_control(training, digits):
    monitor = MemorizationMonitor(training, holdout=digits.items[50:300], every_images=1)
    assert monitor.control.total == 200
    assert monitor.to_json()["control"]["excluded"] == 50
    with pytest.raises(DataError, match="all of them equal to a training image"):
        MemorizationMonitor(training, holdout=training, every_images=1)


def test_only_due_calls_draw(training):
    monitor = MemorizationMonitor(training, test=STATED, every_images=100, samples=10)
    calls = []

    def sampler(num, seed):
        calls.append(num)
        return training.items[:num]

    for images_seen in (0, 64, 99, 128, 199, 250, 260, 1000, 1001):
        assert bool(monitor.due(images_seen)) == bool(monitor(images_seen, sampler))
    assert [check.images_seen for check in monitor.curve] == [128, 250, 1000]
    assert calls == [10, 10, 10]


def test_training_goes_on_as_without_a_check(training):
    monitor = MemorizationMonitor(
        training, test=STATED, every_images=1, samples=4, value_range=(-1, 1)
    )
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with torch.random.fork_rng(devices=[]):
        drawn = torch.randn(4, 1, 8, 8)
    calls = []

    def careless(num, seed):
        calls.append(torch.randn(num, 1, 8, 8))
        return calls[-1]

    monitor(1, careless)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(calls[0], drawn)


def test_what_the_sampler_raises_comes_through_with_a_note(training):
    monitor = MemorizationMonitor(training, test=STATED, every_images=100)

    def broken(num, seed):
        raise FloatingPointError("overflow")

    with pytest.raises(FloatingPointError, match="overflow") as found:
        monitor(300, {"ema": broken})
    assert found.value.__notes__ == ["raised by the sampler of 'ema' at 300 images seen"]
    assert monitor.curve == ()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (lambda num: np.zeros((num - 1, 8, 8, 1), np.uint8), "20 images were asked for, 19 came"),
        (lambda num: np.zeros((num, 8, 9, 1), np.uint8), "9x8 pixels in 1 channels"),
        (lambda num: torch.zeros(num, 1, 8, 8), "say value_range"),
        (lambda num: None, "are NoneType; numpy"),
        (lambda num: (torch.zeros(num, 1, 8, 8), ["a"] * num), 'a sampler for each: {"trained": f'),
        (lambda num: {"images": [], "text": []}, 'a sampler for each: {"trained": f'),
        (lambda num: [(None, "a")] * num, 'a sampler for each: {"trained": f'),
        (lambda num: [Image.new("L", (8, 8))] * num, r"np.stack\(\[np.asarray\(image\)"),
        (lambda num: SimpleNamespace(images=[]), r'give its \.images, .* output_type="np"'),
    ],
)
def test_what_the_sampler_returns_is_checked(training, images, message):
    monitor = MemorizationMonitor(training, test=STATED, every_images=1, samples=20)
    with pytest.raises(DataError, match=message) as found:
        monitor(1, lambda num, seed: images(num))
    assert str(found.value).startswith("samples of 'model' at 1 images seen")
    assert "\n" not in str(found.value)


def test_a_sampler_that_ignores_its_seed_is_found_out(training, digits):
    monitor = MemorizationMonitor(training, test=STATED, every_images=1, samples=40, batch=20)
    with pytest.raises(DataError, match="two seeds gave the same images"):
        monitor(1, lambda num, seed: digits.items[200 : 200 + num])
    (check,) = monitor(1, lambda num, seed: np.repeat(digits.items[200:201], num, axis=0))
    assert check.collapsed.value == 1  # one image for every seed is a finding, not a mistake


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every_images": 0}, "every_images is 0"),
        ({"samples": 0}, "samples is 0"),
        ({"batch": 0}, "batch is 0"),
        ({"stop_at": -0.1}, "stop_at is -0.1"),
        ({"stop_at": "end"}, 'stop_at is "end"'),
        (
            {"test": OnsetTest(null_rate=0.1), "holdout": np.zeros((2, 8, 8, 1), np.uint8)},
            "holdout or null_rate",
        ),
    ],
)
def test_arguments_out_of_range(training, arguments, message):
    with pytest.raises(ConfigError, match=message):
        MemorizationMonitor(training, **{"every_images": 100, **arguments})


@pytest.mark.parametrize(
    ("options", "arguments", "message"),
    [
        (OnsetTest, {"alpha": 0}, "alpha is 0"),
        (OnsetTest, {"alpha": 1.5}, "alpha is 1.5"),
        (OnsetTest, {"null_rate": 1.0}, "null_rate is 1.0"),
        (OnsetTest, {"confidence": 0}, "confidence is 0"),
        (CopyRule, {"collapse_rms": 300}, "collapse_rms is 300"),
    ],
)
def test_options_out_of_range(options, arguments, message):
    with pytest.raises(ConfigError, match=message):
        options(**arguments)


def test_the_sets_of_weights_cannot_change(training, model):
    monitor = MemorizationMonitor(training, test=STATED, every_images=1, samples=10)
    with pytest.raises(ConfigError, match="at least one expected"):
        monitor(1, {})
    monitor(1, {"raw": model(0), "ema": model(0)})
    monitor(2, {"ema": model(0), "raw": model(0)})
    with pytest.raises(ConfigError, match="cannot change"):
        monitor(3, model(0))


def make(training, rest, out, **others):
    return MemorizationMonitor(
        training, holdout=rest, every_images=100, samples=30, out=out, **others
    )


def test_a_resumed_curve_is_the_uninterrupted_one(training, rest, model, tmp_path):
    samplers = {"raw": model(0.1), "ema": model(0.05)}
    whole = run(make(training, rest, tmp_path / "whole.jsonl"), samplers)
    run(make(training, rest, tmp_path / "cut.jsonl"), samplers, until=500)
    resumed = make(training, rest, tmp_path / "cut.jsonl")
    assert len(resumed.curve) == 10
    run(
        resumed, samplers, start=300
    )  # from an earlier checkpoint: what is known is not drawn again
    assert resumed.curve == whole.curve
    assert resumed.to_json() == whole.to_json()
    assert (tmp_path / "cut.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.jsonl", "whole.jsonl"]


def test_the_file_is_one_json_object_a_line(training, rest, model, tmp_path):
    out = tmp_path / "deep" / "monitor.jsonl"
    monitor = run(make(training, rest, str(out)), model(1), until=300)
    head, *rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert head["format_version"] == 1
    assert (head["kind"], head["test"], head["spending"]) == (
        "monitor",
        "fisher",
        "alpha * 6 / (pi^2 i^2)",
    )
    assert [row["images_seen"] for row in rows] == [100, 200, 300]
    assert tuple(Check.from_json(row) for row in rows) == monitor.curve
    json.dumps(monitor.to_json(), allow_nan=False)


def test_a_training_that_begins_again_needs_a_new_file(training, rest, model, tmp_path):
    run(make(training, rest, tmp_path / "a.jsonl"), model(1), until=300)
    again = make(training, rest, tmp_path / "a.jsonl")
    with pytest.raises(RunError, match="holds checks up to 300 images seen, but training is at 64"):
        again(64, model(1))


def test_a_file_of_other_settings_is_not_continued(training, rest, model, tmp_path):
    out = tmp_path / "a.jsonl"
    run(make(training, rest, out), model(1), until=300)
    with pytest.raises(RunError, match=r"other settings \(alpha is 0.05 there and 0.01 here\)"):
        make(training, rest, out, test=OnsetTest(alpha=0.01))
    with pytest.raises(RunError, match="training is"):
        make(rest, training, out)
    make(training, rest, out, stop_at="begun")  # what to do with the curve is free
    for text in ("", '{"images_seen": 3}\n', "[1]\n"):
        out.write_text(text)
        with pytest.raises(RunError, match="is not a monitor's file"):
            make(training, rest, out)
    out.write_text("no json\n")
    with pytest.raises(RunError, match="cannot be read"):
        make(training, rest, out)


def test_a_file_that_cannot_be_written_is_one_line(training, rest, model):
    null = Path(os.devnull) / "monitor.jsonl"
    with pytest.raises(RunError, match="cannot write"):
        make(training, rest, null)(100, model(0))


@pytest.mark.parametrize(("samples", "batch"), [(40, 8), (8, None), (20, 3)])
def test_a_wrong_range_of_few_samples_or_small_batches_is_an_error(samples, batch):
    digits = load_images("digits")
    images = digits.tensor().float() / 255

    def sampler(num, seed):
        return images[
            torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:num]
        ]

    monitor = MemorizationMonitor(
        digits,
        every_images=100,
        samples=samples,
        batch=batch,
        value_range=(-1, 1),
        test=STATED,
    )
    with pytest.raises(DataError, match=r"looks like \[0, 1\]; a wrong range"):
        monitor(100, sampler)
    with pytest.raises(DataError, match="holdout were said to be"):
        MemorizationMonitor(digits, every_images=100, holdout=images[:5], value_range=(-1, 1))
