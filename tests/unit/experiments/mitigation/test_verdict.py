"""Verdicts: planted cases, and how often nothing is taken for help."""

import numpy as np
import pytest

from rote.experiments.mitigation.verdict import Judged, verdict_of
from rote.memorization.audit.compare import mcnemar, newcombe_paired
from rote.metrics.precision_recall import Paired
from rote.stats.jackknife import Estimate


def shares(*values: float, count: int = 400) -> list[np.ndarray]:
    """Verdicts of which each share is true, the first ones."""
    return [np.arange(count) < round(value * count) for value in values]


def estimate(value: float, half: float = 0.03) -> Estimate:
    return Estimate(value, value - half, value + half, 0.95, "given")


def loss(after: float) -> dict[str, Paired]:
    return {"precision": Paired(estimate(0.9), estimate(after), estimate(0.9 - after))}


KEPT = loss(0.88)


def judged(first: tuple[float, float], second: tuple[float, float]) -> list[Judged]:
    return [Judged.of(n, *shares(*s)) for n, s in (("ratio", first), ("flip", second))]


@pytest.mark.parametrize(
    ("first", "second", "precision", "word", "why"),
    [
        ((0.86, 0.01), (0.9, 0.05), 0.86, "helps", "2 judges see fewer copies"),
        ((0.86, 0.01), (0.9, 0.9), 0.86, "evades", "flip still sees 0.9 of 0.9"),
        ((0.86, 0.01), (0.9, 0.998), 0.86, "evades", "flip still sees"),
        (
            (0.86, 0.01),
            (0.9, 0.75),
            0.86,
            "evades",
            "flip still sees",
        ),  # less than half of the fall
        ((0.86, 0.01), (0.9, 0.05), 0.3, "harms", "precision falls from 0.90 to 0.30"),
        ((0.86, 0.86), (0.9, 0.9), 0.3, "harms", "precision"),
        ((0.4, 0.66), (0.4, 0.66), 0.9, "harms", "more copies by ratio"),
        ((0.86, 0.86), (0.9, 0.9), 0.9, "undecided", "no fall of the rate by ratio"),
        ((0.86, 0.01), (0.0, 0.0), 0.9, "undecided", "no fall of the rate by flip"),
        ((0.86, 0.01), (0.9, 0.05), 0.79, "undecided", "whether precision stays within the margin"),
    ],
)
def test_planted_verdicts(first, second, precision, word, why) -> None:
    found = verdict_of(judged(first, second), loss(precision), margin=0.1, alpha=0.05)
    assert found[0] == word
    assert why in found[1]


def test_a_fall_counts_beyond_what_a_judge_says_of_held_out_items() -> None:
    def found(control: float) -> str:
        first = Judged.of("ratio", *shares(0.86, 0.0))
        other = Judged.of("authenticity", *shares(1.0, 0.6), control=control)
        return verdict_of([first, other], KEPT, margin=0.1, alpha=0.05)[0]

    assert (found(0.0), found(0.5)) == ("evades", "helps")


def test_one_judge_alone_never_says_that_a_remedy_helps() -> None:
    alone = judged((0.9, 0.0), (0.9, 0.0))[:1]
    assert verdict_of(alone, KEPT, margin=0.1, alpha=0.05)[0] == "undecided"


def test_what_does_nothing_seldom_seems_to_help() -> None:
    """2,000 remedies that draw anew from the same model: at most 5 % help, and nearly none harms."""
    rng, words = np.random.default_rng(0), []
    for _ in range(2000):
        rate = rng.uniform(0.02, 0.98)
        copied = rng.random((2, 300)) < rate
        seen = copied & (rng.random((2, 300)) < 0.9)  # the other judge is nearly of one mind
        both = [Judged.of("ratio", *copied), Judged.of("flip", *seen)]
        words.append(verdict_of(both, KEPT, margin=0.1, alpha=0.05)[0])
    assert words.count("helps") / 2000 <= 0.05
    assert words.count("undecided") / 2000 >= 0.9


def test_differences_are_those_of_compare() -> None:
    rng = np.random.default_rng(1)
    before, after = rng.random(500) < 0.5, rng.random(500) < 0.3
    found = Judged.of("ratio", before, after)
    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    both = int((before & after).sum())
    assert found.p_value == mcnemar(gained, lost)
    assert found.difference == newcombe_paired(both, gained, lost, 500 - both - gained - lost)
