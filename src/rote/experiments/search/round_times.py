"""The time that the rounds of a search have taken, over all calls that worked on them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rote.core.atomic_files import read_json, write_json


class Clock:
    """`rounds.json`: seconds per round, so that a search played again spends its time budget alike.

    The time of a round that was interrupted counts; that of one that was killed is lost with it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rounds = _read(path)
        self._number = 0
        self.seconds = 0.0
        """Of the rounds played so far."""

    @staticmethod
    def total(path: Path) -> float:
        """Return the seconds of all rounds that a file notes; 0 where there is none."""
        return float(sum(held["seconds"] for held in _read(path)))

    @contextlib.contextmanager
    def round(self, runs: Sequence[tuple[int, int]]) -> Iterator[None]:
        """Time the next round, or take what an earlier call noted for it."""
        named = [list(run) for run in runs]
        held = self._rounds[self._number] if self._number < len(self._rounds) else None
        if held is None or held["runs"] != named:  # the search takes another way from here on
            held = {"runs": named, "seconds": 0.0, "done": False}
            self._rounds[self._number :] = [held]
        started = time.monotonic()
        was_done = held["done"]
        try:
            yield
            held["done"] = True
        finally:
            if not was_done:
                held["seconds"] = round(held["seconds"] + time.monotonic() - started, 3)
                write_json(self._path, {"rounds": self._rounds})
            self.seconds += held["seconds"]
            self._number += 1


def _read(path: Path) -> list[dict[str, Any]]:
    rounds: list[dict[str, Any]] = read_json(path)["rounds"] if path.exists() else []
    return rounds
