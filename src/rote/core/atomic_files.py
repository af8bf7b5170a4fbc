"""Atomic files: written beside their final name and renamed into place.

A reader sees the old file or the new one and never half of one, whatever kills the writer. What a killed
writer leaves is `.<name>.<token>.tmp`: a living writer holds a lock of the kernel on that, so that
`remove_left_over` tells one from the other, also across machines.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import json
import math
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rote.core.errors import RunError

if TYPE_CHECKING:
    import numpy.typing as npt

FORMAT_VERSION = 1
_own: set[Path] = set()
"""Temporary files that this process is writing."""
_TEMPORARY = re.compile(r"\..+\.([0-9a-f]{8}|\d+)\.tmp")


@contextlib.contextmanager
def one_line_io(path: Path) -> Iterator[None]:
    """Turn what the file system may refuse into one line that says what to do."""
    try:
        yield
    except OSError as error:
        advice = {
            errno.ENOSPC: "the disk is full; free some space and run the same command again",
            errno.EDQUOT: "the disk quota is used up; free some space and run the same again",
            errno.EACCES: "no permission to write there; choose another `out`",
            errno.EPERM: "no permission to write there; choose another `out`",
            errno.EROFS: "the file system is read-only; choose another `out`",
            errno.ENOTDIR: "a part of the path is a file, not a folder; choose another `out`",
            errno.EEXIST: "a file of that name is in the way; choose another `out`",
            errno.EISDIR: "a folder of that name is in the way; choose another `out`",
        }.get(error.errno or 0, error.strerror or str(error))
        raise RunError(f"cannot write {path}: {advice}") from error


def write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    """Call ``write`` with a temporary path beside ``path``, then rename it into place.

    Raises
    ------
    RunError
        If the disk is full or the path cannot be written. No partial file is left.
    """
    with one_line_io(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(path) as temporary:
            write(temporary)
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
            temporary.replace(path)


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Yield a new file beside ``path``, locked, and not there at the end unless it was renamed."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    # Never through a link that someone has put there.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    handle = os.open(temporary, flags, 0o666)
    _own.add(temporary)
    try:
        with contextlib.suppress(
            OSError
        ):  # where there are no locks, nothing is taken for left over
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
        _own.discard(temporary)
        os.close(handle)


def remove_own_temporaries() -> None:
    """Remove what this process is writing: it ends now, without its own clearing up."""
    for temporary in tuple(_own):
        with contextlib.suppress(OSError):
            temporary.unlink()


def remove_left_over(folder: Path) -> None:
    """Remove the temporary files in a folder that killed writers have left."""
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        for item in found:
            if _TEMPORARY.fullmatch(item.name) and item.is_file(follow_symlinks=False):
                _remove_unlocked(Path(item.path))


def _remove_unlocked(path: Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer lives
            path.unlink()
        finally:
            os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically (UTF-8)."""
    write_file(path, text.encode())


def write_file(path: Path, content: bytes) -> None:
    """Write a file that came from elsewhere atomically."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(content)

    write_atomic(path, write)


def link_file(path: Path, other: Path) -> None:
    """Make ``path`` the same file as one that nobody will change; a copy where links cannot be."""

    def link(temporary: Path) -> None:
        try:
            temporary.unlink()  # a link takes no name that is there
            temporary.hardlink_to(other)
        except OSError:
            temporary.write_bytes(other.read_bytes())

    write_atomic(path, link)


def open_log(path: Path) -> BinaryIO:
    """Open a file to which what somebody else's code says is added; no part of a result."""
    with one_line_io(path):
        return path.open("ab")


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file atomically from lines with their ends, as they come (UTF-8)."""

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="") as handle:
            handle.writelines(lines)

    write_atomic(path, write)


def to_json_text(value: Any, *, ascii_only: bool = False) -> str:
    """Return the canonical JSON text of a result file: sorted never, indented, newline-ended."""
    return json.dumps(value, indent=2, allow_nan=False, ensure_ascii=ascii_only) + "\n"


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file atomically, with ``format_version`` as its first key."""
    write_text(path, to_json_text({"format_version": FORMAT_VERSION, **value}))


