"""The caption of every image of a folder or an archive, from what lies among the images.

========================  ================================================================================
`metadata.jsonl`, `.csv`  rows of ``file_name``, relative to it, and ``text``, ``caption`` or ``prompt``
any other `.json`         COCO's ``images`` and ``annotations`` with captions, or a list of such objects
`1.txt` beside `1.png`    the whole text; `.caption` and `.json` (``caption`` in it) likewise; members
                          of one key of WebDataset are beside each other
folders `10_a dog`        kohya's: 10 repeats of each image, and "a dog" where an image has nothing else
========================  ================================================================================

Which counts first is what stands first. An image that none of them tells of has no caption.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rote.core.errors import DataError
from rote.data.captions.names import base, matched, plain, stem
from rote.data.captions.rows import Row, decoded, rows_of_json, rows_of_metadata, text_of
from rote.data.files.decode import UnreadableImageError
from rote.data.files.entry import Entry
from rote.data.files.sniff import HEAD, extension_of, sort_of
from rote.data.messages import shown

EXTENSIONS = (".txt", ".caption", ".json", ".jsonl", ".csv")
"""Of files that may hold captions."""
METADATA = ("metadata.jsonl", "metadata.csv")
SIDECARS = (".txt", ".caption", ".json")
_MOST_JSON = 20
_REPEATS = re.compile(r"(\d+)_(.+)")
_NUMBERS = re.compile(r"[\d\s.,eE+-]*")


@dataclass(frozen=True)
class Captioned:
    """Images with their captions.

    Attributes
    ----------
    images
        The same entries, with a caption and repeats where there are some.
    files
        The other files that these were read from.
    told
        Where from, in words: "metadata.jsonl", and so on.
    notes
        Sentences about the whole.
    """

    images: tuple[Entry, ...]
    files: frozenset[str] = frozenset()
    told: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def captioned(images: Sequence[Entry], others: Sequence[Entry], *, where: str) -> Captioned:
    """Give every image the caption that lies among the other files, or in its container.

    Parameters
    ----------
    images
        Of one source.
    others
        Its other files, hidden ones left out.
    where
        The source, for messages.

    Raises
    ------
    DataError
        If a metadata file cannot be read, or gives an image two captions.
    """
    if not images:
        return Captioned(())
    texts: list[str | None] = [image.caption for image in images]
    files: list[str] = []
    told: list[str] = ["a column"] if any(text is not None for text in texts) else []
    notes: list[str] = []

    def fill(found: Iterable[str | None], name: str, used: Iterable[str]) -> None:
        new = [old if old is not None else text for old, text in zip(texts, found, strict=True)]
        if new != texts:
            texts[:] = new
            told.append(name)
            files.extend(used)

    names = [image.name for image in images]
    for name, table, used, more in _tables(images, others, where=where):
        fill(matched(names, table), name, used)
        if more:
            notes.append(
                f"{name} has {more:,} further captions of images, the first of each is read"
            )
    for extension in SIDECARS:
        beside = _beside(images, others, extension)
        fill(
            (text for text, _ in beside), f"{extension} files", (file for _, file in beside if file)
        )
    repeats, concepts = _kohya(images)
    if repeats:
        notes.append(_told_repeats(repeats, concepts))
        fill(concepts, "names of folders", ())
    made = tuple(
        replace(image, caption=text, repeats=repeats[place] if repeats else image.repeats)
        for place, (image, text) in enumerate(zip(images, texts, strict=True))
    )
    return Captioned(made, frozenset(files), tuple(told), tuple(notes))


def captions_of_file(path: Path, names: Sequence[str]) -> tuple[str | None, ...]:
    """Return the caption of every image from one file: as `metadata.jsonl` or `.csv`, or COCO's JSON.

    Parameters
    ----------
    path
        The file.
    names
        Relative names of the images, "/" between folders.

    Raises
    ------
    DataError
        If the file cannot be read, has other columns, or names a file twice.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"`captions` {shown(path)} does not exist") from None
    except OSError as error:
        raise DataError(
            f"{shown(path)} cannot be read ({error.strerror}); write it again"
        ) from None
    where = shown(path)
    rows = rows_of_json(content)[0] if path.suffix.lower() == ".json" else []
    rows = rows or rows_of_metadata(content, where=where, strict=True)
    return tuple(matched(names, _table(rows, where=where)))


Table = tuple[str, dict[str, str], list[str], int]
"""A name for people, texts by names, the files that they are from, and how many more texts there are."""


