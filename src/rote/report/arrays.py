"""Reads the arrays of an npz file, with errors in one line."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rote.core.errors import RunError


def read_arrays(path: Path, *names: str) -> list[NDArray[Any]]:
    """Read the named arrays of an npz file; nothing in it is ever unpickled."""
    arrays = read_optional(path, *names)
    if arrays is None:
        raise RunError(f"{path} is damaged (an array is missing); delete it and run again")
    return arrays


def read_optional(path: Path, *names: str) -> list[NDArray[Any]] | None:
    """Read the named arrays of an npz file, or return None where one of them is not there."""
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
            return [arrays[name] for name in names] if set(names) <= set(arrays.files) else None
    except FileNotFoundError:
        raise RunError(f"{path} does not exist; run the command that wrote {path.parent}") from None
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{path} is damaged ({reason}); delete it and run again") from None
    except AttributeError:  # a single array instead of an archive
        raise RunError(f"{path} is damaged (it is not an npz file); run again") from None
