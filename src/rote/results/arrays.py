"""Reads the arrays of an npz file, with errors in one line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rote.core.errors import RunError


def read_arrays(
    path: Path, needed: Sequence[str], others: Sequence[str] = ()
) -> dict[str, NDArray[Any]]:
    """Read named arrays of an npz file; nothing in it is ever unpickled.

    Parameters
    ----------
    path
        The file.
    needed
        Names that it must have.
    others
        Names that are left out of the answer where it has them not.

    Raises
    ------
    RunError
        If the file is missing, damaged, or lacks an array.
    """
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
            known = set(arrays.files)
            found = {name: arrays[name] for name in (*needed, *others) if name in known}
    except FileNotFoundError:
        raise RunError(f"{path} does not exist; run the command that wrote {path.parent}") from None
    except AttributeError:  # a single array instead of an archive
        raise RunError(f"{path} is damaged (it is not an npz file); run again") from None
    # numpy answers headers that lie with nearly every exception, down to those of Python's tokenizer.
    except Exception as error:  # noqa: BLE001
        reason = " ".join(str(error).split())
        raise RunError(f"{path} is damaged ({reason}); delete it and run again") from None
    if not set(needed) <= set(found):
        raise RunError(f"{path} is damaged (an array is missing); delete it and run again")
    return found
