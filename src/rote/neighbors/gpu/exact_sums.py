"""The distance that rote defines between floats, on a device: `brute_force.sq_differences` bit for bit.

Differences and squares are single operations, rounded alike everywhere. A sum depends on its order, and
numpy's order over a row of numbers is fixed by their count n alone:

    n < 8        one after the other
    n <= 128     eight sums of every eighth number, joined as ((0+1)+(2+3))+((4+5)+(6+7)), then the rest
    more         the sums of two parts, the first n / 2 rounded down to a multiple of 8

This is done here by whole tensors. `check_sums` compares it with numpy's own before a search relies on
it.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from rote.core.errors import ConfigError
from rote.neighbors import brute_force

LANES, LEAF = 8, 128


def sq_differences(queries: Tensor, references: Tensor) -> Tensor:
    """Return sum((q - r)^2) over the last axis of float (P, D) pairs, as float64 (P,)."""
    difference = references.double() - queries.double()
    return row_sums(difference.square_())


def row_sums(values: Tensor) -> Tensor:
    """Return the sums over the last axis of float64 (..., n) as numpy's add.reduce rounds them."""
    count = values.shape[-1]
    if count < LANES:
        return _in_turn(values[..., 0], values[..., 1:])
    if count <= LEAF:
        whole = count - count % LANES
        lanes = values[..., :whole].reshape(*values.shape[:-1], whole // LANES, LANES)
        total = lanes[..., 0, :]
        for step in range(1, lanes.shape[-2]):
            total = total + lanes[..., step, :]
        while total.shape[-1] > 1:
            total = total[..., ::2] + total[..., 1::2]
        return _in_turn(total[..., 0], values[..., whole:])
    half = count // 2
    half -= half % LANES
    if count == 2 * half:
        both = row_sums(values.reshape(*values.shape[:-1], 2, half))
        return both[..., 0] + both[..., 1]
    return row_sums(values[..., :half]) + row_sums(values[..., half:])


def _in_turn(total: Tensor, values: Tensor) -> Tensor:
    for step in range(values.shape[-1]):
        total = total + values[..., step]
    return total


@functools.lru_cache(maxsize=64)
def check_sums(dimension: int, device: torch.device) -> None:
    """Check that a device sums rows of so many numbers as numpy does.

    Raises
    ------
    ConfigError
        If it does not: then distances on it would differ from those on a CPU in their last bits.
    """
    rng = np.random.default_rng(dimension)
    queries, references = rng.normal(size=(2, 33, dimension))
    expected = brute_force.sq_differences(queries, references)
    left, right = (torch.from_numpy(side).to(device) for side in (queries, references))
    if not np.array_equal(sq_differences(left, right).cpu().numpy(), expected):
        raise ConfigError(
            f"{device} sums floats in another order than numpy {np.__version__}; use `device` cpu"
        )
