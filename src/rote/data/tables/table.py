"""A table as it was read: its cells as texts, and how they are to be taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rote.data.messages import shown
from rote.data.tables.schema import Schema


@dataclass(frozen=True)
class Reading:
    """How a table is to be read.

    Attributes
    ----------
    categorical
        Columns that are categorical although their cells are numbers.
    label
        The column of labels; it is then no part of the vectors.
    ignore
        Columns that are left out.
    group
        The column that names the group of each row, such as its household; it is then no part of the
        vectors. Where the source is no table it is not looked at.
    schema
        Of the training side; None learns it from the table itself.
    """

    categorical: tuple[str, ...] = ()
    label: str | None = None
    ignore: tuple[str, ...] = ()
    group: str | None = None
    schema: Schema | None = None

    @property
    def asked(self) -> bool:
        """Whether anything was asked that only tables can do."""
        return bool(self.categorical or self.label or self.ignore)


@dataclass(frozen=True, eq=False)
class Table:
    """The cells of a table, as texts.

    Attributes
    ----------
    columns
        The texts (N,) of each column, by name, in the order of the file.
    places
        What each row is called in messages, such as "line 7".
    source
        The file, for a person.
    """

    columns: dict[str, list[str]]
    places: tuple[str, ...]
    source: str

    def __len__(self) -> int:
        return len(self.places)

    def where(self, name: str, row: int) -> str:
        """Name one cell."""
        return f"{shown(self.source)}, {self.places[row]}, column '{shown(name)}'"

    def take(self, rows: Sequence[int]) -> Table:
        """Return some of the rows."""
        columns = {name: [texts[i] for i in rows] for name, texts in self.columns.items()}
        return Table(columns, tuple(self.places[i] for i in rows), self.source)
