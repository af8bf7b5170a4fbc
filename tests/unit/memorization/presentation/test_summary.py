"""What an audit says of itself in a few lines."""

import re

import pytest

from rote.data.load import load_images
from rote.memorization.audit.audit import audit
from rote.memorization.presentation.summary import blind_spots, percent, sentences
from rote.stats.rates import wilson


@pytest.fixture(scope="module")
def found():
    digits = load_images("digits")
    return audit(digits.take(range(3)), digits.take(range(300)), positive_control=20, device="cpu")


def test_blind_spots_are_the_mildest_changes_that_half_of_the_copies_do_not_survive(found):
    cells = [(cell.kind, cell.recall["ratio"].value) for cell in found.positive]
    for spot in blind_spots(found):
        name, _, least = spot.partition(" from ")
        shares = [share for kind, share in cells if kind.name == name]
        strengths = [kind.strength for kind, _ in cells if kind.name == name]
        first = next(place for place, share in enumerate(shares) if share < 0.5)
        assert least == (f"{strengths[first]:g}" if len(strengths) > 1 else "")
    named = {spot.partition(" from ")[0] for spot in blind_spots(found)}
    assert named == {kind.name for kind, share in cells if share < 0.5}
    assert sentences(found)[-1].endswith(", ".join(blind_spots(found)))


@pytest.mark.parametrize(("count", "total"), [(0, 7), (7, 7), (1, 3000), (1, 2), (2999, 3000)])
def test_percentages_hold_two_digits_and_no_power_of_ten(count, total):
    rate = wilson(count, total)
    said = [float(part) for part in re.findall(r"([\d.]+) %", percent(rate))]
    for number, share in zip(said, (rate.value, rate.low, rate.high), strict=True):
        assert number == pytest.approx(100 * share, rel=0.06)
        assert 100 - number == pytest.approx(100 * (1 - share), rel=0.06)
