"""Files of results that do not fit on a small disk."""

from pathlib import Path

import numpy as np
import torch

from rote.core.atomic_files import write_json, write_npz
from rote.core.errors import RunError
from rote.diffusion.checkpoint import write_tensors

__all__ = ["RunError", "write_large"]


def write_large(kind: str, path: Path) -> None:
    """Write more than 64 KiB that no compression makes smaller."""
    if kind == "json":
        write_json(path, {"text": "x" * 200_000})
    elif kind == "npz":
        noise = np.random.default_rng(0).integers(0, 256, 200_000, dtype=np.uint8)
        write_npz(path, {"noise": noise})
    else:
        write_tensors(path, {"zeros": torch.zeros(50_000)}, {})
