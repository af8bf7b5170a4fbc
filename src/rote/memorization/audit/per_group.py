"""Rates of items that come in groups: many samples of one caption, or of one label.

Two questions. Which captions are copied: a rate for each, whose samples are independent given the caption
(Wilson). And how large the rate is over *captions like these*: the overall rate, with an interval that
takes the caption, not the sample, for the unit (`rote.stats.clustered`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.data.captions.find import METADATA
from rote.data.dataset import Dataset
from rote.data.groups.rules import grouped
from rote.data.messages import first_few, shown
from rote.stats.clustered import ClusteredRate, clustered_rate
from rote.stats.rates import Rate, wilson


@dataclass(frozen=True, eq=False)
class Clusters:
    """Which group each generated item is of.

    Attributes
    ----------
    by
        "caption", "label" or "group".
    cluster
        int64 (N,): positions in ``names``.
    names
        Captions, labels or groups; untrusted text.
    """

    by: str
    cluster: npt.NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True)
class GroupedRates:
    """Rates per group, and the overall rate of each criterion with an interval over groups."""

    by: str
    rates: dict[str, ClusteredRate]
    groups: tuple[tuple[str, Rate], ...]
    """Of the ratio, in the order of the names."""

    def to_json(self) -> dict[str, Any]:
        """Return the rates as plain types, highest group first."""
        ordered = sorted(self.groups, key=lambda row: -row[1].value)
        return {
            "by": self.by,
            "rates": {name: rate.to_json() for name, rate in self.rates.items()},
            "groups": [{"name": name, "rate": rate.to_json()} for name, rate in ordered],
        }


def check_clusters(clusters: Clusters, items: int) -> None:
    """Refuse groups that are not of so many items, or fewer than two."""
    if items != len(clusters.cluster):
        raise DataError(
            f"there are {items} generated items and {len(clusters.cluster)} of them have a "
            f"{clusters.by}; give one each"
        )
    if len(np.unique(clusters.cluster)) < 2:
        raise DataError(
            f"`cluster_by` {clusters.by} finds 1 {clusters.by} in {items} items; an interval over "
            f"{clusters.by}s needs at least two (none: each item stands for itself)"
        )


def grouped_rates(
    verdicts: Mapping[str, npt.NDArray[np.bool_]],
    clusters: Clusters,
    *,
    confidence: float = 0.95,
) -> GroupedRates:
    """Return the rates of each group and the overall rates with intervals over groups.

    Parameters
    ----------
    verdicts
        bool (N,) per criterion; "ratio" among them.
    clusters
        Of the same N items.
    confidence
        Of all intervals.

    Raises
    ------
    DataError
        If the items are not as many, or there are fewer than two groups.
    """
    ratio = verdicts["ratio"]
    check_clusters(clusters, len(ratio))
    groups = []
    for number in np.unique(clusters.cluster).tolist():
        mask = clusters.cluster == number
        rate = wilson(int(ratio[mask].sum()), int(mask.sum()), confidence=confidence)
        groups.append((clusters.names[number], rate))
    return GroupedRates(
        by=clusters.by,
        rates={
            name: clustered_rate(mask, clusters.cluster, confidence=confidence)
            for name, mask in verdicts.items()
        },
        groups=tuple(groups),
    )


def clusters_of_labels(labels: npt.NDArray[np.int64] | None, names: Sequence[str]) -> Clusters:
    """Return the labels of the generated items as groups.

    Raises
    ------
    DataError
        If there are none.
    """
    if labels is None:
        raise DataError(
            "`cluster_by` label: the generated items have no labels; give them in sub-folders or an npz "
            "with labels, or use `cluster_by` caption"
        )
    return Clusters("label", labels, tuple(names))


def clusters_of_captions(captions: Sequence[str | None], names: Sequence[str]) -> Clusters:
    """Return the captions of the generated items as groups.

    Raises
    ------
    DataError
        If some have none.
    """
    missing = [name for name, text in zip(names, captions, strict=True) if text is None]
    if missing:
        raise DataError(
            f"`cluster_by` caption: {len(missing):,} of {len(names):,} generated items have no caption "
            f"({first_few(missing)}); caption every one"
        )
    distinct, place = np.unique(np.array(captions, np.object_), return_inverse=True)
    return Clusters("caption", place.astype(np.int64), tuple(distinct.tolist()))


def clusters_of(generated: Dataset, by: str | None) -> Clusters | None:
    """Return the groups of the generated items by a rule; by None those that the items have, if any.

    Raises
    ------
    DataError
        If there are no labels, no captions, or none of some items.
    """
    if by == "label":
        return clusters_of_labels(generated.labels, generated.classes)
    if by != "caption":
        generated = generated if by is None else grouped(generated, by, name="cluster_by")
        if generated.groups is None:
            return None
        found, number = np.unique(np.asarray(generated.groups), return_inverse=True)
        return Clusters("group", np.asarray(number, np.int64), tuple(found.tolist()))
    if not generated.captions:
        raise DataError(
            f"`cluster_by` caption: {shown(generated.source)} has no {' or '.join(METADATA)} (rows of "
            "file_name, text) and no .txt file beside each image; give such a file with `captions`"
        )
    return clusters_of_captions(generated.captions, generated.names)
