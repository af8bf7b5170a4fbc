"""Which sizes to train next: bracket by doubling, then bisect on a grid of log(size).

A pure function of the points so far, so a killed search that starts again asks for the same sizes,
and neither the number of workers nor the order in which they finish changes anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from rote.core.errors import ConfigError
from rote.core.stats import Rate
from rote.memorization.emm import bracket
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


def next_sizes(
    rates: Sequence[tuple[int, Rate]], search: SearchConfig, grid: Sequence[int]
) -> list[int]:
    """Return the sizes of the next round, or nothing when the search is done.

    It is done when no untrained size of the grid lies strictly within the bracket, and neither end of
    the bracket can be moved outwards.

    Parameters
    ----------
    rates
        The points so far: (size, rate).
    search
        The design.
    grid
        `size_grid`, ascending.
    """
    trained = sorted({size for size, _ in rates})
    octave = search.steps_per_octave
    if not trained:
        first = min(range(len(grid)), key=lambda i: abs(grid[i] - search.start))
        return list(grid[first::octave][: search.points_per_round]) or [grid[first]]
    found = bracket(rates, epsilon=search.epsilon)
    wanted: list[int] = []
    if found.high is None and trained[-1] < grid[-1]:
        top = grid.index(trained[-1])
        wanted.append(grid[min(top + octave, len(grid) - 1)])
    if found.low is None and trained[0] > grid[0]:
        bottom = grid.index(trained[0])
        wanted.append(grid[max(bottom - octave, 0)])
    low = found.low if found.low is not None else trained[0]
    high = found.high if found.high is not None else trained[-1]
    open_sizes = [size for size in grid if low < size < high and size not in trained]
    wanted += _spread(open_sizes, search.points_per_round - len(wanted))
    if search.fill_rounds and 0 < len(wanted) < search.points_per_round:
        outside = _outside(trained + wanted, grid, octave)
        wanted += outside[: search.points_per_round - len(wanted)]
    return sorted(wanted[: search.points_per_round])


def _outside(seen: list[int], grid: Sequence[int], octave: int) -> list[int]:
    """Return sizes an octave beyond those seen, larger ones first, that show the curve's ends."""
    top, bottom = grid.index(max(seen)), grid.index(min(seen))
    places = [*range(top + octave, len(grid), octave), *range(bottom - octave, -1, -octave)]
    return [grid[place] for place in places]


def _spread(sizes: list[int], count: int) -> list[int]:
    """Return up to ``count`` of ``sizes``, evenly spread: the middle one, or the thirds, and so on.

    >>> _spread([1, 2, 3, 4, 5], 1), _spread([1, 2, 3, 4, 5], 2), _spread([7], 3)
    ([3], [2, 4], [7])
    """
    count = min(count, len(sizes))
    if count <= 0:
        return []
    places = [round((i + 1) * (len(sizes) + 1) / (count + 1)) - 1 for i in range(count)]
    return [sizes[place] for place in sorted(set(places))]
