"""References on a device in groups of nearly equal length, so that one maximum speaks for 32 products.

The nearest of a query q has a small |r|^2 - 2 q.r. Over a group of references that is at least

    (least |r|^2 of the group) - 2 (largest q.r of the group),

and sorted by length a group's references differ little in |r|^2. So the matrix of products is written
once and read once, for its maxima; only groups that reach a query's limit are looked into.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

GROUP = 32
GPU_PIECES = 16
FEW_GROUPS = 8
"""So many groups, or an eighth of them, are looked into one by one; more, and all products are."""


@dataclass(frozen=True, eq=False)
class ReferenceBlock:
    """Some references, ready to be multiplied.

    Row m * groups + g is member m of group g: maxima over groups then run along whole rows of memory.

    Attributes
    ----------
    items
        (rows, D'), int8 or float32; the last group is filled up with references once more.
    sq_norms
        (rows,): squared lengths, int64 or float32.
    indices
        int64 (rows,): which reference a row is; their total for a row that fills up.
    """

    items: Tensor
    sq_norms: Tensor
    indices: Tensor

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.items) // GROUP

    @property
    def nbytes(self) -> int:
        """Bytes that the block holds on its device."""
        tensors = (self.items, self.sq_norms, self.indices)
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    @property
    def least(self) -> Tensor:
        """The least squared length of each group."""
        return self.sq_norms[: self.groups]

    def maxima(self, products: Tensor) -> Tensor:
        """Return the largest product of each group, (Q, groups), of (Q, rows)."""
        return products.view(len(products), GROUP, self.groups).amax(1)

    def crowded(self, near: Tensor) -> Tensor:
        """Return which queries are near to so many groups (Q, groups) that all are looked into."""
        return near.sum(1) > max(FEW_GROUPS, self.groups // 8)

    def members(self, values: Tensor, groups: Tensor) -> Tensor:
        """Return the values (rows,) of some groups' members, (S, 32)."""
        return values.view(GROUP, self.groups).T[groups]

    def members_of(self, products: Tensor, rows: Tensor, groups: Tensor) -> Tensor:
        """Return the products (Q, rows) of pairs of a query and a group, (S, 32)."""
        return products.view(len(products), GROUP, self.groups)[rows, :, groups]


def group_by_length(items: Tensor, sq_norms: Tensor, *, start: int, total: int) -> ReferenceBlock:
    """Put references, whose indices begin at ``start``, into groups of nearly equal length."""
    count = len(items)
    groups = -(-count // GROUP)
    order = sq_norms.argsort()
    filled = torch.nn.functional.pad(order, (0, groups * GROUP - count), value=-1)
    filled = filled.view(groups, GROUP).T.reshape(-1)
    rows = filled.clamp(min=0)
    indices = torch.where(filled < 0, total, filled + start)
    return ReferenceBlock(_rows(items, rows), sq_norms[rows], indices)


def _rows(items: Tensor, rows: Tensor) -> Tensor:
    """Return some rows; bytes are moved eight at a time."""
    if items.dtype == torch.int8 and items.shape[1] % 8 == 0:
        return items.view(torch.int64).index_select(0, rows).view(torch.int8)
    return items.index_select(0, rows)


def at_a_time(numbers: int, device: torch.device) -> int:
    """Return how many numbers to convert at a time: so many stay in a CPU's cache, more fill a GPU."""
    return numbers * GPU_PIECES if device.type == "cuda" else numbers


def keep_least(kept: Sequence[Tensor], rows: Tensor, found: Sequence[Tensor]) -> None:
    """Merge what was found for some rows, in any order, into the k least of each row.

    Parameters
    ----------
    kept
        One or more keys, each (Q, k), by which a row is in order; changed in place.
    rows
        (P,): whose the found ones are.
    found
        As many keys, each (P,).
    """
    if not len(rows):
        return
    k = kept[0].shape[1]
    touched, place = torch.unique(rows, return_inverse=True)
    counter = torch.arange(len(touched), device=rows.device)
    owner = torch.cat([counter.repeat_interleave(k), place])
    keys = [torch.cat([a[touched].reshape(-1), b]) for a, b in zip(kept, found, strict=True)]
    order = keys[-1].argsort(stable=True)
    for key in (*keys[-2::-1], owner):
        order = order[key[order].argsort(stable=True)]
    owner = owner[order]
    rank = torch.arange(len(owner), device=rows.device) - torch.searchsorted(owner, counter)[owner]
    least = order[rank < k]
    for own, key in zip(kept, keys, strict=True):
        own[touched] = key[least].view(-1, k)
