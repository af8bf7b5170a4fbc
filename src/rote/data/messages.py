"""Names in messages: file names and labels are untrusted text, and a message is one line."""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST = 160


def shown(text: object) -> str:
    r"""Return text fit for one line of a message: control characters escaped, very long text cut.

    >>> shown("a\nb.png")
    'a\\nb.png'
    """
    escaped = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text)
    )
    if len(escaped) <= _LONGEST:
        return escaped
    return f"{escaped[: _LONGEST // 2]}...{escaped[-_LONGEST // 2 :]}"


def storable(name: str) -> str:
    """Return a name that can be written as UTF-8: undecodable bytes of a file name are escaped."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def storable_caption(text: str | None) -> str | None:
    """Return a caption, or None, as `storable` does."""
    return None if text is None else storable(text)


def reading_options(*, table: bool) -> str:
    """Name the options that decide what is read of a source, for a message that asks for the same ones.

    >>> reading_options(table=True)
    '`categorical`, `label` and `ignore`'
    """
    return "`categorical`, `label` and `ignore`" if table else "`resolution` and `channels`"


def first_few(names: Sequence[str], *, limit: int = 5) -> str:
    """Return the first names, then how many more there are.

    >>> first_few(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    text = ", ".join(shown(name) for name in names[:limit])
    return text if len(names) <= limit else f"{text} and {len(names) - limit:,} more"
