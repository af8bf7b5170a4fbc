"""Other captions for the same items, to study what captions do: the class, one for all, random words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.core.seeds import child_seed
from rote.data.dataset import Dataset
from rote.data.messages import shown

Way = Literal["own", "class", "one", "random"]
WAYS: tuple[Way, ...] = get_args(Way)
ONE = "a picture"
"""The caption of all items, where they share one."""


def vocabulary(dataset: Dataset) -> tuple[str, ...]:
    """Return the words of all captions, each once, in the order of their letters.

    Raises
    ------
    DataError
        If an item has no caption.
    """
    check_captioned(dataset)
    return words_of(dataset.texts)


def words_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the words of texts, each once, in the order of their letters.

    >>> words_of(["the cat", "a cat"])
    ('a', 'cat', 'the')
    """
    return tuple(sorted({word for text in texts for word in text.split()}))


def with_captions(dataset: Dataset, way: Way, words: Sequence[str], *, seed: int) -> Dataset:
    """Return items with the captions of a way.

    Parameters
    ----------
    dataset
        N items.
    way
        "own": those that they have. "class": the name of the class. "one": `ONE` for all. "random": as
        many words as the own caption has, at least one, drawn anew for every item, equal ones too.
    words
        What random words are drawn from, such as `vocabulary` of the source.
    seed
        Of random words.

    Raises
    ------
    DataError
        If items have no labels, or there are no words.

    >>> items = Dataset(np.zeros((2, 1, 1, 1), np.uint8), captions=("a cat", "one"))
    >>> [with_captions(items, way, ["x"], seed=0).captions for way in ("one", "random")]
    [('a picture', 'a picture'), ('x x', 'x')]
    """
    if way == "one":
        return replace(dataset, captions=(ONE,) * len(dataset))
    if way == "class":
        if dataset.labels is None:
            raise DataError(
                f"{shown(dataset.source)} has no labels to name its items by; give a source with classes"
            )
        names = (dataset.classes[label] for label in dataset.labels.tolist())
        return replace(dataset, captions=tuple(map(str, names)))
    if way == "own":
        return dataset
    if not words:
        raise DataError(f"the captions of {shown(dataset.source)} hold no words to draw from")
    drawn = np.random.default_rng(child_seed(seed, "captions"))
    random = [
        " ".join(words[place] for place in drawn.integers(len(words), size=max(1, _length(text))))
        for text in dataset.captions
    ]
    return replace(dataset, captions=tuple(random))


def _length(text: str | None) -> int:
    return len((text or "").split())


def check_captioned(dataset: Dataset) -> None:
    """Refuse a data set that has items without a caption.

    Raises
    ------
    DataError
        One line.
    """
    missing = sum(text is None for text in dataset.captions or (None,) * len(dataset))
    if missing:
        raise DataError(
            f"{missing:,} of {len(dataset):,} items of {shown(dataset.source)} have no caption; caption "
            "every one"
        )


def caption_numbers(dataset: Dataset) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Return the number of each item's caption, int64 (N,), and the captions by number, first seen first.

    Raises
    ------
    DataError
        If an item has none.

    >>> items = Dataset(np.zeros((3, 1, 1, 1), np.uint8), captions=("b", "a", "b"))
    >>> numbers, texts = caption_numbers(items)
    >>> numbers.tolist(), texts
    ([0, 1, 0], ('b', 'a'))
    """
    check_captioned(dataset)
    order: dict[str, int] = {}
    numbers = [order.setdefault(text or "", len(order)) for text in dataset.captions]
    return np.array(numbers, np.int64), tuple(order)
