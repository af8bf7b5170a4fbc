"""Spaces: where distances are taken; `rote.spaces.catalog` lists them."""

from rote.spaces.catalog import open_space, open_spaces
from rote.spaces.space import COLUMNS, GOWER, PIXEL, Space, own_space

__all__ = ["COLUMNS", "GOWER", "PIXEL", "Space", "open_space", "open_spaces", "own_space"]
