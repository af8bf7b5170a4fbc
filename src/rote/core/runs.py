"""Run directories: atomic writes, one configuration, one process, a manifest.

A file is written beside its final name and renamed into place, so a reader sees the old file or the
new one and never half of one, whatever kills the writer. A directory belongs to one configuration
(`config.json`) and to one living process at a time (a lock that the kernel drops with the process).
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
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rote.core.bound import conflict
from rote.core.errors import RunError

if TYPE_CHECKING:
    import numpy.typing as npt

FORMAT_VERSION = 1
LOCK_SECONDS = 20.0  # how long to wait for a process that is just ending


@contextlib.contextmanager
def _one_line_io(path: Path) -> Iterator[None]:
    """Turn what the file system may refuse into one line that says what to do."""
    try:
        yield
    except OSError as error:
        advice = {
            errno.ENOSPC: "the disk is full; free some space and run the same command again",
            errno.EDQUOT: "the disk quota is used up; free some space and run the same again",
            errno.EACCES: "no permission to write there; choose another --out",
            errno.EPERM: "no permission to write there; choose another --out",
            errno.EROFS: "the file system is read-only; choose another --out",
            errno.ENOTDIR: "a part of the path is a file, not a folder; choose another --out",
            errno.EEXIST: "a file of that name is in the way; choose another --out",
            errno.EISDIR: "a folder of that name is in the way; choose another --out",
        }.get(error.errno or 0, error.strerror or str(error))
        raise RunError(f"cannot write {path}: {advice}") from error


def write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    """Call ``write`` with a temporary path beside ``path``, then rename it into place.

    Raises
    ------
    RunError
        If the disk is full or the path cannot be written. No partial file is left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with _one_line_io(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write(temporary)
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


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
            temporary.hardlink_to(other)
        except OSError:
            temporary.write_bytes(other.read_bytes())

    write_atomic(path, link)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file atomically from lines with their ends, as they come (UTF-8)."""

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="") as handle:
            handle.writelines(lines)

    write_atomic(path, write)


def to_json_text(value: Any) -> str:
    """Return the canonical JSON text of a result file: sorted never, indented, newline-ended."""
    return json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file atomically, with ``format_version`` as its first key."""
    write_text(path, to_json_text({"format_version": FORMAT_VERSION, **value}))


def write_status(path: Path, value: dict[str, Any]) -> None:
    """Replace a small file that only shows progress: atomic, but not waiting for the disk."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with _one_line_io(path):
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
    path: Path, *, dtype: str = "|u1"
) -> Iterator[Callable[[tuple[int, ...]], npt.NDArray[Any]]]:
    """Write a .npy file through memory: yields a function that makes its array, to be called once.

    ``dtype`` is what numpy calls it in a file: "|u1" for uint8, "<f4" for float32.

    The space is taken at once, for a disk that fills up later would kill the process. The file is
    renamed into place at the end of the context, and not left there if that ends in an error.

    Raises
    ------
    RunError
        If the disk has no room for it or the path cannot be written.
    """
    import numpy as np

    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")

    def make(shape: tuple[int, ...]) -> npt.NDArray[Any]:
        with _one_line_io(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as handle:
                header = {"descr": dtype, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(handle, header)
                start, size = handle.tell(), math.prod(shape) * np.dtype(dtype).itemsize
                os.posix_fallocate(handle.fileno(), 0, start + size)
            return np.memmap(temporary, np.dtype(dtype), "r+", offset=start, shape=shape)

    try:
        yield make
        with _one_line_io(path):
            temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):  # where the folder itself could not be made
            temporary.unlink()


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


def check_bound(path: Path, config: dict[str, Any]) -> None:
    """Refuse a directory that belongs to another configuration; a new one is anybody's.

    Raises
    ------
    RunError
        Naming what it holds, or the first key that differs.
    """
    if (path / "config.json").exists():
        new = json.loads(to_json_text({"format_version": FORMAT_VERSION, **config}))
        if problem := conflict(path, read_json(path / "config.json"), new):
            raise RunError(problem)


class Run:
    """An open run directory: locked, bound to one configuration, with a manifest.

    Use it as a context manager. Opening it again with the same configuration resumes; with another
    one it is an error that names the first differing key.
    """

    def __init__(
        self, path: Path, config: dict[str, Any], *, facts: dict[str, Any] | None = None
    ) -> None:
        self.path = path
        self._lock = _lock(path)
        try:
            self._bind(config)
            self._write_manifest(facts or {})
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the lock."""
        self._lock.close()

    def _bind(self, config: dict[str, Any]) -> None:
        check_bound(self.path, config)
        path = self.path / "config.json"
        if not path.exists():
            write_json(path, config)

    def _write_manifest(self, facts: dict[str, Any]) -> None:
        path = self.path / "manifest.json"
        if not path.exists():
            write_json(path, {"versions": versions(), "created": now(), **facts, "seconds": {}})

    def add_seconds(self, stage: str, seconds: float) -> None:
        """Add the time that a stage took to the manifest."""
        path = self.path / "manifest.json"
        manifest = read_json(path)
        manifest["seconds"][stage] = round(manifest["seconds"].get(stage, 0.0) + seconds, 3)
        write_text(path, to_json_text(manifest))

    def note(self, text: str) -> None:
        """Add to the manifest's ``notes`` what a person should know of this run."""
        path = self.path / "manifest.json"
        manifest = read_json(path)
        notes = manifest.get("notes", [])
        if text not in notes:
            write_text(path, to_json_text(manifest | {"notes": [*notes, text]}))

    @contextlib.contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Time a stage into the manifest, also when it is interrupted."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.add_seconds(stage, time.monotonic() - start)


class Metrics:
    """`metrics.jsonl` of a run: one JSON object a line, each with ``images_seen``.

    On resuming at some ``images_seen`` the lines after it are dropped, so that a resumed file equals
    that of an uninterrupted run.
    """

    def __init__(self, path: Path, *, resume_at: int = 0) -> None:
        self.path = path
        self.rows = [row for row in read_metrics(path) if row["images_seen"] <= resume_at]
        write_text(path, "".join(json.dumps(row) + "\n" for row in self.rows))

    def append(self, row: dict[str, Any]) -> None:
        """Append one row, flushed at once."""
        self.rows.append(row)
        with _one_line_io(self.path), self.path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(row, allow_nan=False) + "\n")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the complete rows of a metrics file; a last line cut by a kill is left out."""
    if not path.exists():
        return []
    rows = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                rows.append(json.loads(line))
    except ValueError as error:  # also what is no UTF-8
        raise RunError(f"{path} cannot be read ({error}); delete it and run again") from None
    return rows


def _lock(path: Path) -> Any:
    """Take the directory's lock, waiting a moment for a process that is just ending."""
    with _one_line_io(path):
        path.mkdir(parents=True, exist_ok=True)
        handle = (path / ".lock").open("a")
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                handle.close()
                raise RunError(
                    f"another process is working in {path}; wait for it, stop it, or choose "
                    "another --out"
                ) from None
            time.sleep(0.2)
        else:
            return handle


def now() -> str:
    """Return the current time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Return the versions of rote, Python and the libraries that figures depend on."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in ("rote", "torch", "numpy", "scipy", "pillow", "scikit-learn"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    found.update(_commit())
    return found


def _commit() -> dict[str, str]:
    """Return rote's own commit where it runs from a git checkout, else nothing."""
    top = Path(__file__).resolve().parents[3]
    if not (top / ".git").exists():
        return {}
    command = ["git", "-C", str(top), "describe", "--always", "--dirty", "--abbrev=12"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
        return {"commit": done.stdout.strip()}
    return {}
