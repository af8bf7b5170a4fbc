"""Matching of series under delays, gains and polarity, against every delay tried one by one."""

import numpy as np
import pytest

from rote.memorization.alignment import AlignedMatcher, describe_delay, in_one_gain, most_delay
from rote.memorization.invariances import Invariances

RNG = np.random.default_rng(0)
TRAINING = RNG.normal(0, 0.5, (7, 21, 2)).astype(np.float32)


def matcher(**asked):
    return AlignedMatcher(
        TRAINING, positions=np.arange(7), group=np.arange(7), invariances=Invariances(**asked)
    )


def moved(series, delay):
    """Return a series moved on a line of three times its length, silent outside."""
    line = np.zeros((3 * len(series), series.shape[1]))
    line[len(series) + delay : 2 * len(series) + delay] = series
    return line


def brute_force(queries, *, shift=False, gain=False, polarity=False):
    def lines(items):
        found = items.astype(np.float64).swapaxes(1, 2)
        return (in_one_gain(found) if gain else found).swapaxes(1, 2)

    most = most_delay(queries.shape[1]) if shift else 0
    return np.array(
        [
            [
                min(
                    np.square(sign * moved(query, delay) - moved(reference, 0)).sum()
                    for delay in range(-most, most + 1)
                    for sign in ((1, -1) if polarity else (1,))
                )
                for reference in lines(TRAINING)
            ]
            for query in lines(queries)
        ]
    )


@pytest.mark.parametrize(
    "asked",
    [
        {"shift": True},
        {"gain": True},
        {"polarity": True},
        {"shift": True, "gain": True},
        {"shift": True, "gain": True, "polarity": True},
    ],
    ids=lambda asked: " ".join(asked),
)
def test_distances_are_those_of_every_delay_and_sign(asked):
    queries = RNG.normal(0, 0.5, (5, 21, 2)).astype(np.float32)
    found = matcher(**asked).nearest(queries, 7)
    wanted = brute_force(queries, **asked)
    order = np.argsort(wanted, axis=1, kind="stable")
    assert np.array_equal(found.indices, order)
    # float64 of 42 numbers: rounding of the sums alone.
    assert np.allclose(found.sq, np.take_along_axis(wanted, order, axis=1), rtol=1e-12, atol=0)


@pytest.mark.parametrize("delay", [5, -5])
def test_a_delayed_inverted_and_quieter_copy_is_found_at_nothing(delay):
    silent = np.zeros((1, 21, 2), np.float32)
    silent[0, 6:15] = TRAINING[3, 6:15]
    references = np.concatenate([TRAINING, silent])
    found = AlignedMatcher(
        references,
        positions=np.arange(8),
        group=np.arange(8),
        invariances=Invariances(shift=True, gain=True, polarity=True),
    ).nearest(-0.5 * np.roll(silent, delay, axis=1), 2)
    assert found.indices[0, 0] == 7
    assert found.sq[0, 0] < 1e-25
    assert describe_delay(int(found.transform[0, 0])) == f"moved by {-delay} times, inverted"


def test_an_exact_delayed_copy_lies_at_0():
    line = np.zeros((2, 21, 2), np.float32)
    line[:, 5:16] = TRAINING[:2, 5:16]
    found = AlignedMatcher(
        line, positions=np.arange(2), group=np.arange(2), invariances=Invariances(shift=True)
    ).nearest(np.roll(line, 4, axis=1), 2)
    assert found.indices[:, 0].tolist() == [0, 1]
    assert found.sq[:, 0].tolist() == [0, 0]


def test_silence_stays_silent():
    quiet = np.full((1, 1, 100), 1e-6)
    assert np.abs(in_one_gain(quiet)).max() <= 1e-4
