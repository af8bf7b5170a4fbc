"""Rows of a host array on a device, block after block, moved, and multiplied, while the device computes.

On a GPU two blocks are under way: a thread copies rows into pinned memory, from where they go to the
device on a stream of their own; the computing stream waits for a block's arrival, and the copying stream
until the block before it in the same place has been read. Rows that lie in pinned memory already are
sent from where they are. On a CPU every block is a copy, and there are no streams.
"""

from __future__ import annotations

import contextlib
import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

TileT = TypeVar("TileT")
BlockT = TypeVar("BlockT")
SLOTS = 2
MOVED_BYTES = 2**25
"""Moved at a time where all is kept: more would only need more pinned memory."""
COPIERS = 8
"""Threads that fill pinned memory: one alone is slower than the bus."""


def stream_blocks(
    items: npt.NDArray[Any], parts: Sequence[slice], device: torch.device
) -> Iterator[tuple[slice, Tensor]]:
    """Yield the parts of (N, D) items as tensors on the device.

    Each is valid until the next one is asked for.
    """
    if not parts:
        return
    if device.type != "cuda":
        for part in parts:
            yield part, torch.from_numpy(np.array(items[part]))
        return
    with ThreadPoolExecutor(1) as feeder, ThreadPoolExecutor(COPIERS) as copiers:
        line = _PinnedTransfer(items, parts, device, copiers)
        coming: deque[Future[None]] = deque()
        try:
            for turn in range(min(SLOTS, len(parts))):
                coming.append(feeder.submit(line.send, turn))
            for turn, part in enumerate(parts):
                coming.popleft().result()
                yield part, line.arrived(turn)
                line.used(turn)
                if turn + SLOTS < len(parts):
                    coming.append(feeder.submit(line.send, turn + SLOTS))
        finally:
            for future in coming:
                future.cancel()
            line.drain()


def to_device(items: npt.NDArray[Any], device: torch.device) -> Tensor:
    """Return a copy of (N, D) items on the device, moved as `stream_blocks` moves them."""
    size = max(1, items.nbytes // max(1, len(items)))
    rows = max(1, MOVED_BYTES // size)
    starts = range(0, len(items), rows)
    parts = [slice(start, min(start + rows, len(items))) for start in starts]
    whole: Tensor | None = None
    for part, raw in stream_blocks(items, parts, device):
        if whole is None:
            whole = raw.new_empty(items.shape)
        whole[part] = raw
    assert whole is not None
    return whole


def multiply(
    products: Callable[[TileT, BlockT], Tensor],
    pairs: Iterable[tuple[TileT, BlockT, float]],
    device: torch.device,
) -> Iterator[tuple[TileT, BlockT, Tensor, float]]:
    """Yield (tile, block, product, share done) of the given (tile, block, share done).

    On a GPU the next product is computed while one is looked at: call it, and look, on the first of
    `streams`.
    """
    if device.type != "cuda":
        for tile, block, done in pairs:
            yield tile, block, products(tile, block), done
        return
    cuda: Any = torch.cuda  # torch has no types for streams and events
    looking, multiplying = streams(device)
    last: tuple[TileT, BlockT, Tensor, float, Any] | None = None
    for tile, block, done in pairs:
        # What is queued by now: making the block, and all looks but the last one. Memory that they read
        # is free after it, and the memory of a product is not used again before its looks are queued.
        multiplying.wait_stream(looking)
        with cuda.device(device), cuda.stream(multiplying):
            product = products(tile, block)
            ready = multiplying.record_event()
        if last is not None:
            looking.wait_event(last[-1])
            yield last[:-1]
        last = tile, block, product, done, ready
    if last is not None:
        looking.wait_event(last[-1])
        yield last[:-1]


@functools.lru_cache(maxsize=16)
def streams(device: torch.device) -> tuple[Any, Any]:
    """Return the streams of a GPU that look and multiply, the same ones always.

    A look's many short kernels go before a product's thousands of blocks; else they would wait for all
    of them. Memory of a stream is only used again by the same one, hence one pair for good.
    """
    cuda: Any = torch.cuda
    return cuda.Stream(device, priority=-1), cuda.Stream(device)


@contextlib.contextmanager
def on_stream(device: torch.device) -> Iterator[None]:
    """Queue all work on the stream that looks, after what the caller has queued; nothing on a CPU."""
    if device.type != "cuda":
        yield
        return
    cuda: Any = torch.cuda
    looking, _ = streams(device)
    looking.wait_stream(cuda.current_stream(device))
    with cuda.device(device), cuda.stream(looking):
        yield


class _PinnedTransfer:
    """Two places on the GPU, each with pinned memory and the events that hand it to and fro."""

    def __init__(
        self,
        items: npt.NDArray[Any],
        parts: Sequence[slice],
        device: torch.device,
        copiers: ThreadPoolExecutor,
    ) -> None:
        self._items, self._parts, self._device, self._copiers = items, parts, device, copiers
        rows = max(part.stop - part.start for part in parts)
        kind = torch.from_numpy(np.empty(0, items.dtype)).dtype
        shape = (rows, items.shape[1])
        self._raw = [torch.empty(shape, dtype=kind, device=device) for _ in range(SLOTS)]
        self._source = pinned(items)
        self._staged = (
            [torch.empty(shape, dtype=kind, pin_memory=True) for _ in range(SLOTS)]
            if self._source is None
            else []
        )
        cuda: Any = torch.cuda  # torch has no types for streams and events
        self._computing = cuda.current_stream(device)
        self._copying = cuda.Stream(device)
        # The places may be memory that computing, not finished yet, has given back.
        self._copying.wait_stream(self._computing)
        self._here = [cuda.Event() for _ in range(SLOTS)]
        self._free = [cuda.Event() for _ in range(SLOTS)]

    def send(self, turn: int) -> None:
        """Start moving one part; called in the feeder's thread."""
        slot, part = turn % SLOTS, self._parts[turn]
        count = part.stop - part.start
        if self._source is not None:
            rows = self._source[part]
        else:
            self._here[slot].synchronize()  # what was staged here has left
            rows = self._staged[slot][:count]
            self._stage(part, rows.numpy())
        with torch.cuda.device(self._device), torch.cuda.stream(self._copying):
            self._copying.wait_event(self._free[slot])
            self._raw[slot][:count].copy_(rows, non_blocking=True)
            self._here[slot].record(self._copying)

    def _stage(self, part: slice, out: npt.NDArray[Any]) -> None:
        size = -(-len(out) // COPIERS)

        def copy(start: int) -> None:
            stop = min(start + size, len(out))
            out[start:stop] = self._items[part.start + start : part.start + stop]

        list(self._copiers.map(copy, range(0, len(out), size)))

    def arrived(self, turn: int) -> Tensor:
        """Let the computing stream wait for a part, and return it."""
        self._computing.wait_event(self._here[turn % SLOTS])
        part = self._parts[turn]
        return self._raw[turn % SLOTS][: part.stop - part.start]

    def used(self, turn: int) -> None:
        """Give the place of a part back once all that is queued by now has run."""
        self._free[turn % SLOTS].record(self._computing)

    def drain(self) -> None:
        """Wait until nothing moves any more."""
        self._copying.synchronize()


def pinned(items: npt.NDArray[Any]) -> Tensor | None:
    """Return items that lie in pinned memory as a tensor, or None."""
    if not (items.flags.writeable and items.flags.c_contiguous):
        return None
    tensor = torch.from_numpy(items)
    return tensor if tensor.is_pinned() else None
