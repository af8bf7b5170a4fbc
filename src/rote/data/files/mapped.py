"""Large .npy and .npz files of images: mapped into memory, never loaded as a whole.

What rests in the file as rote keeps images (uint8, channels last) is mapped where it lies, also within an
uncompressed .npz. What is compressed or of another layout goes block by block into the folder of decoded
images, under a digest of the file, and is mapped from there.
"""

from __future__ import annotations

import hashlib
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from rote.core.mapped_pages import release_pages
from rote.core.progress.work import counted_results
from rote.data.resample import workers

MAPPED_FROM = 64 * 2**20
"""Bytes of an array from which it is mapped; smaller ones are simply read."""
BLOCK_BYTES = 16 * 2**20
CHECKED_BYTES = 4 * 2**20
LOCAL_HEADER = struct.Struct("<26xHH")
"""Of a zip member: lengths of its name and of its extra field."""

Header = tuple[tuple[int, ...], np.dtype[Any]]


def npy_header(member: IO[bytes]) -> Header | None:
    """Return shape and dtype of an open .npy, or None if its rows cannot be read in order."""
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(member)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(member)
    else:
        return None
    return None if fortran or dtype.hasobject else (shape, dtype)


def map_member(path: Path, name: str) -> npt.NDArray[Any] | None:
    """Map an uncompressed member of an .npz where it lies in the file; None if it is compressed.

    Raises
    ------
    zipfile.BadZipFile, ValueError, OSError
        If the archive is damaged; its check sum is read to the end.
    """
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(name)
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            return None
        with archive.open(name) as member:
            header = npy_header(member)
            if header is None:
                return None
            start = member.tell()
            _check_length(header, info.file_size - start)
            while member.read(BLOCK_BYTES):
                pass
    with path.open("rb") as handle:
        handle.seek(info.header_offset)
        name_length, extra_length = LOCAL_HEADER.unpack(handle.read(LOCAL_HEADER.size))
    offset = info.header_offset + LOCAL_HEADER.size + name_length + extra_length + start
    return np.memmap(path, header[1], "r", offset=offset, shape=header[0])


def _check_length(header: Header, held: int) -> None:
    """Refuse a header that claims another number of bytes than follow it."""
    shape, dtype = header
    claimed = math.prod(shape) * dtype.itemsize
    if claimed != held:
        raise ValueError(f"its header claims {claimed:,} bytes and {held:,} follow")


def unpacked(path: Path, name: str, start: int = 0) -> Iterator[npt.NDArray[Any]]:
    """Yield the rows of a member of an .npz from ``start`` on, some at a time, as they are unpacked.

    Raises
    ------
    EOFError, zipfile.BadZipFile, ValueError, OSError
        If the archive is damaged.
    """
    with zipfile.ZipFile(path) as archive, archive.open(name) as member:
        header = npy_header(member)
        assert header is not None
        _check_length(header, archive.getinfo(name).file_size - member.tell())
        (count, *inner), dtype = header
        row_bytes = int(np.prod(inner, dtype=np.int64)) * dtype.itemsize
        rows = max(1, BLOCK_BYTES // row_bytes)
        # A compressed archive has no way to a row but through those before it.
        member.seek(member.tell() + start * row_bytes)
        for first in range(start, count, rows):
            size = min(rows, count - first)
            raw = member.read(size * row_bytes)
            if len(raw) != size * row_bytes:
                raise EOFError("it ends too early")
            yield np.frombuffer(raw, dtype).reshape(size, *inner)


def blocks_of(array: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Yield the rows of an array, some at a time; of a mapped one only these are in memory."""
    rows = max(1, BLOCK_BYTES // max(1, array[:1].nbytes))
    for first in range(0, len(array), rows):
        yield array[first : first + rows]
        release_pages(array)


def write_blocks(
    blocks: Iterator[npt.NDArray[Any]],
    shape: tuple[int, ...],
    make_room: Callable[[tuple[int, ...]], npt.NDArray[np.uint8]],
) -> None:
    """Put blocks of uint8 rows behind each other into a new array of that shape."""
    room, done = make_room(shape), 0
    for block in blocks:
        room[done : done + len(block)] = block
        done += len(block)
        release_pages(room)
    assert done == len(room)


def checksum_of(path: Path) -> str:
    """Return the CRC-32 of the blocks of a file, hashed: what damage cannot leave as it was.

    A person who can write here can change the note too, so that nothing stronger would tell more; this
    takes a third of the time of SHA-256.
    """
    with path.open("rb") as handle, ThreadPoolExecutor(workers()) as pool:
        number = handle.fileno()
        starts = range(0, os.fstat(number).st_size, CHECKED_BYTES)
        sums = pool.map(lambda start: zlib.crc32(os.pread(number, CHECKED_BYTES, start)), starts)
        parts = counted_results(sums, "blocks of kept images checked", len(starts))
        return hashlib.sha256(b"".join(part.to_bytes(4) for part in parts)).hexdigest()
