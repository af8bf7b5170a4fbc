"""`Entry`: one file of a source, wherever its bytes lie, with the text that belongs to it."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from rote.data.files.decode import UnreadableImageError
from rote.data.files.faults import stop_if_machine_fails
from rote.data.files.sniff import HEAD

if TYPE_CHECKING:
    from PIL import Image

MAX_FILE_BYTES = 256 * 2**20  # no honest image of Pillow's largest pixel count needs more
# What zipfile and tarfile raise on damaged members and on compression that they do not know.
READ_ERRORS = (
    *(OSError, EOFError, ValueError, RuntimeError),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its name relative to the source, and a way to read its bytes.

    There may be millions, so it has no more than it needs.

    Attributes
    ----------
    name
        Relative name, "/" between folders; of one of several pages "stack.tif#2".
    read
        Reads at most so many bytes, or all; an image that is open already comes as it is.
    path
        The name without the archive that it lies in, and without a page: by it labels are told.
    frame
        Which page of the file, from 0.
    file
        The file on disk that holds it, itself or an archive; None for what is in memory.
    caption
        The text that belongs to it; None: none does. Untrusted.
    repeats
        How often a training shows it in each round.
    declared
        Whether its container says that it is an image, so that nobody has to look.
    """

    name: str
    read: Callable[[int | None], bytes | Image.Image]
    path: str
    frame: int = 0
    file: Path | None = None
    caption: str | None = None
    repeats: int = 1
    declared: bool = False

    def content(self) -> bytes | Image.Image:
        """Return the file's bytes, at most `MAX_FILE_BYTES`.

        Raises
        ------
        UnreadableImageError
            If the file cannot be read.
        """
        return self._read(None)

    def head(self) -> bytes:
        """Return the file's first bytes; errors as `content`."""
        found = self._read(HEAD)
        assert isinstance(found, bytes)
        return found

    def stored(self, *, most: int | None = None) -> bytes:
        """Return the content of a file, which is no image that is open already; errors as `content`.

        ``most`` bytes are read of a file that may be larger than an image.
        """
        found = self._read(None if most is None else most + 1)
        assert isinstance(found, bytes)
        if most is not None and len(found) > most:
            raise UnreadableImageError(f"larger than {most // 2**20:,} MiB")
        return found

    def _read(self, size: int | None) -> bytes | Image.Image:
        try:
            return self.read(size)
        except (*READ_ERRORS, MemoryError) as error:
            stop_if_machine_fails(error)
            reason = getattr(error, "strerror", None) or error or type(error).__name__
            raise UnreadableImageError(f"broken: {reason}") from None


def check_size(size: int) -> None:
    """Refuse a file that is larger than any image.

    Raises
    ------
    UnreadableImageError
        If it is.
    """
    if size > MAX_FILE_BYTES:
        raise UnreadableImageError(f"larger than {MAX_FILE_BYTES // 2**20} MiB")


def whole(member: IO[bytes], length: int, size: int | None) -> bytes:
    """Read a member of an archive that says it is so long, or its first ``size`` bytes.

    Raises
    ------
    UnreadableImageError
        If it is larger than any image, whatever it says.
    """
    if size is not None:
        return member.read(size)
    check_size(length)
    content = member.read(MAX_FILE_BYTES + 1)
    check_size(len(content))
    return content
