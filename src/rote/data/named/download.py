"""Fetch one file of known size and SHA-256 into the cache folder; a cut download is resumed.

The bytes go to ``<name>.part``; only a file of the right size and checksum gets its name. Two
processes that want the same file take turns through a lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from filelock import FileLock

from rote.core.cache_folder import make_private
from rote.core.errors import DownloadError
from rote.data.messages import shown

Progress = Callable[[int, int], None]
"""Called with the bytes there are and the bytes there will be."""

_BLOCK = 2**18
LEAST_BYTES, LEAST_SECONDS = 60_000, 60.0
"""A server that gives less in that time counts as gone, though it never falls silent."""
_ATTEMPTS = 5  # in one call, and only while each brings new bytes


@dataclass(frozen=True)
class RemoteFile:
    """A file on the web: where it is, its size in bytes and its SHA-256 (hexadecimal)."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """File name, as in the address."""
        return self.url.rsplit("/", 1)[1]


def fetch(
    remote: RemoteFile, folder: Path, *, progress: Progress | None = None, timeout: float = 30.0
) -> Path:
    """Return the path of the file in ``folder``, downloading what is missing of it.

    Parameters
    ----------
    remote
        What to fetch.
    folder
        Cache folder; made if missing.
    progress
        Called now and then with (bytes so far, bytes in all).
    timeout
        Seconds without a byte after which the server counts as gone; so does one that only drips.

    Raises
    ------
    DownloadError
        If the server cannot be reached, the connection is cut for good, the folder cannot be
        written, or size or checksum are wrong (also of a file put there by hand).
    """
    path = folder / remote.name
    if not path.exists():
        with _local(folder):
            make_private(folder)
        with _local(folder), FileLock(folder / f".{remote.name}.lock"):
            if not path.exists():  # another process may have fetched it meanwhile
                _download(remote, path, progress=progress, timeout=timeout)
                return path
    with _local(path):
        problem = _mismatch(path, remote)
    if problem:
        raise DownloadError(
            f"{shown(path)} {problem}; delete it and run the same command again, or put the file "
            f"of {remote.url} there"
        )
    return path


def _download(remote: RemoteFile, path: Path, *, progress: Progress | None, timeout: float) -> None:
    part = path.with_name(f"{path.name}.part")
    # What is linked is somebody's file, which would be written.
    if (
        part.is_symlink()
        or _size(part) > remote.size
        or (part.exists() and part.stat().st_nlink > 1)
    ):
        part.unlink()
    problem = ""
    for _ in range(_ATTEMPTS):
        before = _size(part)
        if before >= remote.size:
            break
        problem = _attempt(remote, part, path, progress=progress, timeout=timeout)
        if _size(part) == before:
            break
    if _size(part) < remote.size:
        raise DownloadError(
            f"the download of {remote.url} stopped at {_size(part):,} of {remote.size:,} bytes "
            f"({problem}); run the same command again to go on from there, or put the file at "
            f"{shown(path)} by hand"
        )
    wrong = _mismatch(part, remote)
    if wrong:
        part.unlink()
        raise DownloadError(
            f"the file that {remote.url} gave {wrong}; it was deleted: run the same command again, "
            f"or put the right file at {shown(path)} by hand"
        )
    part.replace(path)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _attempt(
    remote: RemoteFile, part: Path, path: Path, *, progress: Progress | None, timeout: float
) -> str:
    """Append what one connection gives to the part; return why it ended early, if it did."""
    start = _size(part)
    headers = {"User-Agent": "rote", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(remote.url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and start:  # it does not have that much: begin anew
                part.unlink()
                return "the server has fewer bytes"
            reason = f"HTTP {error.code} {shown(error.reason)}"
        raise _unreachable(remote, path, reason) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = shown(getattr(error, "reason", None) or error or type(error).__name__)
        raise _unreachable(remote, path, reason) from None
    with response:
        if response.status != 206:  # no support for ranges: the whole file follows
            start = 0
        _check_announced(remote, response, start=start)
        with part.open("ab" if start else "wb") as handle:
            return _copy(response, handle, start=start, total=remote.size, progress=progress)


def _check_announced(remote: RemoteFile, response: http.client.HTTPResponse, *, start: int) -> None:
    """Refuse at once what cannot be the file, such as a login page."""
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and start + int(announced) != remote.size:
        raise DownloadError(
            f"{remote.url} offers {start + int(announced):,} bytes and {remote.size:,} are "
            "expected; the file there is another one, or a proxy is in the way"
        )


def _copy(
    response: http.client.HTTPResponse,
    handle: IO[bytes],
    *,
    start: int,
    total: int,
    progress: Progress | None,
) -> str:
    done = seen = start
    since = time.monotonic()
    while done <= total:
        if time.monotonic() - since > LEAST_SECONDS:
            if done - seen < LEAST_BYTES:
                return f"fewer than {LEAST_BYTES:,} bytes came in {LEAST_SECONDS:g} seconds"
            since, seen = time.monotonic(), done
        try:
            block = response.read1(_BLOCK)  # what has come, so that drops are noticed
        except (OSError, http.client.HTTPException) as error:
            return shown(error) or type(error).__name__
        if not block:
            return "the connection was cut"
        handle.write(block)
        done += len(block)
        if progress is not None:
            progress(min(done, total), total)
    return ""


def _mismatch(path: Path, remote: RemoteFile) -> str:
    """Return how a file differs from the expected one in size or checksum, or nothing."""
    size = path.stat().st_size
    if size != remote.size:
        return f"has {size:,} bytes and {remote.size:,} are expected"
    with path.open("rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    return "" if found == remote.sha256 else f"has SHA-256 {found} and {remote.sha256} is expected"


def _unreachable(remote: RemoteFile, path: Path, reason: str) -> DownloadError:
    return DownloadError(
        f"cannot download {remote.url} ({reason}); check the network, or put the file at "
        f"{shown(path)} by hand"
    )


@contextlib.contextmanager
def _local(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into one line; the network's errors never get here."""
    try:
        yield
    except OSError as error:
        raise DownloadError(
            f"cannot use {shown(error.filename or path)} for downloads "
            f"({error.strerror or error}); free some space, or set ROTE_CACHE to another folder"
        ) from error
