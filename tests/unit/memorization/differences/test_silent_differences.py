"""Silent differences: every change is named, honest sides are not."""

import numpy as np
import pytest
from picture_kinds import KINDS, changed

from rote.memorization.differences.silent_differences import coarse, find_silent_differences

CHANGES = {
    "channels-BGR": "reversed",
    "inverted": "negatives",
    "transposed": "rows and columns",
    "quarter-turn": "90 degrees",
    "half-turn": "180 degrees",
    "mirrored": "left to right",
    "upside-down": "upside down",
    "gamma": "gamma",
    "half-range": "written as",
    "video-range": "written as",
    "half-pixel": "half a pixel",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_change_is_named_or_does_no_harm(kind):
    training, fresh = KINDS[kind]()
    for name, words in CHANGES.items():
        copies = changed(name, training[:150])
        if copies is None:
            continue
        found = find_silent_differences(copies, training)
        recognized = find_silent_differences(training[:150], training)
        assert recognized == ()
        if found:
            assert words in found[0].words, (name, str(found[0]))
            assert found[0].copies_changed > found[0].copies
        else:
            # Nothing to name: the ruler itself sees these copies.
            differences = (training[None, :150].astype(int) - copies[:, None]).reshape(150, 150, -1)
            sq = np.sort((differences**2).sum(axis=2), axis=1)
            assert (9 * sq[:, 0] < sq[:, 1]).mean() > 0.9, name
    assert find_silent_differences(fresh, training) == ()


def test_a_fifth_of_changed_copies_is_enough():
    training, fresh = KINDS["digits"]()
    mixed = np.concatenate([training[:80, :, ::-1], fresh[:320]])
    (found,) = find_silent_differences(mixed, training)
    assert found.name == "mirrored"
    assert found.copies == 0
    assert find_silent_differences(mixed, training, leave_out=["mirrored"]) == ()


def test_sides_without_a_copy_that_come_together():
    training, fresh = KINDS["digits"]()
    found = find_silent_differences(255 - fresh, training)
    assert [one.name for one in found] == ["inverted"]
    assert "nearer" in str(found[0])


def test_duplicates_do_not_hide_a_change():
    training, _ = KINDS["digits"]()
    doubled = np.concatenate([training, training])
    group = np.tile(np.arange(len(training)), 2)
    (found,) = find_silent_differences(training[:100, ::-1], doubled, group=group)
    assert (found.name, found.copies_changed) == ("upside-down", 100)


def test_order_does_not_matter():
    training, fresh = KINDS["digits"]()
    mixed = np.concatenate([training[:80, :, ::-1], fresh[:320]])
    order = np.random.default_rng(0).permutation(len(mixed))
    assert find_silent_differences(mixed, training) == find_silent_differences(
        mixed[order], training
    )


def test_coarse_images_are_means():
    images = np.arange(2 * 16 * 12 * 1, dtype=np.uint8).reshape(2, 16, 12, 1)
    assert coarse(images).shape == (2, 8, 8, 1)
    flat = np.full((1, 33, 20, 3), 77, np.uint8)
    assert (coarse(flat) == 77).all()
    small = np.array([[[[3], [9]], [[5], [7]]]], np.uint8)
    assert np.array_equal(coarse(small), small)


def test_too_little_to_look_at():
    images = np.zeros((3, 8, 8, 1), np.uint8)
    assert find_silent_differences(images[:0], images) == ()
    assert find_silent_differences(images, images[:1]) == ()
    assert find_silent_differences(images, images) == ()
