"""Rows of image names and texts: `metadata.jsonl` and `.csv`, COCO's JSON, and JSON lists of objects.

Captions are untrusted text, and nothing but text.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from rote.core.errors import DataError
from rote.data.messages import first_few, shown

TEXT_KEYS = ("text", "caption", "prompt", "captions", "texts", "prompts")
"""Names of what holds captions, of keys and of columns; the first that is there is taken."""
NAME_KEYS = ("file_name", "filename", "image", "file", "image_path", "path")

Row = tuple[int, str, str]
"""Its number, the name of an image, and its caption."""


def first_text(value: Any) -> str | None:
    """Return a caption, the first of several; None of what is none.

    >>> first_text(["a cat", "one cat"]), first_text(None)
    ('a cat', None)
    """
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, str) else None


def text_of(value: Any) -> str | None:
    """Return the caption in an object of JSON or a row of a table, or None."""
    if not isinstance(value, dict):
        return None
    return next((first_text(value[key]) for key in TEXT_KEYS if key in value), None)


def decoded(content: bytes) -> str:
    """Return a text: UTF-16 and UTF-8 as their first bytes say, else UTF-8, else Windows-1252."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def rows_of_metadata(content: bytes, *, where: str, strict: bool) -> list[Row]:
    """Read `metadata.jsonl` or `metadata.csv`.

    Parameters
    ----------
    content
        Of the file.
    where
        Its name, for messages; ".csv" at its end says that it is a table.
    strict
        Whether every row must name a file and have a caption; else rows without a caption are left out.

    Raises
    ------
    DataError
        If it cannot be read, or a row names no file while others have captions.
    """
    found: list[Row] = []
    bad: list[tuple[int, dict[str, Any]]] = []
    for number, row in numbered_rows(content, is_csv=where.lower().endswith(".csv"), where=where):
        name, text = name_of(row), text_of(row)
        if name is not None and text is not None:
            found.append((number, name, text))
        elif strict or name is None:
            bad.append((number, row))
    if bad and (found or strict):
        number, row = bad[0]
        raise DataError(
            f"{where}, row {number}: expected are file_name and text, both texts, and it has "
            f"{first_few(sorted(map(str, row)))}"
        )
    return found


def rows_of_json(content: bytes) -> tuple[list[Row], int]:
    """Read COCO's captions, or a list of objects with a name and a text; nothing of any other JSON.

    A file without a key of captions, such as one of boxes, is not parsed: it may be large.

    Returns
    -------
    tuple
        The first caption of each image, and how many further ones there are.
    """
    text = decoded(content)
    if not any(f'"{key}"' in text for key in TEXT_KEYS):
        return [], 0
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return [], 0
    if isinstance(found, dict):
        return _coco(found)
    rows = [(name_of(row), text_of(row)) for row in found] if isinstance(found, list) else []
    told = [(n, name, text) for n, (name, text) in enumerate(rows, start=1) if name and text]
    return [(n, str(name), str(text)) for n, name, text in told], 0


def _coco(found: dict[str, Any]) -> tuple[list[Row], int]:
    images, notes = found.get("images"), found.get("annotations")
    if not isinstance(images, list) or not isinstance(notes, list):
        return [], 0
    names = {image.get("id"): image.get("file_name") for image in images if isinstance(image, dict)}
    texts: dict[Any, str] = {}
    more = 0
    for note in notes:
        text = text_of(note)
        if text is None or note.get("image_id") not in names:
            continue
        if note["image_id"] in texts:
            more += 1
        else:
            texts[note["image_id"]] = text
    rows = [(number, names[key], text) for number, (key, text) in enumerate(texts.items(), start=1)]
    return [(number, name, text) for number, name, text in rows if isinstance(name, str)], more


def mark_of(lines: io.StringIO) -> str:
    """Return what stands between the cells of a table, by its first line."""
    head = lines.readline()
    lines.seek(0)
    return next((mark for mark in ",;\t" if mark in head), ",")


def name_of(row: Any) -> str | None:
    """Return the image that an object of JSON or a row of a table names, or None."""
    if not isinstance(row, dict):
        return None
    found = next((row[key] for key in NAME_KEYS if key in row), None)
    return found if isinstance(found, str) else None


def numbered_rows(
    content: bytes, *, is_csv: bool, where: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a table or of lines of JSON objects, with their line numbers.

    Raises
    ------
    DataError
        If they cannot be read; ``where`` is the name for messages.
    """
    try:
        lines = io.StringIO(decoded(content), newline="")
        if is_csv:
            reader = csv.DictReader(lines, delimiter=mark_of(lines))
            for row in reader:
                yield reader.line_num, row
            return
        for number, line in enumerate(lines, start=1):
            if line.strip():
                found = json.loads(line)
                if not isinstance(found, dict):
                    raise DataError(f"{where}, row {number} is no JSON object")
                yield number, found
    except (ValueError, csv.Error, RecursionError) as error:
        raise DataError(f"{where} cannot be read ({shown(error)}); write it again") from None
