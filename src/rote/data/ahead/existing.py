"""Whether there is such a source at all, asked before anything is imported that could read it."""

from __future__ import annotations

import contextlib
import difflib
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from rote.core.errors import DataError, did_you_mean
from rote.data.containers.ranges import files_of_range, is_range
from rote.data.messages import shown
from rote.data.named.names import named_sources

PIPELINE = "model_index.json"
"""In the folder of a pipeline of diffusers, which makes images and holds none."""
_COPIES = {
    "s3": " (aws s3 sync ADDRESS FOLDER)",
    "gs": " (gcloud storage cp -r ADDRESS FOLDER)",
    "hf": " (huggingface_hub.snapshot_download)",
    "http": " (curl -LO ADDRESS)",
    "https": " (curl -LO ADDRESS)",
}
"""How, with the tools that people have."""
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/|pipe:|git@", re.IGNORECASE)


def existing_path(source: str | Path) -> Path:
    """Return the path of a source that is no named one.

    Raises
    ------
    DataError
        If there is none, with the nearest name; or if it is an address of another machine.
    """
    text = str(source)
    path = Path(source).expanduser()
    try:
        if text and is_range(path):
            files_of_range(path)
            return path
        found = path.stat() if text else None
    except (FileNotFoundError, NotADirectoryError):
        found = None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"'{shown(text)}' cannot be opened ({reason}); give `source` another path"
        ) from None
    if found is None:
        if _ADDRESS.match(text):
            how = _COPIES.get(text.partition(":")[0].lower(), "")
            raise DataError(
                f"'{shown(text)}' is an address, and what lies on this machine is read: copy it "
                f"first{how}, and give `source` the path of the copy"
            )
        if isinstance(source, str) and "/" not in text and "." not in text:
            hint = near(path, named_sources()) if text else ""
            hint = hint or did_you_mean(text, named_sources())
            raise DataError(
                f"`source` '{shown(text)}' is neither a named source{hint} nor a path that exists"
            )
        other = near(path) if text else ""
        raise DataError(
            f"'{shown(text)}' does not exist{other}; give `source` a folder, a .zip, .tar, .npz, .npy, "
            ".csv or .parquet file, an image, or a named source"
        )
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise DataError(
            f"'{shown(text)}' is neither a folder nor a file; give `source` one of them"
        )
    return path


def near(path: Path, known: Iterable[str] = ()) -> str:
    """Say which file beside the path, or which known name, is the nearest; nothing where none is near."""
    names = list(known)
    with contextlib.suppress(OSError):
        names += sorted(other.name for other in path.parent.iterdir())
    found = difflib.get_close_matches(path.name, names, n=1)
    return f" (did you mean '{shown(path.with_name(found[0]))}'?)" if found else ""
