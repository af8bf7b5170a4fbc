"""Variants of a training set: classes, two sources, repeated images, resolution."""

from dataclasses import replace

import numpy as np
import pytest

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.data.variants import Variant, combine, draw_variant, halves


def rows(dataset):
    return {image.tobytes() for image in dataset.items}


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


def test_the_default_is_the_plain_subset(digits):
    found = draw_variant(digits, Variant(), 50, seed=3)
    assert np.array_equal(found.dataset.items, digits.subset(50, seed=3).items)
    assert not found.repeated.any()


@pytest.mark.parametrize("classes", [1, 2, 5, 10])
def test_classes_have_equal_shares_of_the_same_total(digits, classes):
    found = draw_variant(digits, Variant(classes=classes), 60, seed=0).dataset
    assert np.bincount(found.labels, minlength=10).tolist() == (
        [60 // classes] * classes + [0] * (10 - classes)
    )


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("given", [True, False])
def test_two_sources_are_mixed_in_the_share_asked_for(digits, share, given):
    near, far = (digits.take(part) for part in halves(digits, np.arange(len(digits))))
    both, second_at = (combine(near, far), len(near)) if given else (digits, None)
    variant = Variant(second_share=share, second_class=5)
    found = draw_variant(both, variant, 40, seed=1, second_at=second_at).dataset
    assert set(found.labels) == {5}
    assert sum(image.tobytes() in rows(far) for image in found.items) == round(40 * share)


def test_a_second_source_does_not_change_plain_subsets(digits):
    other = digits.subset(100, seed=9)
    both = draw_variant(combine(digits, other), Variant(), 30, seed=2, second_at=len(digits))
    alone = draw_variant(digits, Variant(), 30, seed=2)
    assert np.array_equal(both.dataset.items, alone.dataset.items)


def test_the_two_halves_of_a_class_lie_near_and_far(digits):
    near, far = (digits.take(part) for part in halves(digits, np.arange(len(digits))))
    assert len(near) + len(far) == len(digits)
    for label in range(10):
        values = digits.items[digits.labels == label].reshape(-1, 64).astype(float)
        near_away, far_away = (
            ((part.items[part.labels == label].reshape(-1, 64) - values.mean(0)) ** 2).sum(1)
            for part in (near, far)
        )
        assert near_away.max() <= far_away.min()


def test_every_kth_image_is_there_r_times(digits):
    found = draw_variant(digits, Variant(every=4, times=3), 18, seed=0)
    plain = draw_variant(digits, Variant(), 18, seed=0)
    assert len(found.dataset) == 13 + 5 * 3
    assert rows(found.dataset) == rows(plain.dataset)
    assert found.repeated.sum() == 15
    _, counts = np.unique(found.dataset.items.reshape(-1, 64), axis=0, return_counts=True)
    assert sorted(counts) == [1] * 13 + [3] * 5


def test_rows_get_other_captions_and_a_variant_without_them_is_as_before(digits):
    texts = tuple(f"digit {label} {n}" for n, label in enumerate(digits.labels))
    told = replace(digits, captions=texts)
    own = draw_variant(told, Variant(every=4, times=3), 8, seed=0).dataset
    assert set(own.captions) <= set(texts) and len(set(own.captions)) == 8
    random = draw_variant(told, Variant(every=4, times=3, captions="random"), 8, seed=0).dataset
    assert np.array_equal(random.items, own.items)
    assert len(set(random.captions)) == 12, "rows of one image have other words"
    assert {len(text.split()) for text in random.captions} == {3}
    assert "captions" not in Variant().to_json(), "or runs that are there would be made anew"
    assert Variant(captions="one").to_json()["captions"] == "one"


def test_a_resolution_scales_the_images_drawn(digits):
    found = draw_variant(digits, Variant(resolution=4), 10, seed=0)
    assert found.dataset.shape == (1, 4, 4)


def test_a_training_set_knows_what_it_is_a_sample_of(digits):
    plain = draw_variant(digits, Variant(), 30, seed=2)
    assert np.array_equal(plain.population, np.arange(len(digits)))
    two = draw_variant(digits, Variant(classes=2), 30, seed=2)
    assert np.array_equal(two.population, np.flatnonzero(digits.labels < 2))
    near, far = halves(digits, np.flatnonzero(digits.labels == 5))
    for share, sources in ((0.0, near), (1.0, far)):
        mixed = draw_variant(digits, Variant(second_class=5, second_share=share), 20, seed=2)
        assert set(mixed.population) == set(sources)
    fifth = draw_variant(digits, Variant(second_class=5, second_share=0.2), 20, seed=2)
    assert np.isin(fifth.population, far).mean() == pytest.approx(0.2, abs=0.01)
    assert set(fifth.population) <= {*near, *far} and len(fifth.population) > 100
    both = combine(digits.take(near), digits.take(far))
    given = draw_variant(both, Variant(second_share=0.5), 20, seed=2, second_at=len(near))
    assert (given.population < len(near)).mean() == pytest.approx(0.5, abs=0.01)


def test_bad_input_is_one_line(digits):
    unlabeled = Dataset(digits.items)
    small = load_images("digits", resolution=4)
    for message, call in [
        ("has no labels", lambda: draw_variant(unlabeled, Variant(classes=2), 10, seed=0)),
        ("which has 10", lambda: draw_variant(digits, Variant(classes=11), 11, seed=0)),
        ("classes 0 to 9", lambda: draw_variant(digits, Variant(second_class=10), 10, seed=0)),
        ("`second` of", lambda: combine(digits, small)),
        ("choose a size from", lambda: draw_variant(digits, Variant(), 5000, seed=0)),
    ]:
        with pytest.raises(DataError, match=message):
            call()
