"""The files of a folder, an archive or a range of archives, and how to read each one's bytes.

All follow the same rules: every level is searched, and the order is that of the sorted names. Nothing is
ever extracted to disk, and a name is only ever text. A folder with archives and no image is read as what
its archives hold; Parquet and Arrow files whose rows are images are archives, too.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from rote.core.errors import DataError
from rote.data.containers.columns import COLUMNAR, image_rows
from rote.data.containers.ranges import files_of_range, is_range
from rote.data.containers.tar import tar_entries
from rote.data.files.decode import UnreadableImageError
from rote.data.files.entry import Entry, check_size, whole
from rote.data.files.faults import FileState, changed_file, mark_of
from rote.data.files.sniff import ARCHIVES, EXTENSIONS, HEAD, extension_of
from rote.data.messages import first_few, shown

_SMALL = 16 * 2**20
MOST_RATIO = 1100
"""How far a member of a zip that is not small may unpack; deflate reaches 1,032, bzip2 45,000."""
_LOCAL_HEADER = 30  # bytes before a member's name and content
_UTF_8 = 0x800
"""Flag of a member of a zip whose name is said to be UTF-8."""


@contextlib.contextmanager
def open_files(path: Path) -> Iterator[list[Entry]]:
    """List all files of a folder or an archive; they can be read while the context lasts.

    Raises
    ------
    DataError
        If a folder or an archive cannot be read.
    """
    with contextlib.ExitStack() as stack:
        if path.is_dir():
            files = list(_walk(path))
            _check_splits(path, [name for name, _ in files])
            expand = not any(extension_of(n) in EXTENSIONS and not hidden(n) for n, _ in files)
        elif is_range(path):
            files, expand = [(file.name, file) for file in files_of_range(path)], True
        else:
            yield list(stack.enter_context(_open_archive(path)))
            return
        found = []
        for name, file in files:
            if expand and not hidden(name) and file.is_file() and is_archive(file, told=True):
                for entry in stack.enter_context(_open_archive(file)):
                    found.append(replace(entry, name=f"{name}/{entry.name}"))
            else:
                found.append(Entry(name, file_reader(file), name, file=file))
        yield found


def holds_files(path: Path) -> bool:
    """Say whether a source is a folder, an archive, or a range of archives."""
    return path.is_dir() or is_range(path) or (path.is_file() and is_archive(path))


def is_archive(path: Path, *, told: bool = False) -> bool:
    """Say whether a file holds images as an archive does.

    That is told by the name or, without a known one, by the first bytes; with ``told`` by the name alone.
    Of Parquet and Arrow files the columns are looked at.
    """
    extension = extension_of(path.name)
    if extension in COLUMNAR:
        return image_rows(path, look=True) is not None
    if told or extension in ARCHIVES:
        return extension in ARCHIVES
    with contextlib.suppress(OSError), path.open("rb") as handle:
        head = handle.read(HEAD)
        return head.startswith(b"PK\x03\x04") or head[257:262] == b"ustar"
    return False


def _check_splits(folder: Path, names: list[str]) -> None:
    """Refuse a folder of several splits, of which one is meant."""
    below = sorted(
        name.removesuffix("/state.json") for name in names if name.endswith("/state.json")
    )
    if "dataset_dict.json" in names and len(below) > 1:
        raise DataError(
            f"{shown(folder)} holds the splits {first_few(below)}; give `source` the folder of one of "
            f"them, such as {shown(folder / below[0])}"
        )


@contextlib.contextmanager
def _open_archive(path: Path) -> Iterator[Iterator[Entry]]:
    """Yield the members of an archive, which are not held here: there may be millions."""
    extension = extension_of(path.name)
    tar = extension == ".tar" or (extension != ".zip" and not zipfile.is_zipfile(path))
    state = FileState.now(path)
    if extension in COLUMNAR:
        yield iter(image_rows(path) or ())
        state.check()
        return
    stack = contextlib.ExitStack()
    try:
        if tar:
            entries = iter(tar_entries(path))
        else:
            archive = stack.enter_context(zipfile.ZipFile(path))
            _check_apart(archive)
            entries = iter(_zip_entries(archive, path))
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
        yield entries
        state.check()


def _zip_entries(archive: zipfile.ZipFile, path: Path) -> list[Entry]:
    lock = threading.Lock()
    found = []
    for info in archive.infolist():
        if not info.is_dir():
            name = _zip_name(info)
            found.append(Entry(name, _zip_reader(archive, info, lock), name, file=path))
    return found


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Return the name of a member: some programs write UTF-8 without saying so."""
    if info.flag_bits & _UTF_8 or info.filename.isascii():
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except ValueError:
        return info.filename


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
            check_size(found.st_size)
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
            return whole(member, info.file_size, size)

    return read


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
