"""What people hold in Python as images: arrays, tensors, Pillow images, and what gives many of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from rote.core.errors import DataError
from rote.data.captions.rows import TEXT_KEYS, first_text
from rote.data.files.archives import file_reader
from rote.data.files.entry import Entry
from rote.data.messages import first_few, shown

_FORMS = (
    "a path, the name of a set, a NumPy array or torch tensor (N, H, W, C) or (N, C, H, W), a data "
    "frame, a Pillow image, or a list, data set or generator of paths, images or batches is expected"
)
_PICTURE_KEYS = ("image", "images", "img", "pixel_values")
_LABEL_KEYS = ("label", "labels")


@dataclass(frozen=True)
class Held:
    """Images in memory: one array, or an entry for each, with the label of each where all have one.

    ``captions`` are as many where some have one.
    """

    images: npt.NDArray[Any] | list[Entry]
    labels: npt.NDArray[np.int64] | None = None
    captions: tuple[str | None, ...] = ()


def images_in_memory(source: Any) -> Held:
    """Return one array of all images, or an entry for each where they may have different sizes.

    Raises
    ------
    DataError
        If it is none of the forms that are taken; the message names them.
    """
    if isinstance(source, np.ndarray):
        return Held(source)
    if _is_tensor(source):
        return Held(_array(source))
    if isinstance(source, Image.Image):
        return Held([_of_image(source, 0)])
    kind = shown(f"{type(source).__module__}.{type(source).__qualname__}".removeprefix("builtins."))
    if kind.startswith("diffusers."):
        way = "sample it with `rote.sample_pipeline`, and give the folder that it returns"
        raise DataError(
            f"`source` is a {kind}; {'give its .images' if hasattr(source, 'images') else way}"
        )
    if isinstance(source, tuple) and len(source) == 2 and _are_texts(source[1]):
        source = _paired(*source)
    if isinstance(source, Mapping | bytes) or not (
        hasattr(source, "__iter__") or hasattr(source, "__getitem__")
    ):
        raise DataError(f"`source` is a {kind}; {_FORMS}")
    items: list[Any] = []
    labels: list[Any] = []
    captions: list[str | None] = []
    for element in _elements(source):
        picture, label = _parts(element)
        texts = _texts(element)
        if (isinstance(picture, np.ndarray) or _is_tensor(picture)) and picture.ndim == 4:
            items.extend(picture)  # += would add the numbers of a NumPy array
            labels += [None] * len(picture) if label is None else list(label)
            texts = texts if isinstance(texts, list | tuple) else [texts] * len(picture)
            captions += [first_text(text) for text in texts]
        else:
            items.append(picture)
            labels.append(label)
            captions.append(first_text(texts))
    if not items:
        raise DataError(f"`source` is a {kind} without anything in it; give at least one image")
    if len(captions) != len(items):
        raise DataError(
            f"`source` gives {len(items)} images and {len(captions)} captions; one each"
        )
    some = any(text is not None for text in captions)
    return Held(_of_items(items, kind), _labels(labels), tuple(captions) if some else ())


def _elements(source: Any) -> Iterator[Any]:
    """Yield what a list, a generator or a data set that is asked by number gives."""
    if hasattr(source, "__len__") and hasattr(source, "__getitem__"):
        return (source[place] for place in range(len(source)))
    return iter(source)


def _parts(element: Any) -> tuple[Any, Any]:
    """Return the image, or the batch, of what a data set gives, and its label or None."""
    if isinstance(element, Mapping):
        keys = [key for key in _PICTURE_KEYS if key in element]
        if not keys:
            raise DataError(
                f"`source` gives dictionaries of {first_few(list(map(str, element)))}; an image under "
                f"one of {', '.join(_PICTURE_KEYS)} is expected: give a list of the images alone"
            )
        return element[keys[0]], next((element[k] for k in _LABEL_KEYS if k in element), None)
    if isinstance(element, tuple | list) and element and not isinstance(element[0], int | float):
        return element[0], element[1] if len(element) > 1 else None
    return element, None


def _texts(element: Any) -> Any:
    """Return the caption that an element has beside its image, or those of its batch."""
    if isinstance(element, Mapping):
        return next((element[key] for key in TEXT_KEYS if key in element), None)
    told = element[1] if isinstance(element, tuple | list) and len(element) > 1 else None
    return told if isinstance(told, str) or _are_texts(told) else None


def _are_texts(told: Any) -> bool:
    return (
        isinstance(told, tuple | list)
        and bool(told)
        and all(isinstance(text, str) for text in told)
    )


def _paired(images: Any, captions: Sequence[str]) -> list[Any]:
    """Return each image with its caption."""
    if isinstance(images, str) or not hasattr(images, "__len__") or len(images) != len(captions):
        raise DataError(
            f"`source` is a pair with {len(captions)} captions; as many images are expected before them"
        )
    return list(zip(images, captions, strict=True))


def _labels(labels: list[Any]) -> npt.NDArray[np.int64] | None:
    """Return labels as numbers where every image has one."""
    try:
        found = np.array([int(label) for label in labels], np.int64)
    except (TypeError, ValueError):
        return None
    return found if (found >= 0).all() else None


def _of_items(items: list[Any], kind: str) -> npt.NDArray[Any] | list[Entry]:
    if all(isinstance(one, str | Path) for one in items):
        return [_of_path(one) for one in items]
    if all(isinstance(one, Image.Image) for one in items):
        return [_of_image(one, number) for number, one in enumerate(items)]
    if all(isinstance(one, np.ndarray) or _is_tensor(one) for one in items):
        return _of_arrays([_array(one) for one in items])
    kinds = sorted({type(one).__qualname__ for one in items})
    raise DataError(
        f"`source` is a {kind} of {shown(' and '.join(kinds[:3]))}; {_FORMS}, all of one kind"
    )


def _is_tensor(source: object) -> bool:
    torch = sys.modules.get("torch")  # whoever holds a tensor has imported it
    return torch is not None and isinstance(source, torch.Tensor)


def _array(source: Any) -> npt.NDArray[Any]:
    """Return an array, or a tensor of any device as one.

    Raises
    ------
    DataError
        If a floating-point tensor has the range of a model and not of pixels.
    """
    if isinstance(source, np.ndarray):
        return source
    import torch

    tensor = source.detach().cpu()
    if not tensor.is_floating_point():
        return np.asarray(tensor.numpy())
    values = np.asarray(tensor.to(torch.float32).numpy())
    if values.ndim > 2 and values.size and np.isfinite(values).all():
        low, high = float(values.min()), float(values.max())
        if low >= -1 and high <= 1:
            way = "(x * 255)" if low >= 0 else "((x + 1) * 127.5)"
            raise DataError(
                f"a {tensor.dtype} tensor with values from {low:g} to {high:g}; whole numbers from "
                "0 to 255 are "
                "expected, because with a wrong range no copy would ever be found: convert the "
                "tensor with "
                f"{way}.round().to(torch.uint8)"
            )
    return values


def _of_arrays(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any] | list[Entry]:
    """Stack arrays of one shape; those of several shapes are images of several sizes."""
    if len({array.shape for array in arrays}) == 1:
        return np.stack(arrays)
    entries = []
    for number, array in enumerate(arrays):
        grey = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 1)
        if array.dtype != np.uint8 or not (grey or (array.ndim == 3 and array.shape[2] == 3)):
            raise DataError(
                f"`source` is a list of arrays of several shapes, and #{number} is {array.dtype} of "
                "shape "
                f"{array.shape}; uint8 images (H, W), (H, W, 1) or (H, W, 3) are expected"
            )
        image = Image.fromarray(array.reshape(array.shape[:2]) if grey else array)
        entries.append(_of_image(image, number))
    return entries


def _of_image(image: Image.Image, number: int) -> Entry:
    return Entry(f"#{number}", lambda _: image, f"#{number}")


def _of_path(path: str | Path) -> Entry:
    found = Path(path).expanduser()
    if not found.is_file():
        raise DataError(f"'{shown(path)}' in the list of `source` is no file; give paths of images")
    return Entry(str(path), file_reader(found), found.name, file=found)
