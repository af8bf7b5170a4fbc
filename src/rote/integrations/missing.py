"""What is said where the library that a module is for is not installed."""

from __future__ import annotations

from rote.core.installation import extra


def missing(library: str, name: str) -> ImportError:
    """Return the error that names the extra to install.

    >>> missing("Lightning", "lightning").msg
    "this needs Lightning, which is not installed: pip install 'rote-memorization[lightning]'"
    """
    return ImportError(f"this needs {library}, which is not installed: {extra(name)}")
