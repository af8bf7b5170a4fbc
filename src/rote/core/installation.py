"""What is installed under which name: the package is `rote`, the distribution is not.

The names ``rote`` and ``rote-cli`` belong to other projects, which install a package `rote` as well; pip
lets one overwrite the files of the other without a word.
"""

from __future__ import annotations

from pathlib import Path

VERSION = "0.1.0"
DISTRIBUTION = "rote-memorization"


def extra(name: str) -> str:
    """Return the command that adds an extra.

    >>> extra("ray")
    "pip install 'rote-memorization[ray]'"
    """
    return f"pip install '{DISTRIBUTION}[{name}]'"


def others(folder: Path | None = None) -> list[str]:
    """Return the distributions that put a package `rote` into the same folder as this one.

    Parameters
    ----------
    folder
        Where packages are installed; None is where this one lies.
    """
    folder = Path(__file__).parents[2] if folder is None else folder
    found = {path.name.partition("-")[0] for path in folder.glob("rote*-*.dist-info")}
    return [name for name in ("rote", "rote-cli") if name.replace("-", "_") in found]


def mixed_files() -> str | None:
    """Return what to do where another project's files lie among those of this one; None where none do."""
    if not (names := others()):
        return None
    return (
        f"the distribution {' and '.join(names)} is another project, and its files lie among those of "
        f"{DISTRIBUTION}: pip uninstall {' '.join(names)}, then install {DISTRIBUTION} again, or give "
        "each an environment of its own"
    )
