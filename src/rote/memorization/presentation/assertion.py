"""A test of one's own: the gate as an assertion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rote.memorization.audit.audit import audit
from rote.memorization.audit.finished import Audit
from rote.memorization.audit.options import AuditOptions
from rote.spaces.space import Space


def assert_not_memorized(
    generated: Any,
    training: Any,
    *,
    fail_above: float,
    holdout: Any = None,
    space: str | Space = "pixel",
    criterion: str | Sequence[str] | None = AuditOptions.criterion,
    invariances: str = "",
    seed: int = AuditOptions.seed,
    device: str = AuditOptions.device,
) -> Audit:
    """Raise unless the share of copies is surely at most a limit; for tests and continuous integration.

    The whole interval of the rate must lie below ``fail_above``; with too few items nothing is decided,
    which fails, too, and says how many would do.

    Parameters
    ----------
    generated, training, holdout, space, criterion, invariances, seed, device
        As `rote.audit` takes them. There is no positive control, which takes time and changes no verdict.
    fail_above
        The limit, between 0 and 1.

    Returns
    -------
    Audit
        What was found, where it passes.

    Raises
    ------
    AssertionError
        If the rate is above the limit, doubtful, or not decided with this many items.
    RoteError
        As `rote.audit`.

    >>> from rote.data.load import load_images
    >>> digits = load_images("digits")
    >>> others, training = digits.take(range(99)), digits.take(range(100, 900))
    >>> assert_not_memorized(others, training, fail_above=0.5).rate.count
    0
    """
    __tracebackhide__ = True  # pytest then shows the line of the test, and not this function
    found = audit(
        generated,
        training,
        holdout=holdout,
        space=space,
        criterion=criterion,
        invariances=invariances,
        positive_control=0,
        fail_above=fail_above,
        seed=seed,
        device=device,
    )
    assert found.gate is not None
    if found.gate.exit_code:
        raise AssertionError(f"{found.headline}; {found.gate.sentence}")
    return found
