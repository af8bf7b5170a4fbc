"""What became of everything under a source: what was read, what was not, and what was changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rote.data.messages import shown, storable

_NAMES = 3


@dataclass(frozen=True)
class LeftOut:
    """Files that were not read for one reason."""

    reason: str
    extension: str
    """".txt" and so on; "none" without one."""
    count: int
    names: tuple[str, ...]
    """The first of them; untrusted text."""


@dataclass(frozen=True)
class Treated:
    """Images that had one property, and what was done about it."""

    what: str
    """Such as "with transparency"."""
    count: int
    done: str
    names: tuple[str, ...]
    said: bool = True
    """Whether it may decide what is a copy, and is said to people unasked."""
    option: str = ""
    """Which of the ways of reading does otherwise."""


@dataclass(frozen=True)
class Account:
    """What became of the files of a source.

    Attributes
    ----------
    files
        How many there are, of all kinds.
    read
        How many of them are images (or arrays) that were read.
    left_out
        The rest, by reason and extension.
    treated
        What was done with images that had something special.
    notes
        Sentences about the whole.
    """

    files: int
    read: int
    left_out: tuple[LeftOut, ...] = ()
    treated: tuple[Treated, ...] = ()
    notes: tuple[str, ...] = ()
    unit: str = "files"
    """What is counted: files, the arrays of an npz file, or the rows of a table."""
    captions: int = 0
    """How many of them hold captions of others, and no image."""

    def parts(self, *, all_of_it: bool = False) -> list[str]:
        """Return what there is to say, in phrases; all of it, or what may decide what is a copy.

        >>> Account(3, 2, (LeftOut("text", ".txt", 1, ("a.txt",)),)).parts()
        ['1 of 3 files not read: .txt (1, text, such as a.txt)']
        """
        said = []
        if self.left_out:
            count = sum(group.count for group in self.left_out)
            groups = ", ".join(self._group(group) for group in self.left_out)
            said.append(f"{count:,} of {self.files:,} {self.unit} not read: {groups}")
        said += [
            f"{group.count:,} {group.what} ({group.done}"
            + (f"; see `{group.option}`)" if group.option else ")")
            for group in self.treated
            if group.said or all_of_it
        ]
        return [*said, *self.notes]

    def _group(self, group: LeftOut) -> str:
        """Say what was left out for one reason."""
        if self.unit == "rows":
            return f"{group.reason} ({group.count:,}, such as {shown(group.names[0])})"
        such = f", such as {shown(group.names[0])}" if self.unit == "files" else ""
        return f"{shown(group.extension)} ({group.count:,}, {group.reason}{such})"

    def to_json(self) -> dict[str, Any]:
        """Return plain types."""

        def groups(found: Sequence[LeftOut] | Sequence[Treated]) -> list[dict[str, Any]]:
            return [{**asdict(group), "names": list(group.names)} for group in found]

        return {
            "files": self.files,
            "read": self.read,
            "left_out": groups(self.left_out),
            "treated": groups(self.treated),
            "notes": list(self.notes),
            "unit": self.unit,
            "captions": self.captions,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Account:
        """Read back what `to_json` gave."""
        left_out = tuple(
            LeftOut(**{**group, "names": tuple(group["names"])}) for group in value["left_out"]
        )
        treated = tuple(
            Treated(**{**group, "names": tuple(group["names"])}) for group in value["treated"]
        )
        return cls(
            value["files"],
            value["read"],
            left_out,
            treated,
            tuple(value["notes"]),
            value.get("unit", "files"),
            value.get("captions", 0),
        )


def left_out(files: Iterable[tuple[str, str, str]]) -> tuple[LeftOut, ...]:
    """Group files by reason and extension, the largest group first.

    Parameters
    ----------
    files
        (reason, extension, name) of each.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for reason, extension, name in files:
        groups.setdefault((reason, extension), []).append(name)
    found = [
        LeftOut(reason, storable(extension) or "none", len(names), first_names(names))
        for (reason, extension), names in groups.items()
    ]
    return tuple(sorted(found, key=lambda group: (-group.count, group.extension, group.reason)))


def of_captions(
    captions: Sequence[str | None], names: Sequence[str], told: Sequence[str]
) -> tuple[Treated, ...]:
    """Say how many items have a caption, and from where; nothing where none has one."""
    held = [text for text in captions if text is not None]
    if not held:
        return ()
    done = f"{len(set(held)):,} different, from {' and '.join(told) or 'what was given'}"
    without = [name for name, text in zip(names, captions, strict=True) if text is None]
    found = Treated("with a caption", len(held), done, (), said=False)
    if not without:
        return (found,)
    return found, Treated("without a caption", len(without), "kept", first_names(without))


def merged(parts: Iterable[tuple[Treated, ...]]) -> tuple[Treated, ...]:
    """Add up what was done in several parts of a source."""
    groups: dict[tuple[str, str], list[Treated]] = {}
    for part in parts:
        for one in part:
            groups.setdefault((one.what, one.done), []).append(one)
    return tuple(
        replace(found[0], count=sum(one.count for one in found)) for found in groups.values()
    )


def first_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the first names, fit for a JSON file."""
    return tuple(storable(name) for name in names[:_NAMES])
