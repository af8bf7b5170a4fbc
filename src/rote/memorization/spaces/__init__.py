"""Spaces: where distances are taken; `rote.memorization.spaces.catalog` lists them."""

from rote.memorization.spaces.catalog import open_space, open_spaces
from rote.memorization.spaces.contract import COLUMNS, PIXEL, Space

__all__ = ["COLUMNS", "PIXEL", "Space", "open_space", "open_spaces"]
