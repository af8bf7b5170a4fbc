"""What verdicts add up to: three classes, coverage, rates per class and label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.stats.rates import wilson

NOVEL, COLLAPSED, MEMORIZED = 0, 1, 2
VERDICTS = ("novel", "collapsed", "memorized")
TOP_REFERENCES = 10
TOP_SHARE = 0.01


def classify(
    memorized: npt.NDArray[np.bool_], collapsed: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.int8]:
    """Return the class of each item (N,): memorized, else collapsed, else novel.

    >>> classify(np.array([True, False, False]), np.array([True, True, False])).tolist()
    [2, 1, 0]
    """
    verdict = np.zeros(len(memorized), np.int8)
    if collapsed is not None:
        verdict[collapsed] = COLLAPSED
    verdict[memorized] = MEMORIZED
    return verdict


def count_verdicts(verdict: npt.NDArray[np.int8]) -> dict[str, int]:
    """Return how many items have each verdict, most serious first."""
    counts = np.bincount(verdict, minlength=len(VERDICTS))
    return {VERDICTS[number]: int(counts[number]) for number in (MEMORIZED, COLLAPSED, NOVEL)}


def coverage(
    copied: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    names: Sequence[str],
) -> dict[str, Any]:
    """Return which training items were reproduced, the most reproduced ones, and how concentrated.

    Parameters
    ----------
    copied
        int64: the nearest training item of each memorized item.
    group
        int64 (training,): duplicate group of each training item.
    names
        Of the training items.

    Returns
    -------
    dict
        ``top_share`` is the share of copies made of the 1 % most copied training items (of all training
        items, at least one); ``effective`` the number of equally often copied items that would be as
        concentrated, 1 / sum p^2 (inverse Simpson); both None without copies.
    """
    hits = np.bincount(copied, minlength=len(names))
    order = np.argsort(-hits, kind="stable")
    top = [
        {"index": int(i), "name": names[i], "count": int(hits[i])}
        for i in order[:TOP_REFERENCES]
        if hits[i]
    ]
    most = order[: max(1, round(TOP_SHARE * len(names)))]
    total = int(hits.sum())
    squares = int(np.square(hits).sum())
    return {
        "distinct_references": int((hits > 0).sum()),
        "distinct_groups": len(np.unique(group[copied])),
        "references": len(names),
        "top_share": int(hits[most].sum()) / total if total else None,
        "effective": total * total / squares if total else None,
        "top": top,
    }


def rates_by(
    labels: npt.NDArray[np.int64] | None,
    classes: Sequence[str],
    memorized: npt.NDArray[np.bool_],
    *,
    confidence: float,
) -> list[dict[str, Any]] | None:
    """Return the rate of the items of each class, or None without labels; empty classes are left out."""
    if labels is None:
        return None
    rows = []
    for number in np.unique(labels):
        mask = labels == number
        rate = wilson(int(memorized[mask].sum()), int(mask.sum()), confidence=confidence)
        rows.append({"class": classes[number], "rate": rate.to_json()})
    return rows