def write_status(path: Path, value: dict[str, Any]) -> None:
    """Replace a small file that only shows progress: atomic, but not waiting for the disk."""
    with one_line_io(path), _temporary(path) as temporary:
        temporary.write_text(json.dumps(value), encoding="utf-8")
        temporary.replace(path)


def write_npz(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays to a compressed npz file atomically; the same arrays give the same bytes."""
    import numpy as np

    # Objects would be pickled. (The allow_pickle argument is younger than the oldest numpy we take.)
    assert not any(array.dtype.hasobject for array in arrays.values())
    named: dict[str, Any] = dict(arrays)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as handle:  # by handle: by name, numpy would append ".npz"
            np.savez_compressed(handle, **named)

    write_atomic(path, write)


def write_uncompressed(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Replace an npz file that can be made again: atomic, but not waiting for the disk."""
    import numpy as np

    assert not any(array.dtype.hasobject for array in arrays.values())
    named: dict[str, Any] = dict(arrays)
    with one_line_io(path), _temporary(path) as temporary:
        with temporary.open("wb") as handle:
            np.savez(handle, **named)
        temporary.replace(path)


def write_npy(path: Path, blocks: Sequence[npt.NDArray[Any]]) -> str:
    """Write blocks of rows as one .npy file atomically; return the SHA-256 of the file.

    All blocks have one dtype and one shape of rows. Nothing is copied, so a file costs no more memory
    than its blocks.
    """
    import numpy as np

    first = blocks[0]
    assert not first.dtype.hasobject
    assert all(b.dtype == first.dtype and b.shape[1:] == first.shape[1:] for b in blocks)
    count = sum(len(block) for block in blocks)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header,
        {
            "descr": np.lib.format.dtype_to_descr(first.dtype),
            "fortran_order": False,
            "shape": (count, *first.shape[1:]),
        },
    )
    hasher = hashlib.sha256()

    def write(temporary: Path) -> None:
        with temporary.open("wb") as handle:
            for part in (header.getbuffer(), *(np.ascontiguousarray(b).data for b in blocks)):
                hasher.update(part)
                handle.write(part)

    write_atomic(path, write)
    return hasher.hexdigest()


@contextlib.contextmanager
def new_array(
    path: Path, *, dtype: str = "|u1", name: Callable[[], str] | None = None
) -> Iterator[Callable[[tuple[int, ...]], npt.NDArray[Any]]]:
    """Write a .npy file through memory: yields a function that makes its array, to be called once.

    ``dtype`` is what numpy calls it in a file: "|u1" for uint8, "<f4" for float32.

    ``name`` is called at the end of the context where the file's name is known only then.

    The space is taken at once, for a disk that fills up later would kill the process. The file is
    renamed into place at the end of the context, and not left there if that ends in an error.

    Raises
    ------
    RunError
        If the disk has no room for it or the path cannot be written.
    """
    import numpy as np

    with contextlib.ExitStack() as stack:
        made: list[Path] = []

        def make(shape: tuple[int, ...]) -> npt.NDArray[Any]:
            with one_line_io(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary = stack.enter_context(_temporary(path))
                with temporary.open("wb") as handle:
                    header = {"descr": dtype, "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(handle, header)
                    start, size = handle.tell(), math.prod(shape) * np.dtype(dtype).itemsize
                    os.posix_fallocate(handle.fileno(), 0, start + size)
                made.append(temporary)
                return np.memmap(temporary, np.dtype(dtype), "r+", offset=start, shape=shape)

        yield make
        with one_line_io(path):
            made[0].replace(path if name is None else path.with_name(name()))


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that rote wrote.

    Raises
    ------
    RunError
        If it is missing, damaged, or of a newer format.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path} does not exist; is {path.parent} a run directory?") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RunError(f"{path} cannot be read ({error}); delete it and run again") from None
    if not isinstance(value, dict) or not isinstance(value.get("format_version"), int):
        raise RunError(f"{path} is not a file that rote wrote (it has no format_version)")
    if value["format_version"] > FORMAT_VERSION:
        raise RunError(
            f"{path} has format_version {value['format_version']}, newer than this rote reads "
            f"({FORMAT_VERSION}); install a newer rote"
        )
    return value
