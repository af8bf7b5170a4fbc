"""The numbers that a pipeline computes in: known before torch is imported."""

from __future__ import annotations

BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
DTYPES = tuple(BYTES)
