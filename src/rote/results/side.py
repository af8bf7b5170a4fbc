"""What a result file says of a set of items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from rote.results.schema import Count, Number, Positive, Result

Kind = Literal["image", "volume", "vector", "series"]


class Column(Result):
    """A column of a table."""

    name: str
    kind: Literal["numeric", "categorical"] | None = None
    whole: bool | None = None
    """Numeric: whether all its numbers are whole."""
    low: Number | None = None
    """Numeric: the smallest number, in its own units."""
    high: Number | None = None
    """Numeric: the largest number, in its own units."""
    date: str | None = None
    """Numeric: the form of its dates, such as %Y-%m-%d; the numbers are days since the first."""
    first: str | None = None
    """Numeric: the first date, ISO 8601."""
    categories: tuple[str, ...] | None = None
    """Categorical: what it can hold; "" stands for no value."""
    missing: bool | None = None
    """Numeric: whether cells may have no value; a second number of the vector tells which."""
    fill: Number | None = None
    """Numeric: what stands in the place of a missing number, in its own units."""


class LeftOutFiles(Result):
    """Files under a source that were not read for one reason."""

    reason: str
    extension: str
    """Such as ".txt"; of an npz file, the name of an array."""
    count: Count
    names: tuple[str, ...]
    """The first of them; untrusted text."""


class TreatedImages(Result):
    """Images that had one property, and what was done about it."""

    what: str
    """Such as "with transparency"."""
    count: Count
    done: str
    names: tuple[str, ...]
    """The first of them; untrusted text."""
    said: bool
    """Whether it may decide what is a copy."""
    option: str
    """Which of the ways of reading does otherwise, or nothing."""


class SourceAccount(Result):
    """What became of everything under a source."""

    files: Count
    """All that were found, of any kind."""
    read: Count
    left_out: tuple[LeftOutFiles, ...]
    treated: tuple[TreatedImages, ...]
    notes: tuple[str, ...]
    """Sentences about the whole."""
    unit: str
    """What is counted: "files", the "arrays" of an npz file, or the "rows" of a table."""
    captions: Count = 0
    """How many of them hold captions of others, and no item."""


class Side(Result):
    """A set of items."""

    source: str
    """File, folder or name as it was given; untrusted text."""
    digest: str
    """SHA-256 of all items in their order."""
    count: Count
    """Items."""
    shape: tuple[Positive, ...]
    """Of one item: (channels, height, width), (channels, depth, height, width), (numbers,) or (channels,
    times)."""
    kind: Kind
    columns: tuple[Column, ...] = ()
    """Tables only."""
    unreadable: Count = 0
    """Files that could not be read and were left out."""
    classes: tuple[Any, ...] = ()
    """Names of the classes, by label."""
    account: SourceAccount | None = None
    """Of files and arrays: what was read, left out and changed."""
    window: tuple[Number, Number] | None = None
    """Which values became black and white, where images are deeper than 8 bits."""
    groups: Count | None = None
    """Groups that the items belong to, such as patients; None: nothing is known of groups."""
    sample_rate: Positive | None = None
    """Samples a second, of sound."""

    @property
    def items(self) -> str:
        """What the items are called, in the plural."""
        return items_word(self.kind, self.columns)


def items_word(kind: str, columns: Sequence[Column]) -> str:
    """Return what items of a kind are called, in the plural.

    >>> items_word("image", ()), items_word("series", ())
    ('images', 'series')
    """
    if columns:
        return "rows"
    return kind if kind == "series" else f"{kind}s"
