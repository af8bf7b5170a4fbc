"""How a process of ours holds its memory."""

from __future__ import annotations

import ctypes
import sys

KEPT_BYTES = 1 << 30
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h of glibc


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that a device, or this process, could get no more memory.

    On a GPU torch raises an error of its own; on a CPU it is a RuntimeError that only its text tells.
    """
    return (
        isinstance(error, MemoryError)
        or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__)
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )


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
