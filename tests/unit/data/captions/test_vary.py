"""Other captions for the same items: each way, and what each takes."""

from dataclasses import replace

import numpy as np
import pytest

from rote.core.errors import DataError
from rote.data.captions.vary import (
    WAYS,
    caption_numbers,
    vocabulary,
    with_captions,
)
from rote.data.dataset import Dataset

TEXTS = ("a red cat", "", "a dog", "a red cat")
ITEMS = Dataset(
    np.zeros((4, 1, 1, 1), np.uint8),
    labels=np.array([1, 1, 0, 1]),
    classes=("dog", "cat"),
    captions=TEXTS,
)


def captions(way, seed=0, items=ITEMS):
    words = vocabulary(items) if way == "random" else ()
    return with_captions(items, way, words, seed=seed).captions


def test_each_way_gives_its_captions():
    assert captions("own") == TEXTS
    assert captions("class") == ("cat", "cat", "dog", "cat")
    assert captions("one") == ("a picture",) * 4
    assert vocabulary(ITEMS) == ("a", "cat", "dog", "red")
    assert all(len(with_captions(ITEMS, way, ["x"], seed=0)) == 4 for way in WAYS)


def test_random_words_are_as_many_as_those_of_the_own_caption_and_differ_for_equal_ones():
    found = captions("random")
    assert [len(text.split()) for text in found] == [3, 1, 2, 3]
    assert {word for text in found for word in text.split()} <= set(vocabulary(ITEMS))
    assert found[0] != found[3]
    assert found == captions("random") != captions("random", seed=1)
    assert captions("random", items=ITEMS.take([0, 1]))[0].count(" ") == 2


def test_what_a_way_takes_is_asked_for_in_one_line():
    bare = Dataset(ITEMS.items)
    some = replace(ITEMS, captions=("a cat", None, "b", "c"))
    for items, way, message in [
        (bare, "class", "has no labels"),
        (bare, "random", "4 of 4 items of array have no caption"),
        (some, "random", "1 of 4 items"),
        (replace(ITEMS, captions=("",) * 4), "random", "hold no words"),
    ]:
        with pytest.raises(DataError, match=message):
            captions(way, items=items)
    with pytest.raises(DataError, match="1 of 4 items"):
        caption_numbers(some)


def test_captions_have_numbers_and_a_digest():
    numbers, texts = caption_numbers(ITEMS)
    assert [texts[number] for number in numbers] == list(TEXTS) and len(texts) == 3
    assert Dataset(ITEMS.items).captions_digest is None
    others = [replace(ITEMS, captions=(*TEXTS[:3], last)) for last in ("a cat", None, "None")]
    digests = [items.captions_digest for items in (ITEMS, *others)]
    assert len(set(digests)) == 4
