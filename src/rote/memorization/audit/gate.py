"""The gate: pass or fail only when the interval says so."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from rote.core.errors import ConfigError
from rote.stats.rates import Rate, images_to_decide

EXIT_CODES = {"below": 0, "above": 3, "undecided": 4}


@dataclass(frozen=True)
class Gate:
    """A limit on a rate, and whether the rate's whole interval lies on one side of it.

    Attributes
    ----------
    unit
        "items": the limit is on the share of generated items that are copies; "groups": on the share of
        the groups of the training side that are reproduced.
    doubt
        Why nothing is decided whatever the interval: what makes the rate itself doubtful; else None.
    more_images
        Further generated images that would decide if the present rate held; None when decided, or
        when no number would.
    """

    criterion: str
    limit: float
    decision: Literal["below", "above", "undecided"]
    more_images: int | None
    doubt: str | None = None
    unit: Literal["items", "groups"] = "items"

    @property
    def exit_code(self) -> int:
        """0 below, 3 above, 4 undecided."""
        return EXIT_CODES[self.decision]

    @property
    def sentence(self) -> str:
        """The decision in words."""
        if self.decision != "undecided":
            return f"the whole interval{self._of} lies {self.decision} {self.limit:g}"
        if self.doubt is not None:
            return f"not decided, since the rate is doubtful: {self.doubt}"
        if self.unit == "groups":
            return f"not decided{self._of}: these are too few groups to hold against {self.limit:g}"
        if self.more_images is None:
            return (
                f"not decided: the rate is {self.limit:g} itself; more samples shift it or nothing"
            )
        return (
            f"not decided with this many samples; {self.more_images:,} more would decide "
            "(if the present rate holds)"
        )

    @property
    def _of(self) -> str:
        return " of the share of groups reproduced" if self.unit == "groups" else ""

    def to_json(self) -> dict[str, Any]:
        """Return the gate as plain types."""
        return {**asdict(self), "exit_code": self.exit_code}


def check_limit(limit: float | None, *, name: str = "fail_above") -> None:
    """Refuse a limit that no rate can be held against."""
    if limit is not None and not 0 < limit < 1:
        raise ConfigError(f"`{name}` is {limit:g}; it must lie strictly between 0 and 1")


def strictest(*gates: Gate | None) -> Gate | None:
    """Return the gate that decides: an exceeded one before an undecided, both before a passed.

    >>> strictest(Gate("ratio", 0.1, "below", None), Gate("ratio", 0.2, "undecided", 9), None).limit
    0.2
    """
    order = ("above", "undecided", "below")
    asked = [gate for gate in gates if gate is not None]
    return min(asked, key=lambda gate: order.index(gate.decision), default=None)


def decide_groups(rate: Rate, limit: float, *, criterion: str, doubt: str | None = None) -> Gate:
    """Hold the share of groups reproduced against a limit; more samples would not make it surer."""
    found = decide(rate, limit, criterion=criterion, doubt=doubt)
    return replace(found, unit="groups", more_images=None)


def decide(rate: Rate, limit: float, *, criterion: str, doubt: str | None = None) -> Gate:
    """Hold a rate against a limit; a doubtful rate decides nothing.

    >>> from rote.stats.rates import wilson
    >>> decide(wilson(0, 1000), 0.01, criterion="ratio").decision
    'below'
    """
    check_limit(limit)
    if doubt is not None:
        return Gate(criterion, limit, "undecided", None, doubt)
    if rate.low > limit:
        return Gate(criterion, limit, "above", None)
    if rate.high < limit:
        return Gate(criterion, limit, "below", None)
    return Gate(criterion, limit, "undecided", images_to_decide(rate, limit))
