"""NumPy files: which of the arrays in one are the items, which their labels, and which stay unread."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.core.mapped_pages import is_mapped
from rote.core.memory import memory_of_machine
from rote.data.account import Account, LeftOut, of_captions
from rote.data.dataset import Dataset
from rote.data.files.arrays import SERIES, VOLUMES, Convert, dataset_of_array
from rote.data.files.decoded_cache import keep_array
from rote.data.files.faults import FileState, stop_if_machine_fails, watch
from rote.data.files.listing import matches
from rote.data.files.mapped import MAPPED_FROM, blocks_of, map_member, npy_header, unpacked
from rote.data.labels import looks_like_labels
from rote.data.messages import first_few, shown, storable
from rote.data.options import ReadOptions
from rote.data.tables.schema import Schema

# In this order; the first key that is present is taken, with the labels beside it if there are any.
_KEYS = (SERIES, VOLUMES, "images", "x_train", "x_test", "data", "arr_0")
_OWN_LABELS = {"x_train": "y_train", "x_test": "y_test", "arr_0": "arr_1"}
_LABELS = ("labels", "label", "y", "targets", "target")
_BESIDE = ("classes", "seeds", "schema", "groups", "captioned", "repeats", "sample_rate")
_CAPTIONS = ("captions", "caption", "texts", "text", "prompts", "prompt")


def load_array_file(
    path: Path, *, options: ReadOptions | None = None, decoded: Path | None = None
) -> Dataset:
    """Read a .npy or .npz file, or map its images if they are large; never a pickle.

    Parameters
    ----------
    path
        The file.
    options
        As `rote.data.files.arrays.dataset_of_array` takes them; patterns choose among the arrays of
        an npz.
    decoded
        Folder of decoded images (`rote.data.files.decoded_cache`), for large images that do not rest in
        the file as they are needed; None takes those into memory.

    Raises
    ------
    DataError
        If the file is broken, holds Python objects, no known key or further items, or its array is
        refused
        by `dataset_of_array`.
    """
    where = shown(path)
    options = options or ReadOptions()
    unread: list[LeftOut] = []
    try:
        file = FileState.now(path)
        with path.open("rb") as handle:
            large = path.stat().st_size >= MAPPED_FROM and handle.read(2) == b"\x93N"
            handle.seek(0)
            loaded = np.load(path if large else handle, "r" if large else None, allow_pickle=False)
            arrays = (
                {"array": loaded}
                if isinstance(loaded, np.ndarray)
                else _known(loaded, file, decoded, options, unread)
            )
        file.check()
    except MemoryError:
        raise DataError(f"{where} is larger than the memory; give `source` fewer items") from None
    except DataError:
        raise
    # numpy answers broken headers with nearly every exception, down to those of Python's tokenizer.
    except Exception as error:  # noqa: BLE001
        stop_if_machine_fails(error)
        raise DataError(
            f"{where} cannot be read as a NumPy file ({shown(error)}); write it again with "
            "numpy.savez, without Python objects"
        ) from None
    name, items = next(iter(arrays.items()))
    watch(items, file)

    def keep(images: npt.NDArray[Any], convert: Convert) -> npt.NDArray[np.uint8]:
        if images.dtype == np.uint8 and images.flags.c_contiguous:
            return images
        blocks = (convert(block) for block in blocks_of(images))
        if decoded is None or not is_mapped(images):
            return np.concatenate(list(blocks))
        way = f"array {options.window} {options.axes}"
        return keep_array(blocks, images.shape, file=file, options=way, folder=decoded)

    dataset = dataset_of_array(
        items,
        labels=arrays.get("labels"),
        classes=arrays.get("classes"),
        where=where,
        options=options,
        keep=keep,
        named=name,
    )
    count = len(arrays) + len(unread)
    treated = () if dataset.account is None else dataset.account.treated
    account = Account(count, len(arrays), tuple(unread), treated, unit="arrays")
    dataset = replace(dataset, account=account)
    if "schema" in arrays:
        dataset = replace(dataset, schema=_schema(arrays["schema"], dataset, where=where))
    if "groups" in arrays:
        dataset = replace(dataset, groups=_groups(arrays["groups"], dataset, where=where))
    if "captions" in arrays:
        captions = captions_of_arrays(arrays["captions"], arrays.get("captioned"))
        told = of_captions(captions, dataset.names, ("an array of the file",))
        account = replace(account, treated=(*account.treated, *told))
        dataset = replace(dataset, account=account, captions=tuple(captions))
    repeats = arrays.get("repeats")
    if repeats is not None and repeats.dtype == np.int64 and repeats.shape == (len(dataset),):
        dataset = replace(dataset, repeats=repeats)
    rate = arrays.get("sample_rate")
    if rate is not None and name == SERIES and rate.shape == () and rate.dtype.kind in "iu":
        dataset = replace(dataset, sample_rate=int(rate) if rate > 0 else None)
    seeds = arrays.get("seeds")
    # Anything else under that name is not what `rote sample` writes, and nothing depends on it.
    if seeds is not None and seeds.dtype == np.int64 and seeds.shape == (len(dataset),):
        return replace(dataset, seeds=seeds)
    return dataset


def captions_of_arrays(
    texts: npt.NDArray[Any], captioned: npt.NDArray[Any] | None
) -> list[str | None]:
    """Return the captions of an array: where ``captioned`` is False, an item has none."""
    held = [storable(text) for text in texts.tolist()]
    if captioned is None or captioned.dtype != np.bool_ or captioned.shape != texts.shape:
        return list(held)
    return [text if has else None for text, has in zip(held, captioned, strict=True)]


def find_items(keys: list[str], options: ReadOptions) -> str | None:
    """Return the name of the array that holds the items, or None; patterns of names go first.

    >>> find_items(["x_test", "x_train"], ReadOptions())
    'x_train'
    >>> find_items(["x_test", "x_train"], ReadOptions(exclude=("x_train",)))
    'x_test'
    """
    left = [key for key in keys if not matches(key, options.exclude)]
    asked = [key for key in left if matches(key, options.include)]
    known = [key for key in _KEYS if key in (asked or left)]
    return next(iter(known or asked), None)


def _known(
    loaded: Any, file: FileState, decoded: Path | None, options: ReadOptions, unread: list[LeftOut]
) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays that are meant of an open npz file, the items first; note the others."""
    where, keys = shown(file.path), list(loaded.files)
    items = find_items(keys, options)
    if items is None:
        raise DataError(
            f"{where} holds the arrays {first_few(keys) or 'none'}; one named 'images' is expected (with "
            "'labels' and 'classes' if there are any), or 'x_train', 'x_test', 'data' or 'arr_0', "
            "or one that "
            "is named with `include`"
        )
    named = items if items in (SERIES, VOLUMES) else "items"
    arrays = {named: _member(loaded, items, file, decoded)}
    read = {items}
    label_keys = (_OWN_LABELS.get(items, "labels"), *_LABELS)
    for key in label_keys:
        if key not in keys or key == items:
            continue
        found = loaded[key]
        # What has the name of labels is checked as such; arr_1 may be anything.
        if key != "arr_1" or looks_like_labels(found, count=len(arrays[named])):
            arrays["labels"] = found
            read.add(key)
            break
    for key in (key for key in _CAPTIONS if key in keys and key != items):
        texts = loaded[key]
        if texts.dtype.kind == "S":
            texts = np.char.decode(texts, "utf-8", "replace")
        if texts.dtype.kind == "U" and texts.ndim == 1:
            arrays["captions"] = texts
            read.add(key)
            break
    for key in _BESIDE:
        if key in keys and (items in ("images", SERIES, VOLUMES) or key == "classes"):
            arrays[key] = loaded[key]
            read.add(key)
    # numpy hands out the bytes of a member that is no array.
    if any(not isinstance(array, np.ndarray) for array in arrays.values()):
        raise DataError(
            f"{where} has members that are no NumPy arrays; write it again with numpy.savez"
        )
    shape = next(iter(arrays.values())).shape
    for key in sorted(set(keys) - read):
        header = _header(loaded, key)
        form = "no array" if header is None else f"shape {header}"
        alike = header is not None and len(header) > 2 and header[1:] == shape[1:]
        if alike and not matches(key, options.exclude) and items[:2] != "x_":
            raise DataError(
                f"{where} holds {items} of shape {shape} and {shown(key)} of {header}, which might "
                "be items "
                f"too; join them in one array, or leave one out with `exclude` '{shown(key)}'"
            )
        unread.append(LeftOut(form, storable(key), 1, (storable(key),)))
    return arrays


