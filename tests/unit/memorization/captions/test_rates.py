"""Rates by caption, against counts by hand."""

import numpy as np

from rote.data.dataset import Dataset
from rote.memorization.captions.rates import caption_rates, csv_rows
from rote.stats.clustered import clustered_rate
from rote.stats.rates import wilson


def side(captions, repeats=None):
    items = np.zeros((len(captions), 2, 2, 1), np.uint8)
    held = None if repeats is None else np.array(repeats, np.int64)
    return Dataset(items, captions=tuple(captions), repeats=held)


def found(generated, training, memorized, nearest, group=None):
    return caption_rates(
        generated,
        training,
        memorized=np.array(memorized, bool),
        ratio=np.linspace(1, 0.5, len(memorized)),
        nearest=np.array(nearest, np.int64),
        group=np.arange(len(training)) if group is None else np.array(group, np.int64),
        confidence=0.9,
    )


TRAINING = side(["a cat", "A  Cat", "a dog", "", None])
GENERATED = side(["a cat", "a cat\n", "a dog", "a fox", "a fox", "", None])
MEMORIZED = [True, True, True, True, False, True, True]
NEAREST = [0, 2, 2, 1, 3, 3, 4]


def test_captions_are_trained_control_or_empty():
    rates = found(GENERATED, TRAINING, MEMORIZED, NEAREST)
    assert (rates.training_captions, rates.without) == (3, 1)
    trained, control, empty = (rates.sets[kind] for kind in ("trained", "control", "empty"))
    clustered = clustered_rate(np.ones(3, bool), np.array([0, 0, 1]), confidence=0.9)
    assert (trained.captions, trained.rate.count, trained.rate.total) == (2, 3, 3)
    assert (trained.rate.low, trained.rate.high) == (clustered.low, clustered.high)
    assert trained.rate.low < wilson(3, 3, confidence=0.9).low  # two captions, not three samples
    assert trained.own == 2  # the second cat copied the dog
    assert (control.rate, control.own) == (wilson(1, 2, confidence=0.9), 0)
    assert (empty.rate, empty.own) == (wilson(1, 1, confidence=0.9), 1)
    assert [(low, part.rate.count, part.captions) for low, _, part in rates.by_times] == [
        (1, 1, 1),
        (2, 2, 1),
    ]


def test_each_caption_has_its_rate_its_own_image_and_its_times():
    rates = found(GENERATED, TRAINING, MEMORIZED, NEAREST)
    told = {one.text: one for one in rates.captions}
    cat = told["a cat"]
    assert (cat.rate, cat.own, cat.times) == (wilson(2, 2, confidence=0.9), 1, 2)
    assert (cat.example, cat.training) == (1, 0)  # the lowest ratio; the first in training
    assert (told["a fox"].times, told["a fox"].training) == (0, -1)
    assert [one.text for one in rates.captions] == ["a cat", "", "a dog", "a fox"]
    rows = list(csv_rows(rates))
    assert rows[1] == ["a cat", 2, 2, "1", f"{cat.rate.low:.6g}", "1", 1, 2, 0, 1]
    assert len(rows) == 5 and len(set(map(len, rows))) == 1


def test_repeats_count_and_near_duplicates_are_the_same_image():
    training = side(["a", "b", "c"], repeats=[10, 1, 1])
    rates = found(side(["a", "b"]), training, [True, True], [1, 1], group=[0, 0, 1])
    assert [one.own for one in rates.captions] == [1, 1]
    assert {one.text: one.times for one in rates.captions} == {"a": 10, "b": 1}
    many = side([f"{n}" for n in range(20)], repeats=range(1, 21))
    rates = found(many, many, [True] * 20, range(20))
    assert [(low, high) for low, high, _ in rates.by_times] == [
        (1, 1), (2, 3), (4, 7), (8, 15), (16, 31),
    ]  # fmt: skip
    assert sum(part.rate.total for _, _, part in rates.by_times) == 20


def test_without_captions_there_is_nothing_and_without_those_of_training_no_sets():
    plain = Dataset(np.zeros((2, 2, 2, 1), np.uint8))
    assert found(plain, TRAINING, [True, False], [0, 1]) is None
    rates = found(side(["a", "b"]), plain, [True, False], [0, 1])
    assert (rates.sets, rates.by_times, rates.training_captions) == ({}, (), 0)
    assert [one.rate.count for one in rates.captions] == [1, 0]
