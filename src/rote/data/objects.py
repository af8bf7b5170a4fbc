"""What people hold in Python as images: tensors, Pillow images, lists of these, of arrays or of paths."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from rote.core.errors import DataError
from rote.data.files.archives import Entry, file_reader
from rote.data.messages import shown

_FORMS = (
    "a path, the name of a set, a NumPy array or torch tensor (N, H, W, C) or (N, C, H, W), a "
    "Pillow image, or "
    "a list of paths, Pillow images or arrays is expected"
)


def images_in_memory(source: Any) -> npt.NDArray[Any] | list[Entry]:
    """Return one array of all images, or an entry for each where they may have different sizes.

    Raises
    ------
    DataError
        If it is none of the forms that are taken; the message names them.
    """
    if isinstance(source, np.ndarray):
        return source
    if _is_tensor(source):
        return _array(source)
    if isinstance(source, Image.Image):
        return [_of_image(source, 0)]
    if not isinstance(source, list | tuple):
        kind = f"{type(source).__module__}.{type(source).__qualname__}".removeprefix("builtins.")
        hint = ""
        if hasattr(source, "__iter__"):
            hint = "; make a list of the images in it, without their labels"
        raise DataError(f"`source` is a {shown(kind)}; {_FORMS}{hint}")
    if not source:
        raise DataError(f"`source` is an empty {type(source).__name__}; give at least one image")
    if all(isinstance(one, str | Path) for one in source):
        return [_of_path(one) for one in source]
    if all(isinstance(one, Image.Image) for one in source):
        return [_of_image(one, number) for number, one in enumerate(source)]
    if all(isinstance(one, np.ndarray) or _is_tensor(one) for one in source):
        return _of_arrays([_array(one) for one in source])
    kinds = sorted({type(one).__qualname__ for one in source})
    raise DataError(
        f"`source` is a {type(source).__name__} of {shown(' and '.join(kinds[:3]))}; {_FORMS}, all "
        "of one kind"
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
    return Entry(str(path), file_reader(found), found.name)
