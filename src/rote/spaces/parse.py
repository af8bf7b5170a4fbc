"""How a space is written: ``NAME[:ARGUMENT][?key=value&...][#sha256=HEX]``.

>>> read("torchscript:net.pt?size=224&metric=cosine#sha256=ab12")
Wanted(name='torchscript', argument='net.pt', options={'size': '224', 'metric': 'cosine'}, sha256='ab12')
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from rote.core.errors import ConfigError, did_you_mean

LARGEST_SIZE = 4096


@dataclass(frozen=True)
class Wanted:
    """A space as it was asked for."""

    name: str
    argument: str
    options: dict[str, str]
    sha256: str | None

    @property
    def text(self) -> str:
        """As it was written, without the hash, which is told beside it."""
        options = "&".join(f"{key}={value}" for key, value in self.options.items())
        argument = f":{self.argument}" if self.argument else ""
        return f"{self.name}{argument}{f'?{options}' if options else ''}"


def read(text: str) -> Wanted:
    """Take a text apart.

    Raises
    ------
    ConfigError
        If it is no such text.
    """
    front, mark, pin = text.partition("#")
    if mark and not (pin.startswith("sha256=") and pin.removeprefix("sha256=")):
        raise ConfigError(f"`space` {text}: behind # only sha256=HEX may stand")
    front, _, query = front.partition("?")
    name, _, argument = front.partition(":")
    options = {}
    for pair in filter(None, query.split("&")):
        key, equals, value = pair.partition("=")
        if not equals or not value:
            raise ConfigError(f"`space` {text}: '{pair}' is no key=value")
        options[key] = value
    sha256 = pin.removeprefix("sha256=").lower() or None
    return Wanted(name, argument, options, sha256)


def check_options(wanted: Wanted, known: Collection[str]) -> None:
    """Refuse options that this space does not have."""
    for key in wanted.options:
        if key not in known:
            hint = did_you_mean(key, known) if known else "; it has no options"
            raise ConfigError(f"`space` {wanted.text}: ?{key}= is unknown{hint}")


def size_of(text: str, wanted: Wanted, *, least: int = 1) -> int:
    """Read a size in pixels."""
    if not text.isdecimal() or not least <= int(text) <= LARGEST_SIZE:
        raise ConfigError(
            f"`space` {wanted.text}: '{text}' is no size from {least} to {LARGEST_SIZE} pixels"
        )
    return int(text)


def file_of(wanted: Wanted) -> Path:
    """Return the file that a space was given, or say that there is none."""
    path = Path(wanted.argument).expanduser()
    if not wanted.argument:
        raise ConfigError(f"`space` {wanted.name} needs a file; give `space` {wanted.name}:PATH")
    if not path.is_file():
        raise ConfigError(f"`space` {wanted.text}: there is no file {path}")
    return path


def check_hash(path: Path, expected: str | None, wanted: Wanted) -> str:
    """Return the SHA-256 of a file of weights, which must begin with the expected one.

    Raises
    ------
    ConfigError
        If it is another.
    """
    return matched(file_digest(path), path, wanted, expected=expected)


def matched(found: str, path: Path, wanted: Wanted, *, expected: str | None = None) -> str:
    """Return the SHA-256 of a file as it was read, which must begin with the expected one, if any.

    What is expected is what was written behind the space, unless another is given.
    """
    expected = expected or wanted.sha256
    if expected is not None and not found.startswith(expected):
        raise ConfigError(
            f"`space` {wanted.text}: {path} has SHA-256 {found[:16]}..., not {expected[:16]}...; it "
            "holds other weights: get the right file again"
        )
    return found


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def folder_digest(folder: Path) -> str:
    """Return a SHA-256 over the names and contents of the files of a folder: a network reads several."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file():
            digest.update(f"{path.name}\0{file_digest(path)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
