"""Groups: which items belong to one patient, household, person or video.

Items of one group resemble each other, so that they are neither independent nor rivals: who is copied is
the group. A rule names the group of every item:

=============  =====================================================================================
rule           the group of an item
=============  =====================================================================================
``folder``     the path of the folder that its file lies in
``label``      its class
``caption``    its caption
``FILE.csv``   the row of ``file_name`` (and ``group``, unless there are two columns) that names it;
               .tsv and .parquet, too
a column       of a table: the cell of that column (`rote.data.tables.table.Reading`)
REGEX          what the brackets of the pattern match in its name, or the whole match without brackets
``none``       there are none, whatever the source says
=============  =====================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rote.core.errors import DataError
from rote.data.captions.names import matched, plain
from rote.data.dataset import Dataset
from rote.data.groups.words import WORDS, column_of, is_file
from rote.data.messages import first_few, shown, storable
from rote.data.tables.files import read_csv, read_parquet
from rote.data.tables.table import Reading, Table

NAME_COLUMN, GROUP_COLUMN = "file_name", "group"


def read_by(reading: Reading, rule: str | None) -> Reading:
    """Return how a table is read whose groups a rule names."""
    return replace(reading, group=column_of(rule))


def grouped(dataset: Dataset, by: str | Sequence[str], *, name: str = "group_by") -> Dataset:
    """Return a data set with the group of every item.

    Parameters
    ----------
    dataset
        N items. Of a table, the column is read with the others (`Reading.group`).
    by
        A rule, as above, or the names of the groups (N,).
    name
        The argument that gave the rule, for messages.

    Raises
    ------
    DataError
        If an item gets no group, or the rule is none.

    >>> import numpy as np
    >>> scans = Dataset(np.zeros((2, 1, 1, 1), np.uint8), names=("p1/003.png", "p2/001.png"))
    >>> grouped(scans, "p([0-9]+)").groups, grouped(scans, "folder").groups
    (('1', '2'), ('p1', 'p2'))
    """
    if not isinstance(by, str):
        return replace(dataset, groups=tuple(storable(str(group)) for group in by))
    where, option = shown(dataset.source), f"`{name}` {shown(by)}"
    found: Sequence[str | None]
    if by == "none":
        return replace(dataset, groups=None)
    if by == "label":
        if dataset.labels is None:
            raise DataError(f"{option}: {where} has no labels; give them, or another rule")
        return replace(dataset, groups=tuple(dataset.classes[k] for k in dataset.labels.tolist()))
    if by == "caption":
        found = dataset.captions or (None,) * len(dataset)
        return _with_groups(dataset, found, option, "have no caption")
    if by == "folder":
        folders = [plain(name).rpartition("/")[0] for name in dataset.names]
        return _with_groups(dataset, folders, option, "lie in no folder")
    if is_file(by):
        found = matched(dataset.names, _rows_of(Path(by).expanduser(), option))
        return _with_groups(dataset, found, option, "are not in that file")
    if dataset.schema is not None:
        if dataset.groups is None:
            raise DataError(
                f"{option}: the rows of {where} were read without the cells of that column; read the "
                "table with Reading(group=...), or give its path"
            )
        return dataset
    try:
        pattern = re.compile(by)
    except re.error as error:
        raise DataError(
            f"{option} is no regular expression ({shown(error)}); give one, or one of "
            f"{', '.join(WORDS)}, or a FILE.csv"
        ) from None
    hits = [_hit(pattern, plain(name)) for name in dataset.names]
    if all(hit == by for hit in hits):
        raise DataError(
            f"{option} stands in every name of {where}, so that all would be one group; give a pattern "
            f"that takes in what differs, such as '{shown(by)}[^/]*', or one of {', '.join(WORDS)}"
        )
    return _with_groups(dataset, hits, option, "do not match")


def _with_groups(dataset: Dataset, found: Sequence[str | None], option: str, why: str) -> Dataset:
    """Give every item its group; refuse items that have none."""
    missing = [item for item, group in zip(dataset.names, found, strict=True) if not group]
    if missing:
        raise DataError(
            f"{option}: {len(missing):,} of {len(dataset):,} names of {shown(dataset.source)} {why} "
            f"({first_few(missing, limit=3)}); every item needs a group"
        )
    return replace(dataset, groups=tuple(storable(group) for group in found if group))


def _hit(pattern: re.Pattern[str], item: str) -> str | None:
    """Return what the brackets of a pattern match, joined, or the whole match without brackets."""
    hit = pattern.search(item)
    if hit is None:
        return None
    return "/".join(part or "" for part in hit.groups()) if pattern.groups else hit[0]


def _rows_of(path: Path, option: str) -> dict[str, str]:
    """Return the group of every name that a table has."""
    if not path.is_file():
        raise DataError(f"{option}: there is no such file")
    table = read_parquet(path) if path.suffix.lower() == ".parquet" else read_csv(path)
    column = _group_column(table, option)
    rows: dict[str, str] = {}
    for row, (name, group) in enumerate(
        zip(table.columns[NAME_COLUMN], table.columns[column], strict=True)
    ):
        if rows.setdefault(plain(name), group) != group:
            raise DataError(f"{table.where(column, row)}: {shown(name)} has two groups; keep one")
    return rows


def _group_column(table: Table, option: str) -> str:
    others = [name for name in table.columns if name != NAME_COLUMN]
    if NAME_COLUMN in table.columns:
        if GROUP_COLUMN in others:
            return GROUP_COLUMN
        if len(others) == 1:
            return others[0]
    raise DataError(
        f"{option} has the columns {first_few(list(table.columns))}; {NAME_COLUMN} and {GROUP_COLUMN} "
        "are expected"
    )
