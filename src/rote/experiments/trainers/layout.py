"""Lays a training set out as files, as scripts in any language read them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from rote.core.atomic_files import write_npz, write_text
from rote.core.errors import ConfigError
from rote.data.dataset import Dataset
from rote.data.files.arrays import arrays_of


def lay_out(data: Dataset, folder: Path, *, layout: str) -> Path:
    """Write the items of a data set, in their own units; return what a script is to read.

    Parameters
    ----------
    data
        The items.
    folder
        Made, and filled.
    layout
        "folder": a PNG file for each image, ``000000.png`` and so on, in a folder for each class where
        there are labels. "captions": all of them in one folder, each with its caption, or the name of
        its class where there are no captions, in ``000000.txt`` beside it and in ``metadata.jsonl``
        (``file_name`` and ``text``), as scripts for fine-tuning read them. "npz": ``data.npz`` with
        ``images`` (rows, too) or ``series``, and ``labels``.
        "csv": ``data.csv``, a table with its own columns. "auto": the first of these that fits.

    Raises
    ------
    ConfigError
        If the items cannot be laid out so.
    """
    layout = _fitting(data, layout)
    folder.mkdir(parents=True, exist_ok=True)
    path = place_of(data, folder, layout=layout)
    if layout == "folder":
        _pictures(data, path)
    elif layout == "captions":
        _captioned(data, path)
    elif layout == "npz":
        write_npz(path, arrays_of(data))
    else:
        _table(data, path)
    return path


def place_of(data: Dataset, folder: Path, *, layout: str) -> Path:
    """Return what a script is to read once `lay_out` has written it into a folder."""
    layout = _fitting(data, layout)
    return folder if layout in ("folder", "captions") else folder / f"data.{layout}"


def _fitting(data: Dataset, layout: str) -> str:
    if layout == "auto":
        layout = "folder" if data.kind == "image" else "csv" if data.schema else "npz"
    if layout in ("folder", "captions") and data.kind != "image":
        raise ConfigError(
            f"`layout` {layout} is for images, and these are {data.kind} items; use npz"
        )
    if layout == "captions" and data.labels is None and not data.captions:
        raise ConfigError(
            "`layout` captions writes captions, or the names of classes, and these images have neither; "
            "use folder"
        )
    if layout == "captions" and (without := sum(text is None for text in data.captions)):
        raise ConfigError(
            f"`layout` captions: {without:,} of {len(data):,} images have no caption; caption every image"
        )
    if layout == "csv" and data.schema is None:
        raise ConfigError("`layout` csv is for tables; use folder or npz")
    return layout


def _table(data: Dataset, path: Path) -> None:
    assert data.schema is not None
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([column.name for column in data.schema.columns])
    writer.writerows(data.schema.cells(data.items))
    write_text(path, text.getvalue())


def _pictures(data: Dataset, folder: Path) -> None:
    for number, item in enumerate(data.items):
        place = folder
        if data.labels is not None:
            label = int(data.labels[number])
            place = folder / _safe(data.classes[label], label)
            place.mkdir(exist_ok=True)
        picture(item).save(place / f"{number:06d}.png")


def _captioned(data: Dataset, folder: Path) -> None:
    texts = data.texts
    if not data.captions:
        assert data.labels is not None
        texts = tuple(data.classes[label] for label in data.labels.tolist())
    rows = []
    for number, (item, text) in enumerate(zip(data.items, texts, strict=True)):
        path = folder / f"{number:06d}.png"
        picture(item).save(path)
        write_text(path.with_suffix(".txt"), text + "\n")
        rows.append(json.dumps({"file_name": path.name, "text": text}) + "\n")
    write_text(folder / "metadata.jsonl", "".join(rows))


def picture(item: npt.NDArray[np.uint8]) -> Image.Image:
    """Return an image (H, W, C) of 1 or 3 channels as Pillow has it."""
    return Image.fromarray(np.squeeze(item, 2) if item.shape[2] == 1 else item)


def _safe(name: str, label: int) -> str:
    """Return a class's name where it is a plain folder name, else its number."""
    plain = name.replace("-", "").replace("_", "").replace(" ", "")
    return name if plain.isalnum() and plain.isascii() and len(name) < 100 else f"class-{label}"
