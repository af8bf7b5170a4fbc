"""Networks from outside, held within bounds and tried before they are believed.

A file of weights may ask for more memory than there is, or never end. And a network of any origin may
give other rows for the same image: because it draws random numbers, because dropout was left on, or
because a row depends on which images stand beside it. Rates of such rows say nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch

from rote.core.errors import DataError
from rote.core.memory import bounded_memory
from rote.spaces.space import Images, Network, Rows, Space

T = TypeVar("T")
SECONDS = 300.0
"""For the first two tiles of a file's network; 16 images take SSCD a few seconds of one core."""
UNSTEADY = 0.05
"""Of the distance between images: how far a row may move beside other images, as numbers of a quantized
network do."""
ROUNDING = 1e-4
"""Of a row's own length: what is rounding, however near the images lie."""
SAMPLE = 2000


class RefusedError(ValueError):
    """A file that is not taken; its text says why in a few words."""


def bounded(network: Network, device: str) -> Network:
    """Return a network that cannot take more memory than is free when it runs.

    That of a GPU has bounds of its own, and its driver reserves addresses without end.
    """
    if device != "cpu":
        return network

    def run(prepared: torch.Tensor) -> torch.Tensor:
        with bounded_memory():
            return network(prepared)

    return run


def try_out(space: Space, images: Images, *, seconds: float = SECONDS) -> None:
    """Refuse a network whose rows depend on anything but their own image.

    The first images are run twice: as they will be, and in another order among their negatives.

    Raises
    ------
    DataError
        If rows differ, or a network that came as a file does not end in time.
    """
    first = images[: max(1, space.tile // 2)]
    beside = np.concatenate([255 - first, first[::-1]])[-space.tile :]

    def both() -> tuple[Rows, Rows]:
        again = space.rows_of_tile(beside)[-len(first) :][::-1]
        return space.rows_of_tile(images[: space.tile])[: len(first)], again

    rows, again = in_time(both, space.name, seconds) if space.foreign == "file" else both()
    moved = np.linalg.norm(rows.astype(np.float64) - again, axis=1)
    apart = np.linalg.norm(rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64), axis=1)
    length = np.linalg.norm(rows.astype(np.float64), axis=1)
    allowed = np.maximum(UNSTEADY * np.sqrt(2 * np.square(apart).mean()), ROUNDING * length)
    if (moved > allowed).any():
        raise DataError(
            f"`space` {space.name} gave another row for the same image among other images (it moved by "
            f"{moved.max():.3g}, and different images lie {np.sqrt(2) * apart.mean():.3g} apart): it is "
            "random, or was saved in training mode (dropout, batch statistics); save it after .eval()"
        )


def in_time(run: Callable[[], T], name: str, seconds: float) -> T:
    """Return what a function returns, or give up after a time; the thread then ends with the process.

    Raises
    ------
    DataError
        If it took longer; and whatever it raises.
    """
    found: list[T] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            found.append(run())
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise DataError(
            f"`space` {name} did not answer within {seconds:g} s for its first images; it may never end"
        )
    if failed:
        raise failed[0]
    return found[0]


def check_spread(
    space: Space, rows: Rows, distinct: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> None:
    """Refuse rows that are all the same where the images are not: every distance would be 0.

    Parameters
    ----------
    space
        Whose rows they are.
    rows
        Float32 (N, D).
    distinct
        Positions of images that all differ; up to `SAMPLE` of them are looked at.

    Raises
    ------
    DataError
        If the rows differ by rounding alone.
    """
    chosen = distinct[:: max(1, len(distinct) // SAMPLE)]
    some = np.asarray(rows[chosen], np.float64)
    apart = np.sqrt(np.square(some - some[0]).sum(axis=1).max())
    if len(some) > 1 and apart <= ROUNDING * np.sqrt(np.square(some).sum(axis=1).max()):
        raise DataError(
            f"`space` {space.name} gave the same row for all of {len(some):,} different training images; "
            "a constant network tells no copy from any other image: are its weights those of a trained "
            "network, and is its preprocessing (?norm=, ?size=) the right one?"
        )
