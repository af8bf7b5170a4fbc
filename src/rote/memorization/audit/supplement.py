"""What may stand beside the rates of an audit: quality, whole-set definitions, rates per caption."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.memorization.audit.audit import Audit
from rote.memorization.audit.gate import Gate, decide
from rote.memorization.audit.per_group import Clusters, check_clusters, grouped_rates
from rote.memorization.audit.result import SupplementaryMetrics
from rote.metrics.population import Population, measure_population
from rote.metrics.quality import Quality, check_enough, measure_quality
from rote.spaces.feature_cache import rows_of
from rote.spaces.space import Space
from rote.stats.clustered import ClusteredRate
from rote.stats.rates import Rate


def check_more(
    generated: Dataset,
    training: Dataset,
    holdout: Dataset | None,
    *,
    set_aside: int,
    quality: bool,
    population: bool,
    clusters: Clusters | None,
) -> None:
    """Refuse, before an audit, what counts and options alone show to be impossible in `with_more`."""
    held_out = set_aside if holdout is None else len(holdout)
    if population and not held_out:
        raise DataError(
            "`population` needs held-out items; give `holdout`, or `set_aside` to take some of "
            "`training`"
        )
    if quality:
        check_enough(
            len(generated), held_out or len(training), "holdout" if held_out else "training"
        )
    if clusters is not None:
        check_clusters(clusters, len(generated))


def with_more(
    found: Audit,
    *,
    quality: bool = False,
    population: bool = False,
    clusters: Clusters | None = None,
    space: Space | None = None,
    folder: Path | None = None,
    device: str = "cpu",
) -> Audit:
    """Return an audit with more beside its rates.

    Parameters
    ----------
    found
        A finished audit.
    quality
        Fréchet distance, precision, recall, density and coverage.
    population
        The definitions over whole sets; they need held-out items.
    clusters
        Groups of the generated items. A gate is then held against the rate over groups.
    space
        Where quality and populations are measured; None, or a space without rows: the items themselves.
    folder, device
        Where features are kept, and where they are computed.

    Raises
    ------
    DataError
        If there are too few items, or no held-out ones outside the training set for ``population``.
    """
    if population and (found.holdout is None or found.held_out is None):
        given = 0 if found.holdout is None else len(found.holdout)
        raise DataError(
            f"`population` needs held-out items, and of {given:,} given none lies outside the training "
            "set; give others with `holdout`"
        )
    name = "pixel" if found.training.kind == "image" else "columns"
    if space is not None and space.kind == "rows":
        name = space.name

    def items(side: Dataset) -> npt.NDArray[Any]:
        if space is None or space.kind != "rows":
            return side.items
        return rows_of(space, side, folder=folder, device=device)[0]

    measured: Quality | None = None
    sets: Population | None = None
    if quality or population:
        made, training = items(found.generated), items(found.training)
        fresh = None
        if found.holdout is not None:
            fresh = items(found.holdout)
            if found.leaks is not None:
                fresh = np.delete(fresh, found.leaks.index, axis=0)
        if found.settings.set_aside and found.holdout is not None:
            training = training[_not_among(found.training, found.holdout)]
        seed, confidence = found.settings.seed, found.settings.confidence
        if quality:
            measured = measure_quality(
                made, training, fresh, space=name, seed=seed, confidence=confidence
            )
        if population:
            assert fresh is not None
            sets = measure_population(
                made, training, fresh, space=name, seed=seed, confidence=confidence
            )
    groups = None
    gate = found.gate
    if clusters is not None:
        verdicts = {c.name: c.memorized for c in found.criteria if c.memorized is not None}
        groups = grouped_rates(verdicts, clusters, confidence=found.settings.confidence)
        if gate is not None:
            gate = clustered_gate(groups.rates[gate.criterion], gate.limit, gate.criterion)
    return replace(found, supplement=SupplementaryMetrics(measured, sets, groups), gate=gate)


def _not_among(training: Dataset, aside: Dataset) -> npt.NDArray[np.bool_]:
    """Return which training items were not set aside, bool (N,): names are unique within a source."""
    taken = set(aside.names)
    return np.array([name not in taken for name in training.names])


def clustered_gate(rate: ClusteredRate, limit: float, criterion: str) -> Gate:
    """Hold a rate over groups against a limit.

    What more would decide is told in items, at the design effect of those there are.
    """
    total = max(1, round(rate.effective))
    count = min(round(rate.value * total), total)
    plain = Rate(rate.value, rate.low, rate.high, count, total, rate.confidence)
    gate = decide(plain, limit, criterion=criterion)
    if gate.more_images is None:
        return gate
    return replace(gate, more_images=math.ceil(gate.more_images * rate.design_effect))
