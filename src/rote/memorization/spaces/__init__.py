"""Spaces: where distances are taken; `rote.memorization.spaces.catalog` lists them."""

from rote.memorization.spaces.catalog import open_space, open_spaces
from rote.memorization.spaces.contract import COLUMNS, GOWER, PIXEL, Space, own_space

__all__ = ["COLUMNS", "GOWER", "PIXEL", "Space", "open_space", "open_spaces", "own_space"]
