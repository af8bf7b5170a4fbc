"""Groups of duplicates within the training set.

With every training image present twice, an exact copy has both of its nearest neighbors at distance
0 and a ratio test that does not know about duplicates calls it novel. So the second neighbor is taken
from another group than the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class DuplicateGroups:
    """A partition of the items into groups of duplicates.

    Attributes
    ----------
    group
        int64 (N,): the group of each item, numbered by first appearance.
    representative
        int64 (groups,): the lowest position in each group, ascending.
    """

    group: npt.NDArray[np.int64]
    representative: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.representative)

    def to_json(self) -> dict[str, Any]:
        """Return groups with more than one item, the items in them, and the distinct items."""
        sizes = np.bincount(self.group)
        return {
            "groups": int((sizes > 1).sum()),
            "images": int(sizes[sizes > 1].sum()),
            "distinct": len(self),
        }


def exact_duplicates(items: npt.NDArray[Any]) -> DuplicateGroups:
    """Group the items that are equal in every value.

    Parameters
    ----------
    items
        (N, ...) of any dtype.

    >>> groups = exact_duplicates(np.array([[1, 2], [3, 4], [1, 2]], dtype=np.uint8))
    >>> groups.group.tolist(), groups.representative.tolist()
    ([0, 1, 0], [0, 1])
    """
    seen: dict[bytes, int] = {}
    # + 0.0 turns -0.0 into 0.0, which is equal and has other bytes.
    flat = np.ascontiguousarray(items if items.dtype == np.uint8 else items + 0.0)
    group = np.empty(len(flat), np.int64)
    representative = []
    for number, item in enumerate(flat):
        key = item.tobytes()
        if key not in seen:
            seen[key] = len(seen)
            representative.append(number)
        group[number] = seen[key]
    return DuplicateGroups(group, np.array(representative, np.int64))
