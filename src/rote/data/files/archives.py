"""The files of a folder, a zip archive or a tar archive, and how to read each one's bytes.

All three follow the same rules: every level is searched, and the order is that of the sorted names.
Nothing
is ever extracted to disk, and a name is only ever text. A folder with archives and no image is read
as what
its archives hold.
"""

from __future__ import annotations

import contextlib
import itertools
import lzma
import os
import stat
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from rote.core.errors import DataError
from rote.data.files.decode import UnreadableImageError
from rote.data.files.faults import (
    FileState,
    changed_file,
    mark_of,
    stop_if_machine_fails,
)
from rote.data.files.sniff import ARCHIVES, EXTENSIONS, HEAD, extension_of
from rote.data.messages import shown

if TYPE_CHECKING:
    from PIL import Image

MAX_FILE_BYTES = 256 * 2**20  # no honest image of Pillow's largest pixel count needs more
_SMALL = 16 * 2**20
MOST_RATIO = 1100
"""How far a member of a zip that is not small may unpack; deflate reaches 1,032, bzip2 45,000."""
_LOCAL_HEADER = 30  # bytes before a member's name and content
# What zipfile and tarfile raise on damaged members and on compression that they do not know.
READ_ERRORS = (
    *(OSError, EOFError, ValueError, RuntimeError),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
)


@dataclass(frozen=True)
class Entry:
    """One file: its name relative to the source, and a way to read its bytes.

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
    """

    name: str
    read: Callable[[int | None], bytes | Image.Image]
    path: str
    frame: int = 0
    file: Path | None = None

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


@contextlib.contextmanager
def open_files(path: Path) -> Iterator[list[Entry]]:
    """List all files of a folder or an archive; they can be read while the context lasts.

    Raises
    ------
    DataError
        If a folder or an archive cannot be read.
    """
    with contextlib.ExitStack() as stack:
        if not path.is_dir():
            yield stack.enter_context(_open_archive(path))
            return
        files = list(_walk(path))
        expand = not any(extension_of(n) in EXTENSIONS and not hidden(n) for n, _ in files)
        found = []
        for name, file in files:
            if expand and extension_of(name) in ARCHIVES and not hidden(name) and file.is_file():
                for entry in stack.enter_context(_open_archive(file)):
                    found.append(replace(entry, name=f"{name}/{entry.name}"))
            else:
                found.append(Entry(name, file_reader(file), name, file=file))
        yield found


def is_archive(path: Path) -> bool:
    """Say whether a file is a zip or tar archive by its name or, without a known one, its first bytes."""
    if extension_of(path.name) in ARCHIVES:
        return True
    with contextlib.suppress(OSError), path.open("rb") as handle:
        head = handle.read(HEAD)
        return head.startswith(b"PK\x03\x04") or head[257:262] == b"ustar"
    return False


@contextlib.contextmanager
def _open_archive(path: Path) -> Iterator[list[Entry]]:
    tar = extension_of(path.name) == ".tar" or (
        extension_of(path.name) != ".zip" and not zipfile.is_zipfile(path)
    )
    stack = contextlib.ExitStack()
    try:
        state = FileState.now(path)
        archive: zipfile.ZipFile | tarfile.TarFile
        if tar:
            # "r:" takes no compression: every step back would unpack all from the beginning.
            archive = stack.enter_context(tarfile.open(path, "r:"))  # noqa: SIM115
            archive.getmembers()
        else:
            archive = stack.enter_context(zipfile.ZipFile(path))
            _check_apart(archive)
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        OSError,
        ValueError,
        NotImplementedError,
    ) as error:
        stack.close()
        kind = "an uncompressed tar" if tar else "a zip"
        raise DataError(
            f"{shown(path)} cannot be opened as {kind} archive ({shown(error)}); give `source` a whole "
            f"{'tar' if tar else 'zip'} file, or the folder it was made from"
        ) from None
    with stack:
        lock = threading.Lock()
        if isinstance(archive, tarfile.TarFile):
            yield [
                Entry(info.name, _tar_reader(archive, info, lock), info.name, file=path)
                for info in archive.getmembers()
                if not info.isdir()
            ]
        else:
            yield [
                Entry(info.filename, _zip_reader(archive, info, lock), info.filename, file=path)
                for info in archive.infolist()
                if not info.is_dir()
            ]
        state.check()


