"""The setting that is taken, on cases that can be worked out by hand (Wilson's intervals of 100)."""

import pytest

from rote.experiments.mitigation.choice import Candidate, least_loss
from rote.stats.rates import wilson

# Of 100: 0 copies [0, .037], 2 [.0055, .0700], 8 [.0411, .1500], 3 [.0103, .0845], 30 [.2189, .3958].
# Against 0 copies, up to .037, 2 and 3 may be chance and 8 is not; against 2, up to .07, 8 may be, too.


def taken(*rows: tuple[int, float], margin: float = 0.1) -> int:
    """Return the place of the setting that is taken of (copies, loss)."""
    found = [Candidate(str(n), wilson(k, 100), lost) for n, (k, lost) in enumerate(rows)]
    return int(least_loss(found, margin=margin).setting)


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        (((0, 0.09), (2, 0.01), (30, -0.05)), 1),  # 2 copies may be chance, 30 are not
        (((0, 0.09), (8, 0.01)), 0),  # .0411 > .0370: told apart, whatever is lost
        (((2, 0.09), (8, 0.01)), 1),  # .0411 < .0700: not told apart, and less is lost
        (((0, 0.11), (30, 0.02)), 1),  # the margin comes first
        (((0, 0.11), (2, 0.09), (8, 0.01)), 2),  # what left does not set the lowest rate
        (((0, 0.10), (30, 0.02)), 0),  # a loss of the margin itself is within it
        (
            ((0, 0.3), (30, 0.2), (8, 0.25)),
            1,
        ),  # all lose too much: the least loss, whatever the rate
        (((3, 0.05), (2, 0.05), (0, 0.05)), 2),  # equal losses: the lower rate
        (((2, 0.05), (2, 0.05)), 0),  # all equal: the first
        (((30, 0.0),), 0),
    ],
)
def test_the_setting_of_the_rule(rows, place) -> None:
    assert taken(*rows) == place


def test_the_margin_and_every_part_of_the_rule_change_what_is_taken() -> None:
    rows = (0, 0.15), (2, 0.05), (30, -0.1)
    assert [taken(*rows, margin=m) for m in (0.2, 0.1, 0.0)] == [1, 1, 2]
    assert [taken((0, 0.15), (30, -0.1), margin=m) for m in (0.2, 0.1)] == [0, 1]


def test_the_order_of_the_settings_changes_nothing_but_full_ties() -> None:
    rows = [(0, 0.09), (2, 0.01), (8, 0.0), (30, -0.05)]
    for turn in range(4):
        turned = rows[turn:] + rows[:turn]
        assert turned[taken(*turned)] == (2, 0.01)
