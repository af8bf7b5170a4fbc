"""What the page of an audit says of groups, such as patients: how many were reproduced, and which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rote.report.audit.criteria import criterion_title
from rote.report.words import percent_of, plain
from rote.results.criterion import Criterion
from rote.results.supplement import MOST_PICTURED, Groups
from rote.stats.rates import Rate


@dataclass(frozen=True)
class Line:
    """What one criterion says: groups reproduced, and held-out groups flagged or None."""

    name: str
    reproduced: Rate
    flagged: Rate | None


@dataclass(frozen=True)
class OneGroup:
    """A group, with the positions of its nearest pair."""

    name: str
    items: int
    copies: int
    generated: int
    training: int
    ratio: float


@dataclass(frozen=True)
class GroupTables:
    """The sentence on the first screen, the criteria, and the groups copied most."""

    sentence: str
    lines: tuple[Line, ...]
    groups: tuple[OneGroup, ...]
    count: int
    holdout: int | None


def groups_of(
    found: Groups | None, criteria: Sequence[Criterion], nearest: list[int]
) -> GroupTables | None:
    """Return the section of groups; None where the training side has none.

    ``nearest`` has the nearest training item of each generated one.
    """
    if found is None:
        return None
    rate = found.reproduced["ratio"]
    by_name = {criterion.name: criterion_title(criterion) for criterion in criteria}
    return GroupTables(
        sentence=(
            f"{rate.count:,} of {rate.total:,} groups reproduced; of groups like these, "
            f"{percent_of(rate.low)} to {percent_of(rate.high)} would be"
        ),
        lines=tuple(
            Line(by_name.get(name, name), reproduced, found.flagged.get(name))
            for name, reproduced in found.reproduced.items()
        ),
        groups=tuple(
            OneGroup(
                plain(row.name), row.items, row.copies, row.nearest, nearest[row.nearest], row.ratio
            )
            for row in found.top[:MOST_PICTURED]
        ),
        count=found.count,
        holdout=found.holdout,
    )
