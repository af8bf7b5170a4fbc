"""Precision set locally, whatever the caller's global switches say.

torch's switches are the whole process's, and threads may be inside at once: the first one in sets them,
and the last one out puts them back.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

_lock = threading.Lock()
_set = contextlib.ExitStack()
_inside = 0


@contextlib.contextmanager
def strict_fp32() -> Iterator[None]:
    """Compute float32 products in float32 within the block: no TF32, no bf16; then put it back."""
    global _inside
    with _lock:
        if not _inside:
            _set.enter_context(_strict_switches())
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _set.close()


@contextlib.contextmanager
def _strict_switches() -> Iterator[None]:
    import torch

    try:
        matmul, cudnn = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
        mixed = False
    except RuntimeError:  # the caller has set torch's newer switches; the older ones refuse to mix
        mixed = True
    if mixed:
        with _strict_backends():
            yield
        return
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.allow_tf32 = cudnn


@contextlib.contextmanager
def _strict_backends() -> Iterator[None]:
    """Do the same by the switches that torch has had since 2.9, one for each kind of product."""
    import torch

    backends: Any = torch.backends  # torch has no types for these
    cudnn, mkldnn = backends.cudnn, backends.mkldnn
    switches = [backends.cuda.matmul, cudnn.conv, cudnn.rnn, mkldnn.matmul, mkldnn.conv]
    before = [switch.fp32_precision for switch in switches]
    try:
        for switch in switches:
            switch.fp32_precision = "ieee"
        yield
    finally:
        for switch, precision in zip(switches, before, strict=True):
            switch.fp32_precision = precision
