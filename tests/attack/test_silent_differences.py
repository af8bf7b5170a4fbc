"""Silent differences reach every ruler: audit, metric and monitor name them or see through them."""

import warnings

import numpy as np
import pytest
from picture_kinds import KINDS, changed

import rote
from rote.core.errors import RoteWarning
from rote.data.dataset import Dataset
from rote.memorization.differences import silent_differences
from rote.memorization.monitor.options import OnsetTest

CELLS = [
    ("photographs", "channels-BGR"),
    ("photographs", "gamma"),
    ("digits", "inverted"),
    ("digits", "half-range"),
    ("faint objects", "transposed"),
    ("faint objects", "half-pixel"),
    ("icons", "quarter-turn"),
    ("icons", "video-range"),
]
"""Each kind of picture, and each family of differences, twice over."""


@pytest.fixture(scope="module")
def sides():
    return {kind: tuple(side[:300] for side in make()) for kind, make in KINDS.items()}


def by_audit(training, images):
    found = rote.audit(
        Dataset(images), Dataset(training), positive_control=0, training_sample=0, device="cpu"
    )
    return found.rate, [notice.text for notice in found.notices]


def by_metric(training, images):
    metric = rote.MemorizationRate(training)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for start in range(0, len(images), 7):
            metric.update(images[start : start + 7])
        rate = metric.compute()
    # Said as soon as the sample is full, with the numbers of then.
    for one, notice in zip(told, metric.notices, strict=True):
        assert notice.numbers["words"] in str(one.message)
    return rate, [notice.text for notice in metric.notices]


def by_monitor(training, images):
    monitor = rote.MemorizationMonitor(
        training, test=OnsetTest(null_rate=0.001), every_images=1, samples=len(images), batch=50
    )
    parts = iter(np.split(images, range(50, len(images), 50)))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        (check,) = monitor(1, lambda num, seed: next(parts))
    assert [str(one.message) for one in told] == [notice.text for notice in monitor.notices]
    assert check.notices == monitor.notices
    assert all(notice.text in str(check) for notice in check.notices)
    return check.memorized, [str(one.message) for one in told]


RULERS = (by_audit, by_metric, by_monitor)


@pytest.mark.parametrize(("kind", "name"), CELLS)
def test_each_ruler_is_right_or_names_it_in_the_same_words(sides, kind, name):
    training, _ = sides[kind]
    copies = changed(name, training[:150])
    rates, texts = zip(*(ruler(training, copies) for ruler in RULERS), strict=True)
    assert rates[0] == rates[1] == rates[2]
    assert texts[0] == texts[1] == texts[2]
    if rates[0].value < 0.9:
        assert "are both sides read alike?" in texts[0][0]
        assert "generated images looked at" in texts[0][0]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_said_of_honest_images(sides, kind):
    training, fresh = sides[kind]
    for ruler in (by_metric, by_monitor):
        assert ruler(training, fresh)[1] == []
        assert ruler(training, training[:150])[1] == []


def test_a_large_training_side_is_searched_in_two_steps(sides, monkeypatch):
    training, _ = sides["icons"]
    copies = changed("mirrored", training[:60])
    plain = by_metric(training, copies)
    monkeypatch.setattr(silent_differences, "PREPARED_FROM", 1)
    assert by_metric(training, copies) == plain
    assert "60 are copies of training images mirrored" in plain[1][0]


def test_large_pictures_are_looked_at_in_blocks(sides):
    training = sides["photographs"][0][:60].repeat(3, axis=1).repeat(3, axis=2)
    _, texts = by_metric(training, changed("quarter-turn", training[:30]))
    assert "30 are copies of training images turned by 90 degrees" in texts[0]


def test_parts_of_several_processes_are_looked_at_together(sides):
    training, _ = sides["digits"]
    copies = changed("mirrored", training[:20])
    parts = [rote.MemorizationRate(training) for _ in range(10)]
    for part, images in zip(parts, np.split(copies, 10), strict=True):
        part.update(images)
        part.compute()  # two images say nothing
    for part in parts[1:]:
        parts[0].merge_state(part.state)
    with pytest.warns(RoteWarning, match="20 are copies of training images mirrored"):
        parts[0].compute()


def test_checks_of_few_images_are_looked_at_together(sides):
    training, _ = sides["digits"]
    copies = changed("inverted", training)
    monitor = rote.MemorizationMonitor(
        training, test=OnsetTest(null_rate=0.001), every_images=1, samples=8
    )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for seen in range(1, 6):
            monitor(
                seen, lambda num, seed: copies[np.random.default_rng(seed).permutation(300)[:num]]
            )
    assert [one.category for one in told] == [RoteWarning]  # once
    assert told[0].filename == __file__
    assert monitor.begun is None
    assert monitor.notices[0].numbers["name"] == "inverted"
    assert monitor.to_json()["notices"] == [notice.to_json() for notice in monitor.notices]


def test_the_file_of_a_monitor_keeps_what_was_said(sides, tmp_path):
    training, _ = sides["digits"]
    copies = changed("inverted", training)
    for _ in range(2):
        monitor = rote.MemorizationMonitor(
            training,
            every_images=1,
            samples=100,
            out=tmp_path / "monitor.jsonl",
            test=OnsetTest(null_rate=0.001),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            monitor(1, lambda num, seed: copies[:num])
        assert monitor.notices[0].numbers["copies_changed"] == 100
    assert '"notices": [{"topic": "difference"' in (tmp_path / "monitor.jsonl").read_text()


def test_reset_forgets_the_sample(sides):
    training, fresh = sides["digits"]
    metric = rote.MemorizationRate(training)
    with pytest.warns(RoteWarning, match="mirrored"):
        metric.update(changed("mirrored", training[:150]))
    metric.reset()
    assert metric.notices == ()
    metric.update(fresh)
    assert metric.compute().value < 0.1
