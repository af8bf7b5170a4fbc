"""The sizes that a search may train: a grid over log(size)."""

from __future__ import annotations

from rote.core.errors import ConfigError, DataError
from rote.data.dataset import Dataset
from rote.experiments.config import SearchConfig


def search_sizes(dataset: Dataset, search: SearchConfig) -> list[int]:
    """Return all sizes that a search may train on a data set, ascending.

    Raises
    ------
    DataError
        If subsets shall be balanced and the data has no classes.
    ConfigError
        As `size_grid`.
    """
    if search.stratify and not dataset.classes:
        raise DataError(
            f"{dataset.source} has no classes, so subsets cannot be balanced; set "
            "search.stratify=false or give a source with classes"
        )
    multiple = len(dataset.classes) if search.stratify else 1
    return size_grid(search, available=len(dataset), multiple=multiple)


def size_grid(search: SearchConfig, *, available: int, multiple: int = 1) -> list[int]:
    """Return all sizes that the search may train, ascending.

    They are start * 2^(i / steps_per_octave), rounded to a multiple of ``multiple`` (the number of
    classes when subsets are balanced), within [min_size, max_size] and the data; the largest
    possible size is always among them.

    Raises
    ------
    ConfigError
        If the data is too small for any size.

    >>> size_grid(SearchConfig(start=8, min_size=4, steps_per_octave=1), available=50)
    [4, 8, 16, 32, 50]
    """
    largest = min(available, search.max_size or available) // multiple * multiple
    smallest = max(search.min_size, 2)
    smallest = -(-smallest // multiple) * multiple
    # What to change depends on what is the limit: the data, or a setting.
    cut = search.max_size is not None and search.max_size < available
    limit = "search.max_size allows" if cut else "the data has"
    more = "raise search.max_size" if cut else "give more data"
    if largest < smallest:
        raise ConfigError(
            f"the search needs at least {smallest} training items and {limit} {largest}; {more}, or "
            "lower search.min_size"
        )
    if search.start > largest:
        raise ConfigError(
            f"search.start is {search.start}, but {limit} {largest} training items; {more}, or lower "
            "search.start"
        )
    sizes = {largest}
    for direction in (1, -1):
        step = 0
        while True:
            exact = search.start * 2.0 ** (direction * step / search.steps_per_octave)
            size = round(exact / multiple) * multiple
            step += 1
            if size > largest or (direction < 0 and size < smallest):
                break
            if size >= smallest:  # a start below the smallest size climbs to it
                sizes.add(size)
    return sorted(sizes)
