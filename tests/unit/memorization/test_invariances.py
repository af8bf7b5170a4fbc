"""Matched tones have units of their own: what has a radius in grey levels keeps it."""

import numpy as np
import pytest
from audits import ratio_audit as audit

from rote.data.dataset import Dataset
from rote.memorization.invariances import Invariances


@pytest.fixture(scope="module")
def sides():
    """Flat images of little contrast, near-copies of them (RMS 2), and others like them."""
    rng = np.random.default_rng(0)

    def flat(count):
        return np.clip(120 + 8 * rng.normal(size=(count, 16, 16, 1)), 0, 255).astype(np.uint8)

    low, other = flat(40), flat(60)
    near = np.clip(low.astype(int) + rng.integers(-3, 4, low.shape), 0, 255).astype(np.uint8)
    return tuple(Dataset(images) for images in (near, low, np.concatenate([near, other])))


@pytest.mark.parametrize("names", ["", "flip", "tone", "flip,tone", "shift,tone"])
def test_near_duplicates_are_counted_and_stay_in_the_control_whatever_is_undone(sides, names):
    near, low, holdout = sides
    found = audit(
        near, low, holdout=holdout, duplicate_rms=3.0, invariances=Invariances.parse(names)
    )
    assert found.leaks is not None and found.control is not None
    assert found.leaks.index.tolist() == list(range(40))
    assert found.leaks.nn1_index.tolist() == list(range(40))
    rms = np.sqrt(np.square(near.items.astype(int) - low.items).mean(axis=(1, 2, 3)))
    assert np.sqrt(found.leaks.sq / 256) == pytest.approx(rms)
    assert len(found.leaks.equal) == 0
    # All near ones are flagged, none of the others is.
    assert (found.control.count, found.control.total) == (40, 100)
    assert found.leaks.near_flagged == 40


@pytest.mark.parametrize("names", ["", "tone", "flip,tone"])
def test_the_absolute_threshold_is_in_grey_levels(sides, names):
    near, low, _ = sides
    found = audit(near, low, criterion=["absolute"], invariances=Invariances.parse(names))
    (result,) = (result for result in found.criteria if result.name == "absolute")
    assert result.rate is not None and result.rate.value == 1
    rms = np.sqrt(np.square(near.items.astype(int) - low.items).mean(axis=(1, 2, 3)))
    assert found.measured.scores["absolute"] == pytest.approx(rms)


def test_a_retoned_copy_leaks_when_tones_are_matched(sides):
    _, low, _ = sides
    brighter = Dataset(low.items + 40)
    plain = audit(brighter, low, holdout=brighter, duplicate_rms=3.0)
    toned = audit(
        brighter, low, holdout=brighter, duplicate_rms=3.0, invariances=Invariances(tone=True)
    )
    assert plain.leaks is not None and plain.leaks.near == 0
    assert toned.leaks is not None and (toned.leaks.exact, toned.leaks.near) == (0, 40)
