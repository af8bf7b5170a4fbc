"""The members of an uncompressed tar: listed without keeping more than each one's place.

`tarfile` takes 1.5 kB for each member that it has seen, and ends without a word at a header that it
cannot read; so its records are let go, and what follows the last member has to be the mark of the end.
Nothing is written: a member's name is text, and its bytes are read from their place in the archive.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

from rote.core.errors import DataError
from rote.data.files.decode import UnreadableImageError
from rote.data.files.entry import Entry, check_size
from rote.data.messages import shown


@dataclass(frozen=True, slots=True, eq=False)
class _Member:
    """Reads the bytes of one member; ``offset`` is negative of what is no plain file."""

    path: Path
    offset: int
    size: int

    def __call__(self, size: int | None) -> bytes:
        if self.offset < 0:
            raise UnreadableImageError("a link or a device in the archive")
        if size is None:
            check_size(self.size)
        wanted = self.size if size is None else min(size, self.size)
        # Opened each time: there may be more shards than files that can be open.
        with self.path.open("rb", buffering=0) as handle:
            handle.seek(self.offset)
            content = handle.read(wanted)
        if len(content) < wanted:
            raise UnreadableImageError("cut off")
        return content


def tar_entries(path: Path) -> list[Entry]:
    """List the members of a tar, but for its folders.

    Raises
    ------
    tarfile.TarError, OSError
        If it is no uncompressed tar.
    DataError
        If it is broken; the last member that can be read is named.
    """
    found: list[Entry] = []
    last = "none"
    # "r:" takes no compression: every step back would unpack all from the beginning.
    with tarfile.open(path, "r:") as archive:
        try:
            while (info := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]
                last = info.name
                if info.isdir():
                    continue
                plain = info.isfile() and not info.issparse()
                place = info.offset_data if plain else -1
                found.append(Entry(last, _Member(path, place, info.size), last, file=path))
        except tarfile.ReadError as error:
            if not found:
                raise
            raise _broken(path, last, f"it ends there, {error}") from None
        end = archive.offset
    with path.open("rb") as handle:
        handle.seek(end)
        block = handle.read(tarfile.BLOCKSIZE)
    if block != bytes(tarfile.BLOCKSIZE):
        reason = (
            "what follows is no member" if block else "it ends there, without a mark of its end"
        )
        raise _broken(path, last, reason)
    return found


def _broken(path: Path, last: str, reason: str) -> DataError:
    return DataError(
        f"{shown(path)} is broken at or behind member {shown(last)} ({shown(reason)}), so members may be "
        "missing; copy it again, write it again with tar, or leave it out"
    )
