"""What was read of each side, left out and changed: the accounts of `audit.json` as rows of a page."""

from __future__ import annotations

from collections.abc import Sequence

from rote.report.words import short
from rote.results.audit import Control
from rote.results.side import Side, SourceAccount

MOST = 6
"""Reasons and changes that are told of each side; the rest is in `audit.json`."""
Pairs = list[tuple[str, str]]


def accounts_of(sides: Sequence[tuple[str, Side | Control]]) -> list[tuple[str, Pairs]]:
    """Return a title and the rows of each side whose file has an account."""
    return [
        (f"{name}: what was read", _rows(side.account))
        for name, side in sides
        if side.account is not None
    ]


def _rows(account: SourceAccount) -> Pairs:
    """Return what became of everything under a source.

    >>> _rows(SourceAccount(files=3, read=3, left_out=(), treated=(), notes=(), unit="files"))
    [('files read', '3 of 3'), ('left out', 'none'), ('changed', 'none')]
    """
    left_out = [
        (
            "left out",
            f"{group.count:,} {short(group.extension)}: {group.reason}{_such_as(group.names)}",
        )
        for group in account.left_out
    ]
    changed = [
        ("changed", f"{group.count:,} {group.what}: {group.done}{_such_as(group.names)}")
        for group in account.treated
    ]
    return [
        (f"{account.unit} read", f"{account.read:,} of {account.files:,}"),
        *_few(left_out, "left out"),
        *_few(changed, "changed"),
        *(("note", note) for note in account.notes),
    ]


def _such_as(names: Sequence[str]) -> str:
    return f" (such as {short(names[0])})" if names else ""


def _few(rows: Pairs, name: str) -> Pairs:
    """Return the first rows and how many more there are, or that there are none."""
    if not rows:
        return [(name, "none")]
    more = len(rows) - MOST
    return rows if more <= 0 else [*rows[:MOST], (name, f"for {more:,} more reasons")]
