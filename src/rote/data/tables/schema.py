"""The columns of a table, and the way from its cells to vectors and back.

A numeric column is one number of the vector, in its own units. A categorical column is one number per
category, 1 at its own and 0 elsewhere (one-hot), in the sorted order of the categories. A date is the
number of days since the first one of the source. Back again, the largest of those numbers names the
category, and columns of whole numbers are rounded.

A cell without a value is a state of its own: of a categorical column the category "", which comes first;
a numeric column that has such cells takes a second number, 1 where the value is missing and 0 elsewhere,
and its first number is then the mean of the others (decision 19).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rote.data.tables.cells import date_text

LARGEST_WHOLE = 2**24
"""Beyond it float32 does not hold every whole number."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name
        As the table's header has it; untrusted text.
    kind
        "numeric" or "categorical".
    whole
        Numeric: all values of the source are whole numbers, and samples are rounded to such.
    low, high
        Numeric: smallest and largest value of the source, the range of Gower's distance.
    categories
        Categorical: all values of the source, sorted.
    date, first
        Numeric: the form in which dates are written, and the first one of the source (ISO 8601), from
        which days are counted; empty where the numbers are no dates.
    missing, fill
        Numeric: whether cells may have no value, and what stands in their place.
    """

    name: str
    kind: Literal["numeric", "categorical"] = "numeric"
    whole: bool = False
    low: float = 0.0
    high: float = 0.0
    categories: tuple[str, ...] = ()
    date: str = ""
    first: str = ""
    missing: bool = False
    fill: float = 0.0

    @property
    def width(self) -> int:
        """How many numbers of a vector it takes."""
        return len(self.categories) if self.kind == "categorical" else 1 + self.missing

    @property
    def gaps(self) -> bool:
        """Whether its cells may have no value."""
        return self.missing or "" in self.categories

    def with_gaps(self, fill: float) -> Column:
        """Return the column where cells may have no value; a number in their place."""
        if self.gaps:
            return self
        if self.kind == "categorical":
            return replace(self, categories=("", *self.categories))
        return replace(self, missing=True, fill=fill)

    def empty(self, block: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.bool_]:
        """Return which rows have no value, given its numbers (N, width) in own units."""
        if not self.gaps:
            return np.zeros(len(block), np.bool_)
        if self.kind == "categorical":
            return np.asarray(block.argmax(axis=1) == self.categories.index(""))
        return np.asarray(block[:, 1] > 0.5)

    def to_json(self) -> dict[str, Any]:
        """Return plain types: what applies to its kind alone."""
        names: tuple[str, ...] = (
            ("categories",) if self.kind == "categorical" else ("whole", "low", "high")
        )
        names += ("date", "first") if self.date else ()
        names += ("missing", "fill") if self.missing else ()
        value = asdict(self)
        return {"name": self.name, "kind": self.kind} | {
            name: list(value[name]) if name == "categories" else value[name] for name in names
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> Column:
        """Read back what `to_json` wrote."""
        given = dict(value)
        return Column(**given | {"categories": tuple(given.get("categories", ()))})


@dataclass(frozen=True)
class Schema:
    """All columns of a table, in the order of the vector, and the column that its labels came from."""

    columns: tuple[Column, ...]
    label: str | None = None
    classes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return sum(column.width for column in self.columns)

    @property
    def mixed(self) -> bool:
        """Whether there are categorical columns."""
        return any(column.kind == "categorical" for column in self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def grid(self) -> tuple[tuple[Any, ...], ...]:
        """What its columns may hold; two tables of one grid are encoded alike."""
        dates = ((c.date, c.first) if c.date else () for c in self.columns)
        return tuple(
            (c.name, c.kind, c.whole, c.categories, *date, *((c.fill,) if c.missing else ()))
            for c, date in zip(self.columns, dates, strict=True)
        )

    def parts(self) -> Iterator[tuple[Column, slice]]:
        """Yield every column with its place in a vector."""
        ends = list(itertools.accumulate(column.width for column in self.columns))
        for column, end in zip(self.columns, ends, strict=True):
            yield column, slice(end - column.width, end)

    @property
    def gridded(self) -> bool:
        """Whether a table cannot hold every number."""
        return any(c.whole or c.missing or c.kind == "categorical" for c in self.columns)

    def snapped(self, vectors: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
        """Return vectors (N, D) in own units with one category a column, and whole numbers rounded.

        Ties between categories go to the first, halves to the larger number. A cell either has a value
        or has none.
        """
        result = np.array(vectors, np.float32)
        for column, part in self.parts():
            if column.kind == "categorical":
                best = result[:, part].argmax(axis=1)
                result[:, part] = np.arange(column.width) == best[:, None]
                continue
            place = part.start
            if column.whole:
                result[:, place] = np.floor(vectors[:, place].astype(np.float64) + 0.5)
            if column.missing:
                empty = column.empty(vectors[:, part])
                result[empty, place] = column.fill
                result[:, place + 1] = empty
        return result

    def cells(
        self, vectors: npt.NDArray[np.float32], *, digits: int | None = None
    ) -> list[list[str]]:
        """Return the text of every cell, row by row, for vectors (N, D) in own units.

        Numbers are the shortest that read back as the same float32, or, for the eye, have so many digits.

        >>> columns = (Column("age", whole=True), Column("color", "categorical", categories=("a", "b")))
        >>> Schema(columns).cells(np.array([[41.7, 0.2, 0.6]], np.float32))
        [['42', 'b']]
        """
        snapped = self.snapped(vectors)
        texts = []
        for column, part in self.parts():
            if column.kind == "categorical":
                texts.append([column.categories[k] for k in snapped[:, part].argmax(axis=1)])
                continue
            told = _number_texts(column, snapped[:, part.start], digits)
            empty = column.empty(snapped[:, part])
            texts.append(["" if gap else text for text, gap in zip(told, empty, strict=True)])
        return [list(row) for row in zip(*texts, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """Return plain types."""
        return {
            "columns": [column.to_json() for column in self.columns],
            "label": self.label,
            "classes": list(self.classes),
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> Schema:
        """Read back what `to_json` wrote."""
        columns = tuple(Column.from_json(column) for column in value["columns"])
        return Schema(columns, value["label"], tuple(value["classes"]))


def _number_texts(column: Column, values: npt.NDArray[np.float32], digits: int | None) -> list[str]:
    """Return the texts of a numeric column's values (N,)."""
    if column.date:
        return [date_text(v, column.first, column.date, whole=column.whole) for v in values]
    exact = column.whole or digits is None
    if not exact:  # scaled and back, 0 is -2e-08
        near = 1e-6 * (column.high - column.low)
        values = np.where(np.abs(values) < near, np.float32(0), values)
    return [number_text(v) if exact else f"{v:.{digits}g}" for v in values]


def number_text(value: np.float32) -> str:
    """Return the shortest text of a number; whole numbers without a point.

    >>> number_text(np.float32(13.27)), number_text(np.float32(-0.0)), number_text(np.float32(2e9))
    ('13.27', '0', '2000000000')
    """
    return str(int(value)) if value == np.rint(value) and abs(value) < 2**31 else str(value)


def numeric_schema(
    names: Sequence[str],
    vectors: npt.NDArray[np.float32],
    *,
    label: str | None = None,
    classes: tuple[str, ...] = (),
) -> Schema:
    """Return the schema of a table of numbers (N, D) alone."""
    columns = tuple(numeric_column(name, vectors[:, j]) for j, name in enumerate(names))
    return Schema(columns, label, classes)


def numeric_column(name: str, values: npt.NDArray[np.floating[Any]]) -> Column:
    """Measure a column of numbers (N,)."""
    held = values.astype(np.float32)
    low, high = (float(str(end)) for end in (held.min(), held.max()))  # 13.27, not 13.27000046
    whole = bool((values == np.rint(values)).all()) and max(-low, high) <= LARGEST_WHOLE
    return Column(name, "numeric", whole=whole, low=low, high=high)
