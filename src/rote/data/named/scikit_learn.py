"""The sets inside scikit-learn: real data with no download. scikit-learn is imported on use.

Importing it takes two seconds, and digits are the data of most first commands; so their file is read
from where scikit-learn has it, and the package is imported only where that file is not as expected.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.data.dataset import Dataset
from rote.data.tables.schema import numeric_schema


def load_embedded(name: str) -> Dataset:
    """Return a set of `names.py`: digits as uint8 images, the others as tables of numbers."""
    if name == "digits":
        levels, labels = _digits()
        # 17 grey levels, 0..16, spread over 0..255; white and black stay so.
        images = np.floor(levels * (255 / 16) + 0.5).astype(np.uint8)[:, :, :, None]
        classes = tuple(str(digit) for digit in range(10))
        return Dataset(items=images, labels=labels, classes=classes, source=name)
    from sklearn import datasets

    loaders = {
        "wine": datasets.load_wine,
        "breast_cancer": datasets.load_breast_cancer,
        "iris": datasets.load_iris,
    }
    found: Any = loaders[name]()
    vectors = np.ascontiguousarray(found.data, dtype=np.float32)
    classes = tuple(str(target) for target in found.target_names)
    columns = [str(column) for column in found.feature_names]
    return Dataset(
        items=vectors,
        labels=found.target.astype(np.int64),
        classes=classes,
        source=name,
        schema=numeric_schema(columns, vectors, label="class", classes=classes),
    )


def _digits() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return the levels (1797, 8, 8) and the digits (1797,), as `sklearn.datasets.load_digits` does."""
    spec = importlib.util.find_spec("sklearn")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        try:
            rows = np.loadtxt(Path(folder) / "datasets" / "data" / "digits.csv.gz", delimiter=",")
        except (OSError, ValueError):
            continue
        if rows.shape == (1797, 65):
            return rows[:, :64].reshape(-1, 8, 8), rows[:, 64].astype(np.int64)
    from sklearn.datasets import load_digits

    found: Any = load_digits()
    return found.images, found.target.astype(np.int64)
