"""`Catalog`: things of one kind by name, those that come with rote and those registered from outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from rote.core.errors import ConfigError, did_you_mean


class Named(Protocol):
    """What a catalog can hold."""

    @property
    def name(self) -> str:
        """As it is asked for."""


Entry = TypeVar("Entry", bound=Named)


class Catalog(Generic[Entry]):
    """Entries in order, each name once.

    Parameters
    ----------
    what
        What an entry is called in messages, such as "`criterion`".
    entries
        Those that come with rote.
    """

    def __init__(self, what: str, entries: Iterable[Entry]) -> None:
        self._what = what
        self._own = {entry.name: entry for entry in entries}
        self._added: dict[str, Entry] = {}

    def __iter__(self) -> Iterator[Entry]:
        yield from (self._own | self._added).values()

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._added

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in order."""
        return tuple(entry.name for entry in self)

    def __getitem__(self, name: str) -> Entry:
        """Return the entry of a name.

        Raises
        ------
        ConfigError
            If there is none; the message names the nearest.
        """
        if name not in self:
            raise ConfigError(f"{self._what} '{name}' is unknown{did_you_mean(name, self.names)}")
        return (self._own | self._added)[name]

    def register(self, entry: Entry) -> None:
        """Add an entry behind all others; one that was registered under its name before is replaced.

        Raises
        ------
        ConfigError
            If its name is that of one that comes with rote.
        """
        if entry.name in self._own:
            raise ConfigError(f"{self._what} '{entry.name}' comes with rote; choose another name")
        self._added[entry.name] = entry

    def forget(self, name: str) -> None:
        """Take out an entry that was registered."""
        del self._added[name]
