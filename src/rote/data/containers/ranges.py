"""Ranges of shards in one name, as WebDataset writes them: ``train-{00000..00099}.tar``."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from rote.core.errors import DataError
from rote.data.messages import first_few, shown

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}|\{([^{}]*,[^{}]*)\}")
_MOST = 1_000_000


def is_range(path: Path) -> bool:
    """Say whether a path stands for several files: it has a range, and there is no file of that name."""
    return bool(_BRACES.search(path.name)) and not path.exists()


def expanded(name: str) -> list[str]:
    """Return the names that a range stands for, in its order.

    Raises
    ------
    DataError
        If they are too many.

    >>> expanded("a-{08..10}.tar"), expanded("{a,b}-{0..1}.tar")
    (['a-08.tar', 'a-09.tar', 'a-10.tar'], ['a-0.tar', 'a-1.tar', 'b-0.tar', 'b-1.tar'])
    """
    parts: list[list[str]] = []
    count, at = 1, 0
    for match in _BRACES.finditer(name):
        first, last, several = match.groups()
        choices = several.split(",") if several else None
        size = len(choices) if choices else abs(int(last) - int(first)) + 1
        count *= size
        if count > _MOST:
            raise DataError(f"{shown(name)} stands for more than {_MOST:,} files; give fewer")
        if choices is None:
            step = 1 if int(last) >= int(first) else -1
            width = len(first) if first.startswith("0") else 0
            choices = [f"{n:0{width}d}" for n in range(int(first), int(last) + step, step)]
        parts += [[name[at : match.start()]], choices]
        at = match.end()
    return ["".join(chosen) for chosen in itertools.product(*parts, [name[at:]])]


def files_of_range(path: Path) -> list[Path]:
    """Return the files of a range.

    Raises
    ------
    DataError
        If one is not there.
    """
    files = [path.with_name(name) for name in expanded(path.name)]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise DataError(
            f"{shown(path)} stands for {len(files):,} files and {len(missing):,} of them do not exist "
            f"({first_few(missing)}); give `source` the range of those that do"
        )
    return files
