"""Precision set locally, whatever the caller's global switches say."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def strict_fp32() -> Iterator[None]:
    """Compute float32 products in float32 within the block: no TF32, no bf16; then put it back."""
    import torch

    matmul, cudnn = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.allow_tf32 = cudnn
