"""Carlini's calibrated L2 and the tile-wise maximum by hand."""

import numpy as np
import pytest

from rote.core.errors import ConfigError
from rote.memorization.audit.gate import decide
from rote.memorization.criteria import CarliniCriterion, TileCriterion, check_criteria
from rote.stats.rates import wilson

MATCHES = None  # these rules need none beside the score


def test_carlini_by_hand():
    # distances 3, 5, 10: mean 6, half of it 3: the score is 1, and strictly below is memorized
    criterion = CarliniCriterion(neighbors=3)
    score = criterion.of_distances(np.array([[9, 25, 100], [4, 25, 100], [0, 0, 0]]))
    assert score.tolist() == [1.0, pytest.approx(2 / (17 / 6)), 0.0]
    assert criterion.verdict(score, MATCHES).tolist() == [False, True, True]
    strict = CarliniCriterion(neighbors=3, alpha=0.3)
    score = strict.of_distances(np.array([[9, 25, 100], [4, 25, 100], [0, 0, 0]]))
    assert strict.verdict(score, MATCHES).tolist() == [
        False,
        False,
        True,
    ]  # 2 against 0.3 * 17 / 3 = 1.7


def test_one_far_tile_is_enough():
    query = np.zeros((1, 8, 8, 1), np.uint8)
    references = np.zeros((3, 8, 8, 1), np.uint8)
    references[0, :2, :2] = 40  # one tile of 2x2 is 40 off, the rest equal: RMS over all 10
    references[1] = 30  # every tile 30 off
    references[2] = 200
    criterion = TileCriterion()
    candidates = np.array([[0, 2]])
    assert criterion.of_images(query, references, candidates).tolist() == [40.0]
    assert criterion.of_images(query, references, np.array([[0, 1]])).tolist() == [30.0]
    assert criterion.verdict(np.array([38.24, 38.25]), MATCHES).tolist() == [True, False]


def test_tiles_of_sizes_that_do_not_divide():
    query = np.zeros((1, 6, 3, 3), np.uint8)
    far = query.copy()
    far[0, 5, 2] = 60  # tiles of the last row: pixel rows 4 and 5, one column each
    score = TileCriterion().of_images(query, far, np.array([[0]]))
    assert score[0] == pytest.approx(60 / 2**0.5)


def test_tiles_say_what_is_not_proven():
    # 100 values; the last candidate at RMS 30 (below the threshold) or 50 (above it)
    criterion = TileCriterion()
    score = np.array([20.0, 60.0, 60.0])
    farthest = np.array([100 * 30**2, 100 * 30**2, 100 * 50**2])
    assert criterion.may_change(score, farthest, 100).tolist() == [False, True, False]


def test_names_of_criteria():
    assert check_criteria(["tiles", "calibrated"]) == ("ratio", "calibrated", "tiles")
    with pytest.raises(ConfigError, match=r"`criterion` 'carlni' is unknown \(did you mean"):
        check_criteria(["carlni"])


@pytest.mark.parametrize(
    ("count", "total", "decision", "code"),
    [(0, 1000, "below", 0), (30, 1000, "above", 3), (8, 1000, "undecided", 4)],
)
def test_the_gate_decides_by_the_whole_interval(count, total, decision, code):
    gate = decide(wilson(count, total), 0.01, criterion="ratio")
    assert (gate.decision, gate.exit_code) == (decision, code)
    assert (gate.more_images is not None) == (decision == "undecided")


def test_the_gate_says_how_many_more():
    assert "8,508 more would decide" in decide(wilson(8, 1000), 0.01, criterion="r").sentence
    assert "rate is 0.01 itself" in decide(wilson(10, 1000), 0.01, criterion="r").sentence
    with pytest.raises(ConfigError, match=r"`fail_above` is 1;"):
        decide(wilson(10, 1000), 1.0, criterion="r")
