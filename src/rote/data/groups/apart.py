"""Training and held-out side must not share a group: what was trained on is no control."""

from __future__ import annotations

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.groups.rules import grouped
from rote.data.messages import first_few, shown


def real_groups(
    training: Dataset, holdout: Dataset | None, rule: str | None
) -> tuple[Dataset, Dataset | None]:
    """Return both real sides with the groups of a rule (None: those they have); they must share none.

    Raises
    ------
    DataError
        As `rote.data.groups.rules.grouped`, or if they share a group, or one side alone has groups.
    """
    if rule is not None:
        training = grouped(training, rule)
        holdout = None if holdout is None else grouped(holdout, rule)
    if holdout is not None:
        _check_apart(training, holdout)
    return training, holdout


def _check_apart(training: Dataset, holdout: Dataset) -> None:
    """Refuse two sides that share a group, or of which one alone has groups."""
    if training.groups is None and holdout.groups is None:
        return
    for name, side in (("training", training), ("holdout", holdout)):
        if side.groups is None:
            raise DataError(
                f"`{name}` {shown(side.source)} has no groups and the other real side has some, so "
                "nobody knows whether they share any; give `group_by` a rule for both, or none"
            )
    assert training.groups is not None
    assert holdout.groups is not None
    ours = set(training.groups)
    both = sorted(ours & set(holdout.groups))
    if both:
        raise DataError(
            f"`training` and `holdout` share {len(both):,} of {len(ours):,} groups "
            f"({first_few(both, limit=3)}): what is held out must be of groups that were not trained on; "
            "move each group to one side"
        )
