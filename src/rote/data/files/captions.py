"""Captions: a text per image from a metadata file, as Hugging Face's imagefolder has it.

`metadata.jsonl` (one object a line) or `metadata.csv` in the folder of the images, each row with
`file_name`, relative to the file, and `text`. Captions are untrusted text, and nothing but text.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.data.messages import first_few, shown, storable

FILES = ("metadata.jsonl", "metadata.csv")


def find_captions(source: str) -> Path:
    """Return the metadata file of a folder.

    Raises
    ------
    DataError
        If the source is no folder, or has none.
    """
    folder = Path(source)
    for name in FILES:
        if (folder / name).is_file():
            return folder / name
    raise DataError(
        f"`cluster_by` caption: {shown(source)} has no {' or '.join(FILES)} (rows of file_name, text); "
        "give one with `captions`"
    )


def load_captions(
    path: Path, names: Sequence[str]
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Return the caption of every image.

    Parameters
    ----------
    path
        A .jsonl or .csv file.
    names
        Relative names of the images, "/" between folders.

    Returns
    -------
    tuple
        int64 (N,), positions in the sorted distinct captions, and these.

    Raises
    ------
    DataError
        If the file cannot be read, has other columns, names a file twice, or leaves an image without a
        caption.
    """
    table: dict[str, str] = {}
    for number, row in _rows(path):
        name, text = row.get("file_name"), row.get("text")
        if not isinstance(name, str) or not isinstance(text, str):
            raise DataError(
                f"{shown(path)}, row {number}: expected are file_name and text, both texts, and it has "
                f"{first_few(sorted(map(str, row)))}"
            )
        if table.setdefault(_plain(name), text) != text:
            raise DataError(
                f"{shown(path)}, row {number}: {shown(name)} has two captions; keep one"
            )
    missing = [name for name in names if _plain(name) not in table]
    if missing:
        raise DataError(
            f"{shown(path)} has no caption for {len(missing):,} of {len(names):,} images "
            f"({first_few(missing)}); caption every image"
        )
    texts = [storable(table[_plain(name)]) for name in names]
    distinct = sorted(set(texts))
    place = {text: number for number, text in enumerate(distinct)}
    return np.array([place[text] for text in texts], np.int64), tuple(distinct)


def _plain(name: str) -> str:
    return name.strip("/").removeprefix("./")


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of the file with their line numbers."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            if path.suffix.lower() == ".csv":
                reader = csv.DictReader(lines)
                for row in reader:
                    yield reader.line_num, row
                return
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    found = json.loads(line)
                    if not isinstance(found, dict):
                        raise DataError(f"{shown(path)}, row {number} is no JSON object")
                    yield number, found
    except FileNotFoundError:
        raise DataError(f"`captions` {shown(path)} does not exist") from None
    except (OSError, ValueError, csv.Error, RecursionError) as error:
        raise DataError(f"{shown(path)} cannot be read ({shown(error)}); write it again") from None
