"""Names of images in a table of captions, matched as a person would.

A name is compared as it stands, then in small letters. Where no name of a table fits so, folders are left
away, then extensions too; names that are told apart by these alone then fit nobody. Composed letters and
separators never tell names apart.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

_PAGE = re.compile(r"#\d+$")


def plain(name: str) -> str:
    r"""Return a name as it is compared: composed letters, "/" between folders, none before it.

    A name whose bytes are no UTF-8 is taken for Windows-1252.

    >>> plain(".\\cafe\u0301\\1.png"), plain("caf\udce9.png")
    ('café/1.png', 'café.png')
    """
    if not name.isascii():  # which nearly all are
        if any("\udc80" <= char <= "\udcff" for char in name):
            name = name.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
        name = unicodedata.normalize("NFC", name)
    return name.replace("\\", "/").strip("/").removeprefix("./")


def base(name: str) -> str:
    """Return a name without its folders."""
    return plain(name).rpartition("/")[2]


def stem(name: str) -> str:
    """Return a name with its folders, without its extension and its page.

    >>> stem("a/1.png#2"), stem("a.b/c")
    ('a/1', 'a.b/c')
    """
    return re.sub(r"(\.[^./]*)?(#\d+)?$", "", plain(name))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


_WAYS: tuple[Callable[[str], str], ...] = (
    _folded,
    lambda name: _folded(base(name)),
    lambda name: _folded(stem(base(name))),
)


def matched(names: Sequence[str], table: Mapping[str, str]) -> list[str | None]:
    """Return the text of each name, None where the table has none.

    Parameters
    ----------
    names
        Of images; every page of a file has the text of the file.
    table
        Texts by names as `plain` returns them.

    >>> matched(["a/1.PNG", "a/2.png"], {"a/1.png": "x", "b/2.png": "y"})
    ['x', None]
    >>> matched(["a/1.png", "a/2.png"], {"images/1.jpg": "x", "images/2.jpg": "y"})
    ['x', 'y']
    """
    keys = [plain(name) for name in names]
    keys = [key if key in table else _PAGE.sub("", key) for key in keys]
    found = [table.get(key) for key in keys]
    seen = set(keys)
    for way in _WAYS:
        missing = {key for key, text in zip(keys, found, strict=True) if text is None}
        # With one name found as it stands, folders of others mean what they say.
        if not missing or (way is not _folded and len(missing) < len(seen)):
            break
        left = [name for name in table if name not in seen]
        images, rows = Counter(map(way, missing)), Counter(map(way, left))
        texts = {way(name): table[name] for name in left if rows[way(name)] == 1}
        found = [
            texts.get(way(key)) if text is None and images[way(key)] == 1 else text
            for key, text in zip(keys, found, strict=True)
        ]
    return found
