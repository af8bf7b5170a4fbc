"""Typed access to the JSON of a result file, with one-line errors that name file and key."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from rote.core.errors import RunError
from rote.stats.rates import Difference, Rate


class Fields:
    """One JSON object of a result file; every accessor checks what it returns."""

    def __init__(self, path: Path, values: dict[str, Any], where: str = "") -> None:
        self.path = path
        self.values = values
        self._where = where

    def _name(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key

    def wrong(self, key: str, expected: str) -> RunError:
        """Return the error that says ``key`` is not what it should be."""
        return RunError(
            f"{self.path} is damaged: {self._name(key)} is not {expected}; "
            "delete that file and run the command that wrote it again"
        )

    def text(self, key: str) -> str:
        """Return a string."""
        value = self.values.get(key)
        if not isinstance(value, str):
            raise self.wrong(key, "a text")
        return value

    def number(self, key: str) -> float:
        """Return a finite number."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, "a number")
        if not math.isfinite(value):
            raise self.wrong(key, "a finite number")
        return float(value)

    def optional_number(self, key: str) -> float | None:
        """Return a finite number, or None where the file says null."""
        return None if self.values.get(key) is None else self.number(key)

    def count(self, key: str) -> int:
        """Return an integer that is not negative."""
        value = self.number(key)
        if value < 0 or value != int(value):
            raise self.wrong(key, "a count")
        return int(value)

    def positive(self, key: str) -> int:
        """Return an integer of at least 1."""
        value = self.count(key)
        if value < 1:
            raise self.wrong(key, "1 or more")
        return value

    def one_of(self, key: str, *choices: str) -> str:
        """Return a string that is one of the choices."""
        value = self.text(key)
        if value not in choices:
            raise self.wrong(key, f"one of {', '.join(choices)}")
        return value

    def child(self, key: str) -> Fields:
        """Return a nested object."""
        value = self.values.get(key)
        if not isinstance(value, dict):
            raise self.wrong(key, "an object")
        return Fields(self.path, value, self._name(key))

    def optional_child(self, key: str) -> Fields | None:
        """Return a nested object, or None where the file says null."""
        return None if self.values.get(key) is None else self.child(key)

    def children(self, key: str) -> list[Fields]:
        """Return a list of nested objects."""
        value = self.values.get(key)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(key, "a list of objects")
        name = self._name(key)
        return [Fields(self.path, item, f"{name}[{n}]") for n, item in enumerate(value)]

    def optional_children(self, key: str) -> list[Fields]:
        """Return a list of nested objects, empty where the file has none."""
        return [] if self.values.get(key) is None else self.children(key)

    def optional_rate(self, key: str) -> Rate | None:
        """Return a rate, or None where the file has none."""
        return None if self.values.get(key) is None else self.rate(key)

    def optional_difference(self, key: str) -> Difference | None:
        """Return a difference of two rates, or None where the file has none."""
        fields = self.optional_child(key)
        if fields is None:
            return None
        value, low, high = (fields.number(name) for name in ("value", "low", "high"))
        if not -1 <= low <= value <= high <= 1:
            raise self.wrong(key, "a difference with its interval inside -1 to 1")
        return Difference(value, low, high, fields.number("confidence"), fields.text("method"))

    def rate(self, key: str) -> Rate:
        """Return a rate whose numbers are possible."""
        fields = self.child(key)
        rate = Rate(
            value=fields.number("value"),
            low=fields.number("low"),
            high=fields.number("high"),
            count=fields.count("count"),
            total=fields.count("total"),
            confidence=fields.number("confidence"),
        )
        if not (rate.total >= 1 and rate.count <= rate.total and 0 < rate.confidence < 1):
            raise self.wrong(key, "a rate")
        if not 0 <= rate.low <= rate.value <= rate.high <= 1:
            raise self.wrong(key, "a rate with its interval inside 0 to 1")
        return rate
