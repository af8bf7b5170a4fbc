"""The sets inside scikit-learn: real data with no download. scikit-learn is imported on use."""

from __future__ import annotations

from typing import Any

import numpy as np

from rote.data.columns import numeric_schema
from rote.data.dataset import ImageDataset

DESCRIPTIONS = {
    "digits": "1,797 8x8 grey handwritten digits in 10 classes (embedded)",
    "wine": "178 wines with 13 measurements in 3 classes, vectors (embedded)",
    "breast_cancer": "569 tumors with 30 measurements in 2 classes, vectors (embedded)",
    "iris": "150 flowers with 4 measurements in 3 classes, vectors (embedded)",
}


def load_embedded(name: str) -> ImageDataset:
    """Return one of `DESCRIPTIONS`: digits as uint8 images, the others as tables of numbers."""
    from sklearn import datasets

    if name == "digits":
        found: Any = datasets.load_digits()
        # 17 grey levels, 0..16, spread over 0..255; white and black stay so.
        images = np.floor(found.images * (255 / 16) + 0.5).astype(np.uint8)[:, :, :, None]
        classes = tuple(str(digit) for digit in range(10))
        return ImageDataset(
            images=images, labels=found.target.astype(np.int64), classes=classes, source=name
        )
    loaders = {
        "wine": datasets.load_wine,
        "breast_cancer": datasets.load_breast_cancer,
        "iris": datasets.load_iris,
    }
    found = loaders[name]()
    vectors = np.ascontiguousarray(found.data, dtype=np.float32)
    classes = tuple(str(target) for target in found.target_names)
    columns = [str(column) for column in found.feature_names]
    return ImageDataset(
        images=vectors,
        labels=found.target.astype(np.int64),
        classes=classes,
        source=name,
        schema=numeric_schema(columns, vectors, label="class", classes=classes),
    )
