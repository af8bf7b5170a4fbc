"""One captioned set in every form that it comes in."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

Files = Iterable[tuple[str, bytes]]


def png(pixels: np.ndarray) -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


def named(pictures: np.ndarray) -> list[tuple[str, bytes]]:
    """Return the files of pictures, in the order of their names."""
    return [(f"{number:03d}.png", png(one)) for number, one in enumerate(pictures)]


def write(folder: Path, files: Files) -> Path:
    for name, content in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def make_tar(path: Path, files: Files) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def beside(images: Files, texts: Sequence[str], ending: str = ".txt") -> list[tuple[str, bytes]]:
    """Return images, each followed by its caption."""
    found = []
    for (name, content), text in zip(images, texts, strict=True):
        told = json.dumps({"caption": text}) if ending == ".json" else f"{text}\n"
        found += [(name, content), (name.replace(".png", ending), told.encode())]
    return found


def metadata(images: Files, texts: Sequence[str]) -> bytes:
    rows = [{"file_name": n, "text": t} for (n, _), t in zip(images, texts, strict=True)]
    return "\n".join(json.dumps(row) for row in rows).encode()


def _folder(root: Path, images: list[tuple[str, bytes]], texts: Sequence[str]) -> Path:
    return write(root / "set", beside(images, texts))


def _zip(root: Path, images: list[tuple[str, bytes]], texts: Sequence[str]) -> Path:
    with zipfile.ZipFile(root / "set.zip", "w") as archive:
        for name, content in [*images, ("metadata.jsonl", metadata(images, texts))]:
            archive.writestr(name, content)
    return root / "set.zip"


def _tars(root: Path, images: list[tuple[str, bytes]], texts: Sequence[str]) -> Path:
    for shard, start in enumerate(range(0, len(images), 16)):
        part = slice(start, start + 16)
        make_tar(root / f"set-{shard:05d}.tar", beside(images[part], texts[part], ".json"))
    return root / f"set-{{00000..{shard:05d}}}.tar"


def _structs(root: Path, images: list[tuple[str, bytes]], texts: Sequence[str]) -> Path:
    held = [{"bytes": content, "path": name} for name, content in images]
    table = pa.table({"image": pa.array(held), "text": list(texts), "number": range(len(held))})
    parquet.write_table(table, root / "set.parquet", row_group_size=7)
    return root / "set.parquet"


def _bytes(root: Path, images: list[tuple[str, bytes]], texts: Sequence[str]) -> Path:
    (root / "rows").mkdir()
    for part in range(2):
        rows = slice(20 * part, None if part else 20)
        held = [content for _, content in images[rows]]
        table = pa.table({"jpg": pa.array(held, pa.large_binary()), "caption": texts[rows]})
        parquet.write_table(table, root / "rows" / f"train-{part:05d}-of-00002.parquet")
    return root / "rows"


def _arrow(root: Path, images: list[tuple[str, bytes]], texts: Sequence[str]) -> Path:
    write(root / "saved", [("state.json", b"{}"), ("dataset_info.json", b"{}")])
    held = [{"bytes": content, "path": None} for _, content in images]
    table = pa.table({"image": pa.array(held), "prompt": list(texts)})
    path = root / "saved" / "data-00000-of-00001.arrow"
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=9)
    return root / "saved"


def _kohya(root: Path, images: list[tuple[str, bytes]], texts: Sequence[str]) -> Path:
    return write(root / "set" / "10_a concept", beside(images, texts, ".caption")).parent


def _coco(root: Path, images: list[tuple[str, bytes]], texts: Sequence[str]) -> Path:
    told = {
        "images": [{"id": 7 + n, "file_name": name} for n, (name, _) in enumerate(images)],
        "annotations": [{"image_id": 7 + n, "caption": text} for n, text in enumerate(texts)],
    }
    write(root / "set" / "val2017", images)
    note = ("annotations/captions_val2017.json", json.dumps(told).encode())
    return write(root / "set", [note])


def _npz(root: Path, images: list[tuple[str, bytes]], texts: Sequence[str]) -> Path:
    pictures = [np.asarray(Image.open(io.BytesIO(content))) for _, content in images]
    np.savez(root / "set.npz", images=np.stack(pictures), captions=np.array(texts))
    return root / "set.npz"


FORMS: dict[str, Callable[[Path, list[tuple[str, bytes]], Sequence[str]], Path]] = {
    "folder": _folder,
    "zip": _zip,
    "tars": _tars,
    "parquet of structs": _structs,
    "folder of parquet": _bytes,
    "arrow": _arrow,
    "kohya": _kohya,
    "coco": _coco,
    "npz": _npz,
}
