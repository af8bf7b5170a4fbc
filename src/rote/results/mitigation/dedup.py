"""`dedup.json`: what was dropped of a source, and why (`rote dedup`)."""

from __future__ import annotations

from typing import Any, Literal

from rote.results.schema import Count, Number, Positive, Result, ResultFile

Keep = Literal["first", "largest", "sharpest"]


class Dropped(Result):
    """An image that was dropped."""

    index: Count
    """Its place in the source."""
    name: str
    """Untrusted text."""
    kept_index: Count
    """The place of the image of its group that was kept."""
    kept: str
    """The name of that image."""
    rms: Number
    """Root-mean-square difference to that image, of the images as they were compared; 0: equal."""
    sha256: str | None
    """Of its file; None where the source is an array."""
    caption: str | None
    """Its own caption, if it had one; untrusted text."""


class DedupFile(ResultFile):
    """`rote dedup`."""

    kind: Literal["dedup"]
    source: str | None
    """Where the images came from; None: from memory."""
    digest: str
    """SHA-256 of the images of the source, as they were read."""
    read: dict[str, Any]
    """How they were read to be compared, where not as usual."""
    keep: Keep
    """Which of each group was kept."""
    duplicate_rms: Number
    """Images this near to each other are duplicates."""
    invariances: tuple[str, ...]
    """What was undone before two images were compared."""
    images: Positive
    """Images in the source."""
    groups: Count
    """Groups of two images and more."""
    captions: tuple[str, ...]
    """Files of captions from which the dropped images were taken out."""
    dropped: tuple[Dropped, ...]
