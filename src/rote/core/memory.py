"""How a process of ours holds its memory, and how much there is."""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import math
import os
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KEPT_BYTES = 1 << 30
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h of glibc
THREAD_BYTES = 160 << 20
"""Addresses that a thread reserves for its stack and its part of the heap, and does not use."""
_AVAILABLE = re.compile(r"MemAvailable:\s+(\d+) kB")
_FIRST_VERSION = ("memory.limit_in_bytes", "memory.usage_in_bytes")
_bounding = threading.Lock()
_bounded: list[tuple[int, int]] = []


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that a device, or this process, could get no more memory.

    On a GPU torch raises an error of its own; on a CPU it is a RuntimeError that only its text tells.
    """
    return (
        isinstance(error, MemoryError)
        or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__)
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )


def memory_of_machine() -> int:
    """Return the bytes of memory that this process can have at most: the machine's, or its group's."""
    found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):  # "max" where the group has no limit
        found = min(found, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return found


@dataclass(frozen=True)
class Blocks:
    """How much is held at a time, in bytes; what is found does not depend on it.

    Attributes
    ----------
    block
        Of items that are copied, made or decoded together.
    references
        Up to so many are copied and prepared for all searches; more are searched block by block.
    """

    block: int = 2**28
    references: float = math.inf


_blocks: contextvars.ContextVar[Blocks] = contextvars.ContextVar("_blocks")


def blocks() -> Blocks:
    """Return how much may be held at a time."""
    return _blocks.get(Blocks())


@contextlib.contextmanager
def held_in(size: Blocks) -> Iterator[None]:
    """Let what is called within the block hold so much at a time."""
    token = _blocks.set(size)
    try:
        yield
    finally:
        _blocks.reset(token)


def memory_left() -> int:
    """Return the bytes that this process may still take: of the machine, its groups and its limit.

    Groups are those of Linux's control groups, of both versions, with the ones they lie in.
    """
    left = memory_of_machine()
    with contextlib.suppress(OSError):
        if free := _AVAILABLE.search(Path("/proc/meminfo").read_text("ascii")):
            left = int(free[1]) << 10
    left = min([left, *_left_in_groups()])
    with contextlib.suppress(ImportError, OSError):
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            left = min(left, soft - pages * resource.getpagesize())
    return max(0, left)


def _left_in_groups() -> Iterator[int]:
    """Yield what the control groups of this process leave; pages of files can be taken back."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if kinds not in ("", "memory"):
            continue
        root = Path("/sys/fs/cgroup") / kinds
        most, held = ("memory.max", "memory.current") if not kinds else _FIRST_VERSION
        group = root / path.lstrip("/")
        # In a container the group's own path may be that of the host, and its files lie at the root.
        for folder in {root, group, *(one for one in group.parents if root in one.parents)}:
            with contextlib.suppress(OSError, ValueError):  # "max" where the group has no limit
                limit, used = (int((folder / name).read_text()) for name in (most, held))
                files = re.search(
                    r"^(?:total_)?inactive_file (\d+)", _text(folder / "memory.stat"), re.M
                )
                yield limit - used + (int(files[1]) if files else 0)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def keep_freed_memory() -> bool:
    """Keep what is freed for the next allocation, instead of giving it back and asking for it again.

    A training step frees and allocates the same few hundred tensors. Left to itself, glibc returns the
    top of the heap to the system after each step and has every page of it cleared and mapped again in
    the next: 4,000 page faults, a tenth of a step, at preset `small`. Blocks above 32 MB (128 images of
    64x64 in 16 channels) it maps one by one, whatever its threshold is set to: a third of the time that
    such samples take. So nothing is mapped. Only for processes of our own: the setting holds for all of
    the process, which may then keep up to 1 GB that it does not use.

    Returns
    -------
    bool
        True if it was set; False where the C library is another one.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # musl
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))


@contextlib.contextmanager
def bounded_memory(most: int | None = None) -> Iterator[None]:
    """Let this process take no more than what is free now, while code runs that may ask for any amount.

    An allocation beyond it fails at once, as one error, where the system would promise the memory and
    end the process, or another, once it is used. The limit is on addresses and holds for all threads,
    so those that threads only reserve are added. Linux only; elsewhere there is no limit.

    Parameters
    ----------
    most
        Bytes, where less than all that is free is enough.

    Raises
    ------
    MemoryError, RuntimeError
        By what asked for too much; torch raises the latter.
    """
    limits = _take_limit(most)
    try:
        yield
    finally:
        if limits:
            _give_back_limit()


def _take_limit(wanted: int | None) -> bool:
    if sys.platform != "linux":
        return False
    import resource

    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        free = _AVAILABLE.search(Path("/proc/meminfo").read_text("ascii"))
    except OSError:  # no /proc in this container
        return False
    assert free is not None
    enough = int(free[1]) << 10
    if wanted is not None:
        enough = min(enough, wanted)
    spare = enough + THREAD_BYTES * (os.cpu_count() or 1)
    most = pages * resource.getpagesize() + spare
    with _bounding:
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        _bounded.append((soft, hard))
        if len(_bounded) == 1 and (soft == resource.RLIM_INFINITY or most < soft):
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    return True


def _give_back_limit() -> None:
    import resource

    with _bounding:
        first = _bounded[0]
        _bounded.pop()
        if not _bounded:
            resource.setrlimit(resource.RLIMIT_AS, first)
