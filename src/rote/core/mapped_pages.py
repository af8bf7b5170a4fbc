"""Arrays mapped from files: letting go of what has been read.

The pages of a mapped file count as memory of the process for as long as they are mapped in, though the
kernel could take them back. Whoever goes through a large file once gives them up piece by piece.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt


def is_mapped(array: npt.NDArray[Any]) -> bool:
    """Say whether an array is (a view of) a file mapped into memory."""
    return mapping_of(array) is not None


def release_pages(array: npt.NDArray[Any]) -> None:
    """Let go of the pages of the file that an array is mapped from; nothing for other arrays.

    The array stays as it is: what is read again comes back from the file, mostly from the kernel's cache.
    """
    mapping = mapping_of(array)
    if mapping is not None:
        mapping.madvise(mmap.MADV_DONTNEED)


def mapping_of(array: npt.NDArray[Any]) -> mmap.mmap | None:
    """Return the mapping below an array, unless changes to it would be lost with its pages."""
    base: Any = array
    while base is not None:
        if getattr(base, "mode", None) == "c":
            return None
        if isinstance(base, mmap.mmap):
            return base
        base = getattr(base, "base", None)
    return None
