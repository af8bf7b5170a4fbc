"""What may stand beside the rates of an audit: quality, whole-set definitions, rates per caption."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.duplicates import exact_duplicates
from rote.memorization.audit.gate import Gate, decide, strictest
from rote.memorization.audit.per_group import grouped_rates
from rote.memorization.audit.prepare import Prepared
from rote.memorization.audit.result import (
    Findings,
    SupplementaryMetrics,
    doubt_of,
    groups_gate,
)
from rote.memorization.duplicates import near_duplicates
from rote.metrics.population import Population, measure_population
from rote.metrics.quality import Quality, measure_quality
from rote.spaces.feature_cache import rows_of
from rote.stats.clustered import ClusteredRate, joined_groups
from rote.stats.rates import Rate

Places = npt.NDArray[np.int64]
Found = TypeVar("Found", bound=Findings)


def with_supplement(found: Found, prepared: Prepared, *, folder: Path | None = None) -> Found:
    """Return an audit with all that was asked for beside its rates.

    Parameters
    ----------
    found
        What was found so far.
    prepared
        The audit: quality and populations are measured in its first space, or where that has no rows,
        between the items themselves. A gate is held against the rate over clusters, where there are some.
    folder
        Where features are kept.

    Raises
    ------
    DataError
        If there are too few items, or for populations no held-out ones outside the training set.
    """
    options, gate, clusters = prepared.options, found.gate, None
    settings = prepared.settings
    quality, population = _of_whole_sets(found, prepared, folder=folder)
    if prepared.clusters is not None:
        verdicts = {c.name: c.memorized for c in found.criteria if c.memorized is not None}
        clusters = grouped_rates(verdicts, prepared.clusters, confidence=options.confidence)
        if options.fail_above is not None:
            rate = clusters.rates[settings.gated]
            own = clustered_gate(rate, options.fail_above, settings.gated, doubt=doubt_of(found))
            gate = strictest(own, groups_gate(found))
    supplement = SupplementaryMetrics(quality, population, clusters)
    return replace(found, supplement=supplement, gate=gate)


def _of_whole_sets(
    found: Findings, prepared: Prepared, *, folder: Path | None
) -> tuple[Quality | None, Population | None]:
    """Measure quality and the definitions over whole sets, as far as asked for."""
    options, space = prepared.options, prepared.spaces[0]
    if not options.quality and not options.population:
        return None, None
    if options.population and (found.holdout is None or found.held_out is None):
        given = 0 if found.holdout is None else len(found.holdout)
        raise DataError(
            f"`population` needs held-out items, and of {given:,} given none lies outside the training "
            "set; give others with `holdout`"
        )

    def rows(side: Dataset) -> npt.NDArray[Any]:
        if space.kind != "rows":
            return side.items
        return rows_of(space, side, folder=folder, device=prepared.device)[0]

    made, training, fresh = rows(found.generated), rows(found.training), None
    if len(prepared.rest) < len(training):
        training = training[prepared.rest]
    if found.holdout is not None:
        fresh = rows(found.holdout)
        if found.leaks is not None:
            fresh = np.delete(fresh, found.leaks.equal, axis=0)
    own = "pixel" if found.training.in_levels else "columns"
    name = space.name if space.kind == "rows" else own
    quality = population = None
    if options.quality:
        quality = measure_quality(
            made, training, fresh, space=name, seed=options.seed, confidence=options.confidence
        )
    if options.population:
        assert fresh is not None
        population = measure_population(
            made,
            training,
            fresh,
            space=name,
            groups=_draws(found, prepared),
            seed=options.seed,
            confidence=options.confidence,
        )
    return quality, population


def _draws(found: Findings, prepared: Prepared) -> tuple[Places, Places]:
    """Return which generated and which held-out items are one draw: near ones, and those of one group."""
    assert found.holdout is not None
    made, clusters = found.collapse.group, prepared.clusters
    if clusters is not None:
        made = joined_groups(made, clusters.cluster)
    items = found.holdout.items
    fresh = near_duplicates(items, exact_duplicates(items), rms=found.settings.duplicate_rms).group
    return made, fresh if found.leaks is None else np.delete(fresh, found.leaks.equal)


def clustered_gate(
    rate: ClusteredRate, limit: float, criterion: str, *, doubt: str | None = None
) -> Gate:
    """Hold a rate over groups against a limit.

    What more would decide is told in items, at the design effect of those there are.
    """
    total = max(1, round(rate.effective))
    count = min(round(rate.value * total), total)
    plain = Rate(rate.value, rate.low, rate.high, count, total, rate.confidence)
    gate = decide(plain, limit, criterion=criterion, doubt=doubt)
    if gate.more_images is None:
        return gate
    return replace(gate, more_images=math.ceil(gate.more_images * rate.design_effect))
