"""Which files of a source are its images, volumes or sounds; all others are counted, or stop the reading.

Images are told by what they hold: a file of a known extension is taken for an image without a look,
of any
other the first bytes say what it is. Hidden files (a leading dot) and those of the system are left
out, so
are texts. What might be data stops the reading, unless patterns say that it is meant to be left out.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from rote.core.errors import DataError
from rote.data.account import LeftOut, left_out
from rote.data.ahead.existing import PIPELINE
from rote.data.captions.find import EXTENSIONS as CAPTIONS
from rote.data.captions.find import captioned
from rote.data.files.archives import file_reader, hidden, open_files
from rote.data.files.decode import UnreadableImageError
from rote.data.files.entry import Entry
from rote.data.files.sniff import (
    DATA_EXTENSIONS,
    EXTENSIONS,
    FOREIGN_EXTENSIONS,
    SOUND_EXTENSIONS,
    VOLUME_EXTENSIONS,
    Sort,
    extension_of,
    sort_of,
)
from rote.data.messages import shown
from rote.data.options import ReadOptions
from rote.data.shards.read import INDEX

SIDECAR = "dataset.json"
Kind = Literal["images", "volumes", "sounds"]
_IMAGE_EXTENSIONS = frozenset((*EXTENSIONS, *FOREIGN_EXTENSIONS))
_NOT_INCLUDED = "not in `include`"


@dataclass(frozen=True)
class Listing:
    """The image files of one source, or its files of volumes or sounds, in sorted order.

    Attributes
    ----------
    entries
        Those that are read, all of one kind.
    sidecar
        Content of ``dataset.json``, or None.
    below
        The folder in which that lies, with "/"; its names are relative to it.
    files
        How many files there are, of all kinds.
    left_out
        Those that are not read.
    kind
        What they are files of: images, volumes (`rote.data.volumes`) or sounds (`rote.data.sound`).
    captions
        How many files hold captions of the images.
    told
        What the captions were read from, in words.
    notes
        Sentences about the captions.
    """

    entries: tuple[Entry, ...]
    sidecar: bytes | None = None
    below: str = ""
    files: int = 0
    left_out: tuple[LeftOut, ...] = ()
    kind: Kind = "images"
    captions: int = 0
    told: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def open_listing(path: Path, options: ReadOptions) -> Iterator[Listing]:
    """List the images of a folder or archive; they can be read while the context lasts.

    Raises
    ------
    DataError
        If it cannot be read, holds no image, or holds what might be data beside its images.
    """
    with open_files(path) as files:
        listing = _listing(files, options, where=shown(path))
        files.clear()  # texts beside millions of images need not be held while these are read
        yield listing


def single_file(path: Path, options: ReadOptions) -> Listing:
    """List one file of an image or of volumes, given by its own path."""
    entry = Entry(path.name, file_reader(path), path.name, file=path)
    return Listing((entry,), files=1, kind=_kind_of(entry, options))


def listed(entries: Sequence[Entry], options: ReadOptions) -> Listing:
    """List images, volumes or sounds that were given one by one, in their order."""
    on_disk = bool(entries) and all(entry.file is not None for entry in entries)
    kinds = {_kind_of(entry, options) for entry in entries} if on_disk else set()
    return Listing(
        tuple(entries), files=len(entries), kind=kinds.pop() if len(kinds) == 1 else "images"
    )


def is_image(entry: Entry) -> bool:
    """Say whether a file is an image, also one that cannot be decoded."""
    return _sort(entry) in ("image", "foreign")


def _kind_of(entry: Entry, options: ReadOptions) -> Kind:
    """Return as what a file is read: by what it is, or a TIFF as a volume where that is asked for."""
    sort = _sort(entry)
    if sort == "sound":
        return "sounds"
    as_asked = sort == "image" and options.frames == "volume"
    return "volumes" if sort == "volume" or as_asked else "images"


def _listing(files: Sequence[Entry], options: ReadOptions, *, where: str) -> Listing:
    read: dict[Kind, list[Entry]] = {"images": [], "volumes": [], "sounds": []}
    data: list[Entry] = []
    texts: list[Entry] = []
    rest: list[tuple[Entry, str]] = []
    others: list[tuple[str, str, str]] = []
    sidecar = _sidecar(files)
    for entry in sorted(files, key=lambda entry: entry.name):
        if entry is sidecar:
            continue
        reason = _unwanted(entry.name, options)
        if reason in ("", _NOT_INCLUDED) and extension_of(entry.name) in CAPTIONS:
            texts.append(entry)  # not among what the patterns choose, but beside it
            continue
        sort = reason or _sort(entry)
        if sort in ("image", "foreign"):
            read["images"].append(entry)
        else:
            rest.append((entry, sort))
    found = captioned(read["images"], texts, where=where)
    read["images"] = list(found.images)
    for entry in texts:
        if entry.name not in found.files:
            rest.append((entry, _unwanted(entry.name, options) or _sort(entry)))
    for entry, sort in rest:
        if sort in ("image", "foreign"):  # under the name of a text
            read["images"] = sorted([*read["images"], entry], key=lambda entry: entry.name)
        elif sort in ("volume", "sound"):
            read["volumes" if sort == "volume" else "sounds"].append(entry)
        elif sort == "data":
            data.append(entry)
        else:
            others.append((sort, extension_of(entry.name), entry.name))
    if options.frames == "volume":
        both = [*read["images"], *read["volumes"]]
        read["images"], read["volumes"] = [], sorted(both, key=lambda entry: entry.name)
    kinds: list[Kind] = [kind for kind, held in read.items() if held]
    if not kinds:
        raise _none(files, data, others, where=where)
    others_read = [entry for kind in kinds[1:] for entry in read[kind]]
    if data or others_read:
        raise _beside(read[kinds[0]], data or others_read, where=where, what=kinds[0])
    content = None
    if sidecar is not None:
        try:
            content = sidecar.stored()
        except UnreadableImageError as error:
            raise DataError(
                f"{where}: {SIDECAR} cannot be read ({shown(error)}); remove it, or make it readable"
            ) from None
    return Listing(
        tuple(read[kinds[0]]),
        content,
        "" if sidecar is None else sidecar.name.replace("\\", "/").removesuffix(SIDECAR),
        len(files),
        left_out(others),
        kind=kinds[0],
        captions=len(found.files),
        told=found.told,
        notes=found.notes,
    )


def _sidecar(files: Sequence[Entry]) -> Entry | None:
    """Return the ``dataset.json`` at the top, or in the one folder that holds all."""
    visible = [entry for entry in files if not hidden(entry.name)]
    for entry in visible:
        name = entry.name.replace("\\", "/")
        if name.split("/")[-1] == SIDECAR and name.count("/") <= 1:
            below = name.removesuffix(SIDECAR)
            if all(other.name.replace("\\", "/").startswith(below) for other in visible):
                return entry
    return None


def _unwanted(name: str, options: ReadOptions) -> str:
    """Return why a file is not looked at, or nothing."""
    if hidden(name):
        return "hidden"
    if options.include and not matches(name, options.include):
        return _NOT_INCLUDED
    return "in `exclude`" if matches(name, options.exclude) else ""


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Say whether a relative name matches one of the patterns.

    >>> matches("a/1_mask.png", ["*_mask.*"]), matches("a/1.png", ["a/*"]), matches("a/1.png", ["a"])
    (True, True, False)
    """
    plain = name.replace("\\", "/")
    base = plain.split("/")[-1]
    return any(fnmatchcase(plain if "/" in pattern else base, pattern) for pattern in patterns)


