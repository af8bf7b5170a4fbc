"""`SpaceFactory`: a space as the catalog has it: its name, its words, and how it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from rote.core.errors import ConfigError
from rote.spaces.parse import Wanted, check_options
from rote.spaces.space import Space


@dataclass(frozen=True)
class SpaceFactory:
    """One entry of the catalog.

    Attributes
    ----------
    name
        As it is asked for.
    words
        Where distances are taken, for people.
    open
        Returns the space of what was asked for, on a device ("cpu" or "cuda").
    usage
        How it is written with what may stand behind the name; empty: the name alone.
    takes
        The kind of data: images, any numbers, or rows of tables.
    needs
        What has to be there beside rote; empty: nothing.
    """

    name: str
    words: str
    open: Callable[[Wanted, str], Space]
    usage: str = ""
    takes: Literal["images", "volumes", "series", "numbers", "tables"] = "images"
    needs: str = ""

    @staticmethod
    def of(space: Space, words: str = "") -> SpaceFactory:
        """Return the entry of a space that is there, and takes nothing behind its name."""

        def open_it(wanted: Wanted, device: str) -> Space:
            check_options(wanted, ())
            if wanted.argument:
                raise ConfigError(f"`space` {wanted.text}: {wanted.name} takes nothing behind it")
            return space

        return SpaceFactory(space.name, words or space.words, open_it, takes=space.takes)

    def __call__(self, wanted: Wanted, device: str) -> Space:
        """Open the space; it carries the words of its entry unless it has its own."""
        space = self.open(wanted, device)
        return space if space.words else replace(space, words=self.words, takes=self.takes)