def _tables(images: Sequence[Entry], others: Sequence[Entry], *, where: str) -> list[Table]:
    """Read the metadata files of a source as one table, and each other JSON as one."""
    found: list[Table] = []
    table: dict[str, str] = {}
    used: list[str] = []
    kinds: dict[str, None] = {}
    for entry in others:
        kind = base(entry.name)
        if kind not in METADATA:
            continue
        here = f"{where}: {shown(entry.name)}"
        below = plain(entry.name).removesuffix(kind)
        rows = rows_of_metadata(stored(entry), where=here, strict=False)
        for name, text in _table(rows, where=here).items():
            table[below + name] = text
        if rows:
            used.append(entry.name)
            kinds[kind] = None
    if table:
        found.append((" and ".join(kinds), table, used, 0))
    jsons = [entry for entry in others if extension_of(entry.name) == ".json"]
    stems = {stem(image.name) for image in images} if jsons else ()
    jsons = [entry for entry in jsons if stem(entry.name) not in stems]
    for entry in jsons if len(jsons) <= _MOST_JSON else ():
        try:
            rows, more = rows_of_json(entry.stored())
        except (
            UnreadableImageError
        ):  # boxes of a large set, say: whether it has captions is not known
            continue
        if rows:
            here = f"{where}: {shown(entry.name)}"
            found.append((shown(base(entry.name)), _table(rows, where=here), [entry.name], more))
    return found


def _table(rows: Sequence[Row], *, where: str) -> dict[str, str]:
    table: dict[str, str] = {}
    for number, name, text in rows:
        if table.setdefault(plain(name), text) != text:
            raise DataError(f"{where}, row {number}: {shown(name)} has two captions; keep one")
    return table


def _beside(
    images: Sequence[Entry], others: Sequence[Entry], extension: str
) -> list[tuple[str | None, str | None]]:
    """Return the text beside each image, and its file; none where all of them are numbers."""
    files = {stem(entry.name): entry for entry in others if extension_of(entry.name) == extension}
    nothing: list[tuple[str | None, str | None]] = [(None, None)] * len(images)
    if not files:
        return nothing
    found = []
    for image in images:
        entry = files.get(stem(image.name)) or files.get(_key(image.name))
        text = None if entry is None else _sidecar(entry, extension)
        found.append((text, None if entry is None or text is None else entry.name))
    # Boxes of a detector, classes: not what a person would call a caption.
    if all(not text or _NUMBERS.fullmatch(text) for text, _ in found) and any(t for t, _ in found):
        return nothing
    return found


def _key(name: str) -> str:
    """Return WebDataset's key of a member: its path up to the first dot of the last part."""
    folder, mark, last = plain(name).rpartition("/")
    return folder + mark + last.partition(".")[0]


def _sidecar(entry: Entry, extension: str) -> str | None:
    content = stored(entry)
    if extension != ".json":
        return None if sort_of(content[:HEAD]) in ("image", "data") else decoded(content).strip()
    try:
        return text_of(json.loads(decoded(content)))
    except (ValueError, RecursionError):
        return None


def _kohya(images: Sequence[Entry]) -> tuple[list[int], list[str | None]]:
    """Return repeats and concept of each image, where all lie in folders that are called so.

    Folders of classes are called so, too, by the number of the class: 0, 1, 2, ... or 1, 2, 3, ...
    """
    folders = [plain(image.path).split("/")[-2:-1] for image in images]
    parts = [_REPEATS.fullmatch(folder[0]) if folder else None for folder in folders]
    if not parts or None in parts:
        return [], []
    told = [(int(part[1]), part[2]) for part in parts if part]
    numbers = sorted(number for number, _ in set(told))
    first, many = numbers[0], len(numbers) > 1
    if first == 0 or (many and numbers == list(range(first, first + len(numbers)))):
        return [], []
    return [number for number, _ in told], [concept.strip() for _, concept in told]


def _told_repeats(repeats: Sequence[int], concepts: Sequence[str | None]) -> str:
    seen = sorted(set(zip(repeats, concepts, strict=True)), key=str)
    some = ", ".join(f"{number} of '{shown(concept)}'" for number, concept in seen[:3])
    rest = f" and {len(seen) - 3} more" if len(seen) > 3 else ""
    return f"folders read as repeats of a concept: {some}{rest}"


def stored(entry: Entry) -> bytes:
    """Return the bytes of a file of captions; refuse in one line what cannot be read."""
    try:
        return entry.stored()
    except UnreadableImageError as error:
        raise DataError(f"{shown(entry.name)} cannot be read ({error}); write it again") from None