def _header(loaded: Any, key: str) -> tuple[int, ...] | None:
    """Return the shape of an array in an open npz file without reading it."""
    name = f"{key}.npy"
    if name not in loaded.zip.namelist():
        return None
    with loaded.zip.open(name) as member:
        try:
            found = npy_header(member)
        except ValueError:
            return None
    return None if found is None else found[0]


def _member(loaded: Any, key: str, file: FileState, decoded: Path | None) -> npt.NDArray[Any]:
    """Read one array of an open npz file, or map it if it is large."""
    name = f"{key}.npy"
    size = loaded.zip.getinfo(name).file_size if name in loaded.zip.namelist() else 0
    if size < MAPPED_FROM:
        return loaded[key]
    with loaded.zip.open(name) as member:
        header = npy_header(member)
    if header is None:
        return loaded[key]
    found = map_member(file.path, name)
    shape, dtype = header
    ready = dtype == np.uint8 and len(shape) in (4, 5) and shape[-1] in (1, 3)
    if found is None and ready and decoded is not None:
        blocks = unpacked(file.path, name)
        found = keep_array(blocks, shape, file=file, options=name, folder=decoded)
    if found is not None:
        return found
    if size > memory_of_machine():
        raise MemoryError
    return loaded[key]


def _groups(groups: npt.NDArray[Any], dataset: Dataset, *, where: str) -> tuple[str, ...] | None:
    """Check an array of groups: one text or whole number per item."""
    if groups.shape != (len(dataset),) or groups.dtype.kind not in "iuU":
        raise DataError(
            f"{where}: groups are {groups.dtype} of shape {groups.shape} for {len(dataset):,} items; "
            "expected is one text or whole number per item: write them so, or leave them out"
        )
    return tuple(storable(str(group)) for group in groups.tolist())


def _schema(text: npt.NDArray[Any], dataset: Dataset, *, where: str) -> Schema | None:
    """Read what the columns of a table's samples are, as `rote sample` writes it."""
    try:
        schema = Schema.from_json(json.loads(str(text[()])))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{where} has an array 'schema' that rote did not write ({shown(error)}); remove it"
        ) from None
    if dataset.shape != (schema.width,):
        raise DataError(
            f"{where} holds items of shape {dataset.shape} and a schema of {schema.width} numbers; "
            "sample it again"
        )
    return schema
