"""What an audit asks of groups: which were reproduced, and how near training items of others lie."""

from __future__ import annotations

from rote.memorization.audit.per_space import SpaceAudit, SpaceResult
from rote.memorization.audit.prepare import Duplicates, Prepared
from rote.memorization.audit.provenance import Stages
from rote.memorization.criteria import distance_ratio
from rote.memorization.duplicate_radius import most_looked_at
from rote.memorization.groups.reproduced import ReproducedGroups, reproduced_groups
from rote.memorization.groups.within import training_matches
from rote.memorization.matching import Matches


def groups_reproduced(
    space: SpaceAudit, result: SpaceResult, prepared: Prepared, duplicates: Duplicates
) -> ReproducedGroups | None:
    """Count the groups of the training side that are reproduced in the first space."""
    if prepared.training.groups is None:
        return None
    matches = result.measured.matches
    return reproduced_groups(
        prepared.training.groups,
        rest=prepared.rest,
        exact=duplicates.exact,
        verdicts={c.name: c.memorized for c in result.criteria if c.memorized is not None},
        nn1_index=matches.nn1_index,
        ratio=distance_ratio(matches.nn1_sq, matches.nn2_sq),
        confidence=prepared.settings.confidence,
        held_out=None if result.held_out is None else space.ruler.verdicts(result.held_out),
        held_out_group=result.held_out_group,
    )


def within_training(
    space: SpaceAudit, prepared: Prepared, duplicates: Duplicates, stages: Stages
) -> Matches | None:
    """Match some training items with the rest of the training side."""
    most = prepared.settings.training_sample
    if most is None:
        most = most_looked_at(prepared.training.items[:1].nbytes)
    if not most:
        return None
    with stages("controls"):
        return training_matches(
            space.ruler,
            prepared.training.items,
            positions=duplicates.positions,
            group=duplicates.kin,
            most=most,
            seed=prepared.settings.seed,
        )
