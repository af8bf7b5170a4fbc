"""The pickles of a TorchScript archive, compared with its records and never made into anything.

torch takes such a pickle at its word: a storage of more numbers than its record holds is read past the
end of it. Here the pickle is walked through with stand-ins: it can name, call and keep nothing.
"""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable, Mapping
from typing import Any, cast

from rote.spaces.guard import RefusedError


def check_pickle(name: str, members: Mapping[str, bytes]) -> None:
    """Refuse a pickle that names what is no type, tensor or list, or claims what is not in its records.

    Parameters
    ----------
    name
        Of the pickle and of the folder of its records: "data" or "constants".
    members
        Of the archive.

    Raises
    ------
    RefusedError
        Naming the first thing that is wrong.
    """
    try:
        _Described(members, name).load()
    except RefusedError:
        raise
    except Exception as error:  # a broken pickle raises anything
        raise RefusedError(f"{name}.pkl is broken ({type(error).__name__}: {error})") from error


class _Stub:
    """Stands for an object of the file: holds nothing, does nothing."""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


class _Call(_Stub):
    """Stands for a function, and cannot be changed by a state."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)


class _Storage(_Stub):
    """Stands for a type of numbers, by their size in bytes."""

    def __init__(self, size: int) -> None:
        self.size = size


_SIZES = {
    "Bool": 1,
    "Byte": 1,
    "Char": 1,
    "Short": 2,
    "Half": 2,
    "BFloat16": 2,
    "Int": 4,
    "Float": 4,
    "Long": 8,
    "Double": 8,
    "ComplexFloat": 8,
    "ComplexDouble": 16,
}


class _Described(pickle._Unpickler):
    """Reads a pickle of the archive without making anything of it, and compares sizes with records."""

    def __init__(self, members: Mapping[str, bytes], name: str) -> None:
        super().__init__(io.BytesIO(members[f"{name}.pkl"]))
        self._members, self._folder = members, name

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name.removesuffix("Storage") in _SIZES:
            return _Storage(_SIZES[name.removesuffix("Storage")])
        if module == "torch._utils" and name.startswith("_rebuild_"):
            if name not in ("_rebuild_tensor_v2", "_rebuild_parameter"):
                raise RefusedError(
                    f"{self._folder}.pkl holds other tensors than dense ones ({name})"
                )
            return _Call(_checked_tensor if name == "_rebuild_tensor_v2" else _first)
        if module.startswith("__torch__.torch.classes"):
            raise RefusedError(f"{self._folder}.pkl holds a class of C++ ({name})")
        if module.partition(".")[0] in ("__torch__", "torch", "collections"):
            return _Stub if module.startswith("__torch__") else _Call(_first)
        raise RefusedError(f"{self._folder}.pkl names {module}.{name}")

    def persistent_load(self, described: Any) -> int:
        """Return how many numbers a storage has; its record must hold as many."""
        _, kind, key, _, count = described
        held = self._members.get(f"{self._folder}/{key}")
        if held is None or not isinstance(kind, _Storage) or count < 0:
            raise RefusedError(f"{self._folder}.pkl describes weights that are not there")
        if len(held) != count * kind.size:
            raise RefusedError(
                f"weights {key} claim {count * kind.size:,} bytes, and have {len(held):,}"
            )
        return cast("int", count)


def _first(*arguments: Any) -> Any:
    return arguments[0] if arguments else None


def _checked_tensor(storage: Any, offset: int, shape: Any, strides: Any, *_: object) -> None:
    """Refuse a tensor that reaches out of its storage of so many numbers."""
    if len(shape) != len(strides) or min((offset, *shape, *strides)) < 0:
        raise RefusedError("a tensor has a negative size")
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    if math.prod(shape) and last >= storage:
        raise RefusedError(f"a tensor of shape {tuple(shape)} has {storage:,} numbers to lie in")
