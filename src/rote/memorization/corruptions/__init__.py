"""Corruptions: what a model's copies may look like, for each kind of items.

`CORRUPTIONS` holds all of them; `register` adds one from outside, and `docs/how-to/extend.md` shows how.
"""

from rote.memorization.corruptions.catalog import (
    CORRUPTIONS,
    Corruption,
    Degradation,
    default_copies,
    degradations,
    given_to,
    register,
    seeds,
)

__all__ = [
    "CORRUPTIONS",
    "Corruption",
    "Degradation",
    "default_copies",
    "degradations",
    "given_to",
    "register",
    "seeds",
]
