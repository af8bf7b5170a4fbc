"""Spaces: where distances are taken; `rote.spaces.catalog` lists them."""

from rote.spaces.catalog import SPACES, open_space, open_spaces, register
from rote.spaces.factory import SpaceFactory
from rote.spaces.space import COLUMNS, GOWER, PIXEL, Space, own_space

__all__ = [
    "COLUMNS",
    "GOWER",
    "PIXEL",
    "SPACES",
    "Space",
    "SpaceFactory",
    "open_space",
    "open_spaces",
    "own_space",
    "register",
]
