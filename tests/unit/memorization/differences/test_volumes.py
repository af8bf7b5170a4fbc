"""Silent differences of volumes: each is named, honest sides are not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom

from rote import audit
from rote.data.dataset import Dataset
from rote.memorization.differences.volumes import find_volume_differences

SIDE, COPIES = 16, 24


def densities(count, seed):
    """Return smooth bodies, each of its own form, as a scanner gives them: values from -400 to 400."""
    noise = np.random.default_rng(seed).normal(size=(count, SIDE, SIDE, SIDE))
    fields = gaussian_filter(noise, (0, 2, 2, 2))
    return 400 * fields / np.abs(fields).max(axis=(1, 2, 3), keepdims=True)


def seen(values, low=-300, high=300):
    """Return values through a window, with a little noise."""
    levels = (values - low) / (high - low) * 255
    levels = levels + np.random.default_rng(7).normal(0, 3, values.shape)
    return np.clip(levels, 0, 255).astype(np.uint8)[..., None]


def stretched(values, shares):
    """Return the middle of each volume, as large as the whole."""
    kept = [round(SIDE * share) for share in shares]
    first = [(SIDE - one) // 2 for one in kept]
    middle = values[:, *(slice(a, a + n) for a, n in zip(first, kept, strict=True))]
    factors = (1, *(SIDE / one for one in kept))
    return zoom(middle, factors, order=1, grid_mode=True, mode="nearest")


REAL = densities(60, 0)
MADE = REAL[:COPIES]
FRESH = densities(40, 1)


def differences(made, training=None, **more):
    """Look at one side and the other."""
    training = seen(REAL) if training is None else training
    rows = np.arange(len(training))
    return find_volume_differences(
        Dataset(made), Dataset(training), positions=rows, kin=rows[None], **more
    )


@pytest.mark.parametrize(
    ("made", "name", "words"),
    [
        (seen(MADE)[:, :, :, ::-1], "mirrored", "left and right"),
        (seen(MADE)[:, ::-1], "upside-down", "head and feet"),
        (seen(MADE).transpose(0, 3, 2, 1, 4), "axes-WHD", "width, height, depth"),
        (
            seen(MADE).transpose(0, 2, 3, 1, 4)[:, ::-1],
            "axes--HWD",
            "height turned round, width, depth",
        ),
        (255 - seen(MADE), "inverted", "negatives"),
        (seen(MADE, -1000, 1000), "window", "another window"),
        (seen(stretched(MADE, (0.7, 0.7, 0.7))), "cut", "middle 70%, or at 0.7 times"),
        (seen(stretched(MADE, (0.6, 1, 1))), "cut", "middle 60% along the depth"),
    ],
)
def test_every_difference_is_named(made, name, words):
    found = differences(made)[0]
    assert (found.name, found.sampled) == (name, COPIES) and words in str(found)
    assert found.copies < COPIES / 3 and found.copies_changed > 2 * COPIES / 3
    assert f"of {COPIES} generated volumes looked at, {found.copies_changed} are copies" in str(
        found
    )


def test_what_the_training_side_shows_within_a_wider_view():
    wide = stretched(REAL, (0.8, 0.8, 0.8))
    assert {one.name for one in differences(seen(MADE), seen(wide))} == {"wide"}


@pytest.mark.parametrize("made", [seen(MADE), seen(FRESH), seen(FRESH, -400, 200)])
def test_sides_that_differ_in_nothing_of_the_kind_are_not_named(made):
    assert differences(made) == ()


def test_what_matches_undo_needs_no_word():
    made = seen(MADE)[:, :, :, ::-1]
    assert differences(made, leave_out=("mirrored",)) == ()
    assert differences(made, leave_out=("tone", "window", "range"))[0].name == "mirrored"
    assert differences(seen(MADE, -1000, 1000), leave_out=("tone", "window", "range")) == ()


def test_an_audit_says_it_before_its_rate_and_decides_on_no_gate():
    made, training = Dataset(seen(MADE)[:, ::-1]), Dataset(seen(REAL))
    asked = {"positive_control": 0, "training_sample": 0, "device": "cpu"}
    found = audit(made, training, fail_above=0.5, **asked)
    (said,) = [notice for notice in found.notices if notice.topic == "difference"]
    assert said.doubtful and "head and feet exchanged" in said.text
    assert found.rate.count == 0 and found.gate.decision != "within"
