"""Lower bounds on distances from a few projections, with every rounding error accounted for.

For orthonormal directions Q (D x m) and any two points x, y,

    |x - y|^2  =  |Q'(x - y)|^2 + |R(x) - R(y)|^2  >=  |Q'x - Q'y|^2 + (rho(x) - rho(y))^2,

R being what the directions do not see and rho = |R| its length. So the *features* a(x) = (Q'x, rho(x))
satisfy |a(x) - a(y)| <= |x - y|: a search over m + 1 numbers may discard every reference whose features
are farther than the k-th best true distance. The bound is certified in spite of rounding:

1. 8-bit items. The directions are rounded to integers V, scaled so that every partial sum of V'x is an
   integer below 2^24: by Cauchy-Schwarz it is at most |V_j| |x| over the summed block. float32 matrix
   products are then exact. Q is V (V'V)^(-1/2), orthonormal to 1e-12, and Q'x = (V'V)^(-1/2) V'x is a
   small float64 product. Float items are projected in float64.
2. rho^2 = |x|^2 - |Q'x|^2 in float64, |x|^2 from exact integers; an error of E in rho^2 is one of at most
   sqrt(E) in rho.
3. The features are rounded to float32, an error of at most 2^-24 |a|.
   (1 to 3 together move a point's features by at most its `rounding_error` e.)
4. The filter value |a|^2 + |b|^2 - 2 a.b in float32 errs by at most (m + 8) 2^-23 (|a| + |b|)^2.

A reference at true squared distance d is therefore never filtered out by a limit of

    (sqrt(d) + e_q + e_r)^2 + (m + 8) 2^-23 (|a_q| + |a_r|)^2,

the limit in `kernels.limit_of` (the features of float items are scaled by a power of two into float32's
range). Which directions are taken changes the speed and never the answer: principal directions of a
sample, by randomized subspace iteration (Halko et al. 2011).
"""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from rote.core.precision import strict_fp32
from rote.core.progress.work import counted_results
from rote.data.known import Arrays
from rote.neighbors.cpu import kernels

SAMPLE = 2048
OVERSAMPLING = 16
ITERATIONS = 2
FEW_ROWS = 4
EXACT_SUM = 2.0**24
BLOCK_DIMENSIONS = 4096
SHIFT = 128
UNIT32 = 2.0**-23
ROWS = 512


