"""Image files in a folder or a zip archive: which there are, and how to read each one's bytes.

Both follow the same rules: every level is searched, hidden files and folders (a leading dot) are
ignored, files are told apart by their extension, and the order is that of the sorted names. Nothing
is ever extracted to disk, and a name is only ever text.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import stat
import threading
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rote.core.errors import DataError
from rote.data.files.decode import UnreadableImageError
from rote.data.messages import shown
from rote.data.shards.read import INDEX

EXTENSIONS = (
    *(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".jp2"),
)
# Images too, which rote does not decode: leaving them out silently would change the answer.
FOREIGN_EXTENSIONS = (".avif", ".heic", ".heif", ".jxl", ".tga", ".exr", ".psd")
MAX_FILE_BYTES = 256 * 2**20  # no honest image of Pillow's largest pixel count needs more
_SIDECAR = "dataset.json"
# What zipfile raises on damaged members and on compression it does not know.
_READ_ERRORS = (
    *(OSError, EOFError, ValueError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)


@dataclass(frozen=True)
class Entry:
    """One image file: its name relative to the source, and a way to read its bytes."""

    name: str
    read: Callable[[], bytes]

    def content(self) -> bytes:
        """Return the file's bytes, at most `MAX_FILE_BYTES`.

        Raises
        ------
        UnreadableImageError
            If the file cannot be read, or is of a format that is not decoded.
        """
        extension = _extension(self.name)
        if extension in FOREIGN_EXTENSIONS:
            raise UnreadableImageError(f"{extension} is not supported, convert it to .png")
        try:
            return self.read()
        except _READ_ERRORS as error:
            reason = getattr(error, "strerror", None) or error or type(error).__name__
            raise UnreadableImageError(f"broken: {reason}") from None


@dataclass(frozen=True)
class Listing:
    """The image files of one source in sorted order, and the content of its ``dataset.json``."""

    entries: tuple[Entry, ...]
    sidecar: bytes | None


def list_folder(folder: Path) -> Listing:
    """List the image files below a folder.

    Raises
    ------
    DataError
        If a folder cannot be read, or no file in it is an image.
    """
    files = dict(_walk(folder))
    images = _images_of(files, where=shown(folder))
    entries = tuple(Entry(name, _file_reader(files[name])) for name in images)
    sidecar = None
    if _SIDECAR in files:
        try:
            sidecar = _file_reader(files[_SIDECAR])()
        except (OSError, UnreadableImageError) as error:
            raise DataError(
                f"{shown(files[_SIDECAR])} cannot be read ({shown(error)}); remove it, or make it "
                "readable"
            ) from None
    return Listing(entries, sidecar)


def single_file(path: Path) -> Listing:
    """List one image file given by its own path."""
    return Listing((Entry(path.name, _file_reader(path)),), None)


@contextlib.contextmanager
def open_zip(path: Path) -> Iterator[Listing]:
    """List the image members of a zip archive; they can be read while the context lasts.

    Raises
    ------
    DataError
        If the file is no zip archive, or no member is an image.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(
            f"{shown(path)} cannot be opened as a zip archive ({shown(error)}); give `source` a whole "
            "zip file, or the folder it was made from"
        ) from None
    with archive:
        lock = threading.Lock()
        members = [info for info in archive.infolist() if not info.is_dir()]
        names = _images_of((info.filename for info in members), where=shown(path))
        # A name may occur twice in an archive: both members count, in the order of the archive.
        by_name: dict[str, list[zipfile.ZipInfo]] = {name: [] for name in names}
        for info in members:
            if info.filename in by_name:
                by_name[info.filename].append(info)
        entries = tuple(
            Entry(name, _member_reader(archive, info, lock))
            for name in by_name
            for info in by_name[name]
        )
        yield Listing(entries, _zip_sidecar(archive, lock, where=shown(path)))


def _zip_sidecar(archive: zipfile.ZipFile, lock: threading.Lock, *, where: str) -> bytes | None:
    if _SIDECAR not in archive.namelist():
        return None
    try:
        return _member_reader(archive, archive.getinfo(_SIDECAR), lock)()
    except (UnreadableImageError, *_READ_ERRORS) as error:
        raise DataError(
            f"{where}: {_SIDECAR} cannot be read ({shown(error)}); write the archive again"
        ) from None


def _file_reader(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for ever
            raise UnreadableImageError("not a regular file")
        _check_size(found.st_size)
        return path.read_bytes()

    return read


def _member_reader(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, lock: threading.Lock
) -> Callable[[], bytes]:
    def read() -> bytes:
        if info.flag_bits & 0x1:
            raise UnreadableImageError("encrypted")
        _check_size(info.file_size)
        # The lock: ZipFile counts its open members without one.
        with lock, archive.open(info) as member:
            content = member.read(MAX_FILE_BYTES + 1)
        _check_size(len(content))
        return content

    return read


def _check_size(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise UnreadableImageError(f"larger than {MAX_FILE_BYTES // 2**20} MiB")


def _images_of(names: Iterable[str], *, where: str) -> list[str]:
    """Return the sorted, distinct names of images; an error that says what was there if none is."""
    visible = [name for name in names if not _hidden(name)]
    images = sorted({name for name in visible if _extension(name) in _ALL_EXTENSIONS})
    if images:
        return images
    wanted = ", ".join(EXTENSIONS)
    if INDEX in visible:
        raise DataError(
            f"{where} is a folder of shards, which `rote neighbors` searches; give `source` the source "
            "that they were written from"
        )
    if not visible:
        raise DataError(f"{where} has no files; give `source` a source with images ({wanted})")
    seen = Counter(_extension(name) or "none" for name in visible).most_common(5)
    extensions = ", ".join(f"{shown(name)} ({count:,})" for name, count in seen)
    inner = any(name in (".npz", ".npy", ".zip") for name, _ in seen)
    hint = "; to load an array or an archive in it, give `source` the path of that file"
    raise DataError(
        f"{where} has {len(visible):,} files and none is an image (extensions seen: {extensions}); "
        f"expected are {wanted}{hint if inner else '; give `source` another source'}"
    )


_ALL_EXTENSIONS = frozenset((*EXTENSIONS, *FOREIGN_EXTENSIONS))


def _extension(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - a member's name is text, not a path


def _hidden(name: str) -> bool:
    # Archives made on Windows may say ".\a.png": a path from here, and no hidden file.
    return any(
        part.startswith(".") and part not in (".", "..") and not part.startswith((".\\", "..\\"))
        for part in name.split("/")
    )


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the relative name and path of every file below a folder, hidden folders left out.

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
            if not _is_folder(item):
                yield name, Path(item.path)
            elif not item.name.startswith("."):
                (links if item.is_symlink() else pending).append((f"{name}/", Path(item.path)))


def _is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError:  # a link to itself
        return False
