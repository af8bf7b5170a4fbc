"""The rules of groups as words: known before anything is imported."""

from __future__ import annotations

WORDS = ("folder", "label", "caption", "none")
_FILES = (".csv", ".tsv", ".parquet")


def column_of(rule: str | None) -> str | None:
    """Return the column of a table that a rule names; None for all other rules.

    >>> column_of("household"), column_of("folder"), column_of("patients.csv")
    ('household', None, None)
    """
    return None if rule is None or rule in WORDS or is_file(rule) else rule


def is_file(rule: str) -> bool:
    """Return whether a rule is a file of names and their groups."""
    return rule.lower().endswith(_FILES)
