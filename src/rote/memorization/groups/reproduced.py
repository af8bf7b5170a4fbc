"""Which groups of the training side were reproduced: patients, households, persons.

A group is reproduced where at least one generated item is a copy of one of its items, or of a duplicate
of one. That is a count of these very groups under these very samples; more samples reproduce more. Its
interval speaks of groups like these, each of which counts once however many items it has: the exact one
of Clopper and Pearson, for groups are few (decision 30).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.data.duplicates import DuplicateGroups
from rote.stats.clustered import rate_over
from rote.stats.rates import Rate

COLUMNS = ("group", "items", "reproduced", "copies", "nearest", "nearest_name", "ratio")
MOST_TOLD = 200
"""Groups that `audit.json` names; `groups.csv` has all."""


@dataclass(frozen=True, eq=False)
class ReproducedGroups:
    """What was reproduced of the groups of the training side.

    Attributes
    ----------
    names
        Of the G groups among the references, sorted; untrusted text.
    items
        int64 (G,): training items of each.
    copies
        By criterion, int64 (G,): generated items that are copies of one of its items.
    nearest, ratio
        int64 and float64 (G,): the generated item of lowest ratio whose nearest training item is of the
        group, and its ratio; -1 and 1 where there is none.
    reproduced
        By criterion: groups with a copy, of all G.
    holdout
        Held-out groups in the control; None without any.
    flagged
        By criterion: held-out groups with an item that the criterion flags, of all of them.
    """

    names: tuple[str, ...]
    items: npt.NDArray[np.int64]
    copies: dict[str, npt.NDArray[np.int64]]
    nearest: npt.NDArray[np.int64]
    ratio: npt.NDArray[np.float64]
    reproduced: dict[str, Rate]
    holdout: int | None
    flagged: dict[str, Rate]

    @property
    def by_copies(self) -> npt.NDArray[np.int64]:
        """Positions of the groups, most copied (by the ratio) first, then by lowest ratio: int64 (G,)."""
        return np.lexsort((self.ratio, -self.copies["ratio"]))

    def to_json(self) -> dict[str, Any]:
        """Return them as plain types."""
        return {
            "count": len(self.names),
            "holdout": self.holdout,
            "reproduced": {name: rate.to_json() for name, rate in self.reproduced.items()},
            "flagged": {name: rate.to_json() for name, rate in self.flagged.items()},
            "top": [
                {
                    "name": self.names[row],
                    "items": int(self.items[row]),
                    "copies": int(self.copies["ratio"][row]),
                    "nearest": int(self.nearest[row]),
                    "ratio": float(self.ratio[row]),
                }
                for row in self.by_copies[:MOST_TOLD].tolist()
                if self.nearest[row] >= 0
            ],
        }

    def rows(self, generated: Sequence[str]) -> Iterator[list[Any]]:
        """Yield the rows of `groups.csv`, given the names of the generated items."""
        others = [name for name in self.copies if name != "ratio"]
        yield [*COLUMNS, *(f"copies_{name}" for name in others)]
        for row in self.by_copies.tolist():
            near, copies = int(self.nearest[row]), int(self.copies["ratio"][row])
            cells = [self.names[row], int(self.items[row]), "yes" if copies else "no", copies]
            cells += ["", "", ""] if near < 0 else [near, generated[near], f"{self.ratio[row]:.6g}"]
            yield [*cells, *(int(self.copies[name][row]) for name in others)]


def reproduced_groups(
    groups: Sequence[str],
    *,
    rest: npt.NDArray[np.int64],
    exact: DuplicateGroups,
    verdicts: Mapping[str, npt.NDArray[np.bool_]],
    nn1_index: npt.NDArray[np.int64],
    ratio: npt.NDArray[np.float64],
    confidence: float,
    held_out: Mapping[str, npt.NDArray[np.bool_]] | None = None,
    held_out_group: npt.NDArray[np.int64] | None = None,
) -> ReproducedGroups:
    """Count the groups of which generated items are copies.

    Parameters
    ----------
    groups
        The group of each training item.
    rest
        int64: the training items that are references, duplicates among them.
    exact
        Exact duplicates of the training side: a copy of one is a copy of all.
    verdicts
        bool (N,) of the generated items per criterion; "ratio" among them.
    nn1_index, ratio
        (N,): the nearest training item, and the distance ratio.
    held_out, held_out_group
        Verdicts (M,) of the held-out items per criterion, and their groups as numbers (M,).

    >>> from rote.data.duplicates import exact_duplicates
    >>> found = reproduced_groups(
    ...     ["ann", "ann", "bob"],
    ...     rest=np.arange(3),
    ...     exact=exact_duplicates(np.array([[1], [2], [3]], np.uint8)),
    ...     verdicts={"ratio": np.array([True, True, False])},
    ...     nn1_index=np.array([0, 1, 2]),
    ...     ratio=np.array([0.1, 0.2, 0.9]),
    ...     confidence=0.95,
    ... )
    >>> found.reproduced["ratio"].count, found.reproduced["ratio"].total, found.copies["ratio"].tolist()
    (1, 2, [2, 0])
    """
    names, number = np.unique(np.asarray(groups)[rest], return_inverse=True)
    image = exact.group[rest]
    # Which image is in which group, once each.
    pairs = np.unique(np.stack([image, number]), axis=1)

    def counted(flagged: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        hits = np.bincount(exact.group[nn1_index[flagged]], minlength=len(exact))
        found = np.bincount(pairs[1], weights=hits[pairs[0]], minlength=len(names))
        return found.astype(np.int64)

    nearest, lowest = np.full(len(names), -1, np.int64), np.ones(len(names))
    member = np.searchsorted(names, np.asarray(groups)[nn1_index])
    for row in np.argsort(-ratio, kind="stable").tolist():  # so that the lowest is written last
        nearest[member[row]], lowest[member[row]] = row, ratio[row]
    copies = {name: counted(mask) for name, mask in verdicts.items()}
    flagged: dict[str, Rate] = {}
    holdout = None
    if held_out is not None and held_out_group is not None:
        _, place = np.unique(held_out_group, return_inverse=True)
        holdout = len(np.bincount(place))
        for name, mask in held_out.items():
            hit = np.bincount(place, weights=mask) > 0
            flagged[name] = _of_groups(hit, confidence)
    return ReproducedGroups(
        names=tuple(names.tolist()),
        items=np.bincount(number),
        copies=copies,
        nearest=nearest,
        ratio=lowest,
        reproduced={name: _of_groups(count > 0, confidence) for name, count in copies.items()},
        holdout=holdout,
        flagged=flagged,
    )


def _of_groups(hit: npt.NDArray[np.bool_], confidence: float) -> Rate:
    return rate_over(hit, np.arange(len(hit)), confidence=confidence)
