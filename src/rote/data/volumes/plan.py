"""What the files of a source hold together, from their headers: which of them make one volume."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rote.core.progress.work import counted_results
from rote.data.files.decode import UnreadableImageError
from rote.data.files.entry import Entry
from rote.data.files.sniff import volume_format
from rote.data.options import ReadOptions
from rote.data.resample import workers
from rote.data.volumes.dicom import NoPixelsError, Picture, pictures_of
from rote.data.volumes.nifti import content_of, plan_nifti
from rote.data.volumes.series import plan_dicom
from rote.data.volumes.tiff import plan_tiff
from rote.data.volumes.volume import Volumes


@dataclass(frozen=True)
class Plan:
    """What the files of a source hold.

    Attributes
    ----------
    volumes
        In the order of the first file of each.
    unreadable
        Position of a file, and why it cannot be read.
    without_pixels
        Name and reason of DICOM files that hold no picture.
    modalities
        How many series of each kind DICOM files tell of.
    digests
        SHA-256 of each file, or why it cannot be read, where that was asked for.
    """

    volumes: list[Volumes]
    unreadable: list[tuple[int, str]]
    without_pixels: list[tuple[str, str]]
    modalities: Counter[str]
    digests: tuple[bytes, ...] | None

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about the whole."""
        if len(self.modalities) < 2:
            return ()
        kinds = ", ".join(f"{name} ({count:,})" for name, count in self.modalities.most_common())
        return (f"series of several kinds: {kinds}; leave out what is not meant with `exclude`",)


@dataclass(frozen=True)
class _Seen:
    """What one file gave."""

    digest: bytes
    volumes: Volumes | None = None
    pictures: tuple[Picture, ...] = ()
    reason: str = ""
    without_pixels: bool = False


def plan_volumes(entries: Sequence[Entry], options: ReadOptions, *, hashed: bool) -> Plan:
    """Read the header of every file and put together what belongs to one volume."""

    def look(position: int) -> _Seen:
        entry, digest = entries[position], b""
        try:
            content = content_of(entry)
            digest = hashlib.sha256(content).digest() if hashed else b""
            kind = volume_format(entry.name, content)
            if kind == "nifti":
                return _Seen(digest, plan_nifti(entry, content, position, options))
            if kind == "tiff":
                return _Seen(digest, plan_tiff(entry, content, position))
            return _Seen(digest, pictures=tuple(pictures_of(entry, content, position)))
        except UnreadableImageError as error:
            reason = str(error)
            return _Seen(
                digest or reason.encode(errors="replace"),
                reason=reason,
                without_pixels=isinstance(error, NoPixelsError),
            )

    with ThreadPoolExecutor(workers()) as pool:
        running = pool.map(look, range(len(entries)))
        seen = counted_results(running, "files opened", len(entries))
    volumes = [one.volumes for one in seen if one.volumes is not None]
    pictures = [picture for one in seen for picture in one.pictures]
    unreadable = [
        (position, one.reason)
        for position, one in enumerate(seen)
        if one.reason and not one.without_pixels
    ]
    modalities: Counter[str] = Counter()
    for found in plan_dicom(pictures, options):
        if isinstance(found, Volumes):
            volumes.append(found)
        else:
            unreadable.append((found[0].position, found[1]))
    told = {one.series[:3]: one.modality or "unknown" for one in pictures}
    modalities.update(told.values())
    return Plan(
        sorted(volumes, key=lambda one: one.files[0]),
        unreadable,
        [(entries[n].name, one.reason) for n, one in enumerate(seen) if one.without_pixels],
        modalities,
        tuple(one.digest for one in seen) if hashed else None,
    )