def _sort(entry: Entry) -> Sort | str:
    """Return what a file is: "image" and so on, or why it is none of these."""
    extension = extension_of(entry.name)
    if entry.declared or extension in _IMAGE_EXTENSIONS:
        return "image"
    if extension in VOLUME_EXTENSIONS:
        return "volume"
    if extension in SOUND_EXTENSIONS:
        return "sound"
    if extension in DATA_EXTENSIONS:
        return "data"
    try:
        return sort_of(entry.head())
    except UnreadableImageError as error:
        return str(error)


def _counted(entries: Sequence[Entry] | Sequence[str]) -> str:
    names = [entry if isinstance(entry, str) else entry.name for entry in entries]
    seen = Counter(extension_of(name) or "none" for name in names).most_common(5)
    return ", ".join(f"{shown(name)} ({count:,})" for name, count in seen)


def _beside(images: Sequence[Entry], data: Sequence[Entry], *, where: str, what: str) -> DataError:
    extension = extension_of(data[0].name)
    pattern = f"*{extension}" if extension else data[0].name
    return DataError(
        f"{where}: beside {len(images):,} {what} lie {len(data):,} files that might be data and are not "
        f"read ({_counted(data)}; such as {shown(data[0].name)}); leave them out with `exclude` "
        f"'{shown(pattern)}', or give `source` what is meant"
    )


def _none(
    files: Sequence[Entry],
    data: Sequence[Entry],
    others: Sequence[tuple[str, str, str]],
    *,
    where: str,
) -> DataError:
    """Say what is there instead of images."""
    if any(entry.name == INDEX for entry in files):
        return DataError(
            f"{where} is a folder of shards, which `rote neighbors` searches; give `source` the source "
            "that they were written from"
        )
    if any(entry.name == PIPELINE for entry in files):
        return DataError(
            f"{where} is a pipeline of diffusers; `rote sample {where} --prompts TRAINING --out samples` "
            "makes its images: give `source` that folder"
        )
    if any(entry.name.endswith(".safetensors") for entry in files):
        return DataError(
            f"{where} holds weights and no image; of a LoRA, `rote sample PIPELINE --lora {where} "
            "--prompts TRAINING --out samples` makes images: give `source` that folder"
        )
    unwanted = sum(reason.startswith(("in `", "not in `")) for reason, _, _ in others)
    if unwanted:
        return DataError(
            f"{where} has {len(files):,} files and `include` and `exclude` leave out {unwanted:,} "
            "of them "
            f"and no image is left (extensions seen: {_counted([entry.name for entry in files])}); "
            "change "
            "the patterns"
        )
    visible = [entry.name for entry in files if not hidden(entry.name)]
    wanted = ", ".join(EXTENSIONS)
    if not visible:
        return DataError(f"{where} has no files; give `source` a source with images ({wanted})")
    return DataError(
        f"{where} has {len(visible):,} files and none is an image (extensions seen: "
        f"{_counted(visible)}); expected are {wanted}; {_way(data)}"
    )


def _way(data: Sequence[Entry]) -> str:
    """Say how data of another format come in."""
    extensions = {extension_of(entry.name) for entry in data}
    if any(extension.startswith((".tar", ".tgz")) for extension in extensions):
        return "tar archives are read without compression: unpack .tar.gz with gunzip"
    if extensions & {".npz", ".npy", ".zip", ".tar", ".parquet"}:
        return (
            "to load an array or an archive in it, give `source` the path of that file; many arrays go "
            "into one npz file with numpy.savez(path, images=numpy.stack(arrays))"
        )
    if extensions & {".mha", ".mhd", ".nrrd", ".h5", ".hdf5", ".mp4", ".pt"}:
        return (
            "write the items into one npz file, as an array 'images' (N, height, width, channels) or "
            "'volumes' (N, depth, height, width, channels)"
        )
    return "give `source` another source"
