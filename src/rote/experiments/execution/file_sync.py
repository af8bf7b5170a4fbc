"""The files of a run, sent between its folder and a worker that cannot see that folder.

A parcel names files relative to the run's folder, each with its content, or None where it is gone. Files
are renamed into place by whoever writes them, so each is whole; what must fit together is kept by order:
the state and the file that ends a run are read first and written last. So metrics reach at least as far
as the state beside them (a resumed run drops the lines after it), and a run that looks finished is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from rote.core.atomic_files import write_file

Parcel = dict[str, bytes | None]
LAST = ("checkpoints/state.safetensors", "trial.json", "point.json")
"""Written last, in this order."""


class FileSync:
    """Knows which files of a folder have been sent or received."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[int, int, int]] = {}

    def changed(self) -> Parcel:
        """Return what is new, changed or gone since the last call."""
        parcel: Parcel = {}
        names = set(_names(self._folder))
        for name in _last_first(names):
            try:
                with (self._folder / name).open("rb") as handle:
                    stat = os.fstat(handle.fileno())
                    mark = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
                    if self._known.get(name) == mark:
                        continue
                    parcel[name] = handle.read()
            except FileNotFoundError:  # the run has just removed it
                names.discard(name)
                continue
            self._known[name] = mark
        for name in [name for name in self._known if name not in names]:
            del self._known[name]
            parcel[name] = None
        return parcel

    def unpack(self, parcel: Parcel) -> None:
        """Write what another one sent."""
        for name in reversed(_last_first(parcel)):
            path, content = self._folder / name, parcel[name]
            assert self._folder in path.parents, name
            assert ".." not in Path(name).parts, name
            if content is None:
                path.unlink(missing_ok=True)
                self._known.pop(name, None)
                continue
            write_file(path, content)
            stat = path.stat()
            self._known[name] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)


def _names(folder: Path) -> Iterable[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        # Hidden are the locks and files that are being written.
        if not any(part.startswith(".") for part in name.parts) and path.is_file():
            yield name.as_posix()


def _last_first(names: Iterable[str]) -> list[str]:
    ranks = {name: -number for number, name in enumerate(LAST, 1)}
    return sorted(names, key=lambda name: (ranks.get(name, 0), name))