class SlicedRows(Protocol):
    """Items (N, D) that need not be in memory together: an array, or what makes one of each slice."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> npt.NDArray[Any]: ...


@dataclass(frozen=True, eq=False)
class Features:
    """What the filter sees of some items.

    Attributes
    ----------
    values
        float32 (N, m + 1): projections on all m directions and the residual length behind them.
    coarse_residual
        float32 (N,): residual length behind the first ``coarse`` directions.
    length
        float64: the largest |a| of any item, coarse or fine.
    rounding_error
        float64: how far rounding may have moved any item's features, coarse or fine.
    """

    values: npt.NDArray[np.float32]
    coarse_residual: npt.NDArray[np.float32]
    length: float
    rounding_error: float


@dataclass(frozen=True, eq=False)
class Projection:
    """Directions fitted to the references, and the way from an item to its features."""

    integer: bool
    directions: npt.NDArray[Any]
    """Integers V as float32 (D, m), or orthonormal float64 (D, m)."""
    whiten: npt.NDArray[np.float64]
    """(V'V)^(-1/2), float64 (m, m); the identity for float items."""
    center: npt.NDArray[Any]
    """uint8 or float64 (D,); distances do not depend on it, lengths do."""
    coarse: int
    """How many of the directions the first filter takes."""
    defect: float
    """Bound on |Q'Q - 1|."""

    def features(self, items: SlicedRows, pool: Executor, *, scale: float) -> Features:
        """Return the features of uint8 or float (N, D) items, times ``scale``."""
        count, width = len(items), self.directions.shape[1]
        values = np.empty((count, width + 1), np.float32)
        coarse = np.empty(count, np.float32)

        def fill(start: int) -> float:
            """Write some rows straight into place: in float64, all of them would be large."""
            rows = slice(start, start + ROWS)
            projected, sq_norm = self._part(items[rows])
            values[rows, :-1] = projected * scale
            values[rows, -1] = _residual(sq_norm, projected) * scale
            coarse[rows] = _residual(sq_norm, projected[:, : self.coarse]) * scale
            return float(sq_norm.max())

        starts = range(0, count, ROWS)
        found = counted_results(pool.map(fill, starts), "blocks of items projected", len(starts))
        size = math.sqrt(max(found))
        # Relative error of a projection: float64 products over D (or m) terms, and the defect of Q.
        relative = 2.0**-52 * (self.directions.shape[0] + 2 * width) + self.defect
        wrong_sq = 4 * relative * size**2  # error of |Q'x|^2 and so of rho^2
        rounding_error = relative * size + math.sqrt(wrong_sq) + 2.0**-23 * size
        return Features(
            values, coarse, length=size * scale * (1 + 1e-6), rounding_error=rounding_error * scale
        )

    def _part(
        self, items: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return Q'(x - center), float64 (rows, m), and |x - center|^2, float64 (rows,)."""
        if not self.integer:
            centered = items.astype(np.float64)
            centered -= self.center
            sq_norm = np.square(centered).sum(axis=1)
            product = torch.from_numpy(centered) @ torch.from_numpy(self.directions)
            return product.numpy(), sq_norm
        directions = torch.from_numpy(self.directions)
        raw = _exact_product(torch.from_numpy(items).float() - SHIFT, directions)
        raw -= _exact_product(torch.from_numpy(self.center).float()[None] - SHIFT, directions)
        sq_norm = kernels.sq_lengths(items, self.center).astype(np.float64)
        return (raw @ torch.from_numpy(self.whiten)).numpy(), sq_norm


def packed(projection: Projection, features: Features) -> Arrays:
    """Return directions and the features made by them as arrays, to be kept."""
    numbers = [projection.coarse, projection.defect, features.length, features.rounding_error]
    return {
        "directions": projection.directions,
        "whiten": projection.whiten,
        "center": projection.center,
        "values": features.values,
        "residual": features.coarse_residual,
        "numbers": np.array([projection.integer, *numbers], np.float64),
    }


def unpacked(held: Arrays) -> tuple[Projection, Features]:
    """Return what `packed` was given."""
    integer, coarse, defect, length, rounding_error = held["numbers"].tolist()
    # Copies, for torch warns of arrays that nobody may write to.
    projection = Projection(
        integer=bool(integer),
        directions=held["directions"].copy(),
        whiten=held["whiten"].copy(),
        center=held["center"].copy(),
        coarse=int(coarse),
        defect=defect,
    )
    values, residual = held["values"], held["residual"]
    return projection, Features(values, residual, length=length, rounding_error=rounding_error)


def fit_projection(references: npt.NDArray[Any], *, directions: int, coarse: int) -> Projection:
    """Fit directions to a sample of the references.

    Parameters
    ----------
    references
        uint8 or float (N, D).
    directions, coarse
        How many, in all and for the first filter; coarse <= directions <= min(sample, D).
    """
    integer = references.dtype == np.uint8
    chosen = np.linspace(0, len(references) - 1, min(SAMPLE, len(references))).astype(np.int64)
    sample = references[np.unique(chosen)].astype(np.float32 if integer else np.float64)
    center = np.rint(sample.mean(axis=0)) if integer else sample.mean(axis=0)
    basis = _principal(torch.from_numpy(sample - center.astype(sample.dtype)), directions)
    if not integer:
        q = torch.linalg.qr(basis.double())[0].numpy()
        defect = float(np.linalg.norm(q.T @ q - np.eye(directions)))
        identity = np.eye(directions)
        return Projection(integer, q, identity, center, coarse, defect + 2.0**-40)
    v = _rounded(basis.double().numpy())
    gram = (v.T.astype(np.float64)) @ v.astype(np.float64)  # integers below 2^53: exact
    spectrum, turn = np.linalg.eigh(gram)
    whiten = (turn * spectrum**-0.5) @ turn.T
    defect = float(np.linalg.norm(whiten @ gram @ whiten - np.eye(directions)))
    return Projection(integer, v, whiten, center.astype(np.uint8), coarse, defect + 2.0**-40)


def _rounded(basis: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Scale directions to integers whose products with shifted 8-bit items are exact in float32."""
    largest = 0.0
    for start in range(0, len(basis), BLOCK_DIMENSIONS):
        block = basis[start : start + BLOCK_DIMENSIONS]
        # Rounding moves each entry by at most 1/2: leave room for sqrt(block) / 2 in the norm.
        reach = SHIFT * math.sqrt(len(block))
        room = EXACT_SUM / reach - 0.5 * math.sqrt(len(block))
        assert room > 0
        norm = float(np.linalg.norm(block, axis=0).max())
        largest = max(largest, norm / room)
    return np.rint(basis / largest).astype(np.float32)


def _exact_product(items: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """Return the integer products of shifted items (N, D) and V (D, m), exact, as float64."""
    total = torch.zeros(len(items), directions.shape[1], dtype=torch.float64)
    with strict_fp32():
        for start in range(0, items.shape[1], BLOCK_DIMENSIONS):
            part = slice(start, start + BLOCK_DIMENSIONS)
            total += items[:, part] @ directions[part]
    return total


def _principal(sample: torch.Tensor, directions: int) -> torch.Tensor:
    """Return about the leading principal directions of centered rows, orthonormal (D, directions)."""
    if len(sample) <= sample.shape[1] and FEW_ROWS * directions >= len(sample):
        # Nearly as many directions as rows: all of these are had for less than their subspace.
        turn = torch.linalg.eigh(sample @ sample.T)[1].flip(1)[:, :directions]
        return torch.linalg.qr(sample.T @ turn)[0]
    wide = min(directions + OVERSAMPLING, *sample.shape)
    generator = torch.Generator().manual_seed(0)  # changes the speed, never the answer
    start = torch.randn(sample.shape[1], wide, generator=generator, dtype=sample.dtype)
    with strict_fp32():
        basis = sample.T @ (sample @ start)
        for _ in range(ITERATIONS):
            basis = sample.T @ (sample @ torch.linalg.qr(basis)[0])
        basis = torch.linalg.qr(basis)[0]
        inner = sample @ basis
        turn = torch.linalg.eigh(inner.T @ inner)[1].flip(1)
        return (basis @ turn)[:, :directions]


def _residual(
    sq_norm: npt.NDArray[np.float64], projected: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    return np.sqrt(np.maximum(sq_norm - np.square(projected).sum(axis=1), 0.0))