def _check_apart(archive: zipfile.ZipFile) -> None:
    """Refuse members that share bytes: a few hundred kilobytes could unpack to terabytes."""
    places = sorted((info.header_offset, info.compress_size) for info in archive.infolist())
    for (start, size), (following, _) in itertools.pairwise([*places, (archive.start_dir, 0)]):
        if start + _LOCAL_HEADER + size > following:
            raise zipfile.BadZipFile("its members overlap")


def file_reader(path: Path) -> Callable[[int | None], bytes]:
    """Return what reads a file: the same one each time.

    It raises `DataError` where the file has changed since it was first read, or is not there any more.
    """
    first: int | None = None  # a hash, which is small: there may be millions of files
    name = os.fspath(path)  # for each file these calls are a tenth of decoding a small one

    def read(size: int | None) -> bytes:
        nonlocal first
        try:
            found = os.stat(name)  # noqa: PTH116
        except FileNotFoundError:
            if path.is_symlink():
                raise
            raise changed_file(name, "went away") from None
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for ever
            raise UnreadableImageError("not a regular file")
        if size is None:
            _check_size(found.st_size)
        with open(name, "rb", buffering=0) as handle:  # noqa: PTH123
            before = hash(mark_of(os.fstat(handle.fileno())))
            content = handle.read() if size is None else handle.read(size)
            after = hash(mark_of(os.fstat(handle.fileno())))
        if before != after or first not in (None, after):
            raise changed_file(name)
        first = after
        return content

    return read


def _zip_reader(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, lock: threading.Lock
) -> Callable[[int | None], bytes]:
    def read(size: int | None) -> bytes:
        if info.flag_bits & 0x1:
            raise UnreadableImageError("encrypted")
        if info.file_size > _SMALL and info.file_size > MOST_RATIO * info.compress_size:
            raise UnreadableImageError(f"unpacks to more than {MOST_RATIO:,} times its size")
        # The lock: ZipFile counts its open members without one.
        with lock, archive.open(info) as member:
            return _whole(member, info.file_size, size)

    return read


def _tar_reader(
    archive: tarfile.TarFile, info: tarfile.TarInfo, lock: threading.Lock
) -> Callable[[int | None], bytes]:
    def read(size: int | None) -> bytes:
        with lock:
            member = archive.extractfile(info) if info.isfile() else None
            if member is None:
                raise UnreadableImageError("a link or a device in the archive")
            return _whole(member, info.size, size)

    return read


def _whole(member: IO[bytes], length: int, size: int | None) -> bytes:
    if size is not None:
        return member.read(size)
    _check_size(length)
    content = member.read(MAX_FILE_BYTES + 1)
    _check_size(len(content))
    return content


def _check_size(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise UnreadableImageError(f"larger than {MAX_FILE_BYTES // 2**20} MiB")


def hidden(name: str) -> bool:
    """Say whether a file is for the system and not for people: hidden, or in a hidden folder."""
    parts = name.replace("\\", "/").split("/")
    return any(
        (part.startswith(".") and part not in (".", ".."))
        or part == "__MACOSX"
        or part.lower() in ("thumbs.db", "ehthumbs.db", "desktop.ini")
        for part in parts
    )


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the relative name and path of every file below a folder; a hidden folder is one file.

    Links to folders are followed, after all real folders; each folder is read once, so that a loop
    of links ends.
    """
    seen: set[tuple[int, int]] = set()
    pending: list[tuple[str, Path]] = [("", folder)]
    links: list[tuple[str, Path]] = []
    while pending or links:
        prefix, current = pending.pop() if pending else links.pop()
        try:
            found = current.stat()
            if (found.st_dev, found.st_ino) in seen:
                continue
            seen.add((found.st_dev, found.st_ino))
            with os.scandir(current) as scan:
                items = sorted(scan, key=lambda item: item.name, reverse=True)
        except OSError as error:
            raise DataError(
                f"folder {shown(current)} cannot be read ({error.strerror}); change its "
                "permissions, or give `source` another source"
            ) from None
        for item in items:
            name = f"{prefix}{item.name}"
            if item.name.startswith(".") or not _is_folder(item):
                yield name, Path(item.path)
            else:
                (links if item.is_symlink() else pending).append((f"{name}/", Path(item.path)))


def _is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError:  # a link to itself
        return False
