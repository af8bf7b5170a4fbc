"""The sizes that a search may train: a grid over log(size)."""

from __future__ import annotations

from rote.core.errors import ConfigError
from rote.studies.config import SearchConfig


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
    if largest < smallest:
        raise ConfigError(
            f"the search needs at least {smallest} training items and has {largest}; give more "
            "data, or lower search.min_size"
        )
    if search.start > largest:
        raise ConfigError(
            f"search.start is {search.start}, but only {largest} items are available; lower it"
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
