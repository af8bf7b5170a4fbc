"""Prompts: where their texts come from, and which image is which.

An image is named by its prompt and its number among the images of that prompt. Its seed is a function of
the root seed, the prompt's text and that number, so that it is the same image whatever else is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rote.core.errors import DataError
from rote.core.seeds import child_seed
from rote.data.ahead.existing import near
from rote.data.captions.rows import TEXT_KEYS, decoded, numbered_rows, text_of
from rote.data.files.archives import holds_files
from rote.data.files.listing import open_listing
from rote.data.messages import first_few, shown, storable
from rote.data.options import ReadOptions

TABLES = (".jsonl", ".csv")


@dataclass(frozen=True)
class Asked:
    """One image that is asked for.

    Attributes
    ----------
    name
        Of its file, without a folder.
    prompt
        What the pipeline is told.
    seed
        Of its noise, in [0, 2**63).
    """

    name: str
    prompt: str
    seed: int


def read_prompts(source: str | Path, *, argument: str = "prompts") -> tuple[str, ...]:
    """Return the different prompts of a source, in the order in which they first come.

    Parameters
    ----------
    source
        A text file with a prompt in each line, a metadata file (.jsonl or .csv, with ``text``,
        ``caption`` or ``prompt`` in each row), or a folder or archive of images with their captions.
    argument
        What the source was given as, for messages.

    Raises
    ------
    DataError
        If there is no such source, or no prompt in it.
    """
    path = Path(source).expanduser()
    if not path.exists():
        raise DataError(
            f"`{argument}` {shown(path)} does not exist{near(path)}; give a text file with a prompt in "
            "each line, a metadata.jsonl, or a folder of images with captions, such as the training"
            " images"
        )
    if holds_files(path):
        with open_listing(path, ReadOptions()) as listing:
            texts = [(entry.name, entry.caption) for entry in listing.entries]
        missing = [name for name, text in texts if text is None]
        if missing:
            raise DataError(
                f"`{argument}` {shown(path)} has no caption for {len(missing):,} of {len(texts):,} "
                f"images ({first_few(missing)}); caption every image, with a metadata.jsonl or a .txt "
                "file beside it"
            )
        found: Sequence[str] = [storable(text) for _, text in texts if text is not None]
    elif path.suffix.lower() in TABLES:
        found = _column(path)
    else:
        content = path.read_bytes()
        if b"\0" in content:
            raise DataError(
                f"`{argument}` {shown(path)} is no text file; give one with a prompt in each line"
            )
        lines = decoded(content).splitlines()
        found = [storable(line.strip()) for line in lines if line.strip()]
    if not found:
        raise DataError(f"`{argument}` {shown(path)} has no prompt; write one in each line")
    return tuple(dict.fromkeys(found))


def images_of(
    prompts: Sequence[str], *, each: int, seed: int, count: int | None = None
) -> tuple[Asked, ...]:
    """Return ``each`` images of every prompt, with the seed of each; or ``count`` of all in turn.

    >>> [one.name for one in images_of(["a cat", "a dog"], each=2, seed=0)]
    ['00000-000.png', '00000-001.png', '00001-000.png', '00001-001.png']
    >>> alone, beside = images_of(["dog"], each=1, seed=0), images_of(["cat", "dog"], each=1, seed=0)
    >>> alone[0].seed == beside[1].seed
    True
    """
    if count is not None:
        each = -(-count // len(prompts))
    found = [
        Asked(
            f"{number:05d}-{copy:03d}.png",
            prompt,
            child_seed(seed, "sample", _number(prompt), copy),
        )
        for number, prompt in enumerate(prompts)
        for copy in range(each)
    ]
    if count is not None:  # the first of every prompt, the second of every prompt, and so on
        order = sorted(range(len(found)), key=lambda place: place % each)
        found = [found[place] for place in sorted(order[:count])]
    return tuple(found)


def _column(path: Path) -> list[str]:
    """Return the texts of a metadata file, whether or not its rows name images."""
    is_csv = path.suffix.lower() == ".csv"
    found = []
    for number, row in numbered_rows(path.read_bytes(), is_csv=is_csv, where=shown(path)):
        text = text_of(row)
        if text is None:
            raise DataError(
                f"{shown(path)}, row {number}: expected is a text under one of "
                f"{', '.join(TEXT_KEYS)}"
            )
        found.append(storable(text))
    return found


def _number(prompt: str) -> int:
    return int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:8], "big")
