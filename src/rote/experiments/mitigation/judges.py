"""Judges: definitions of a copy that remedies are held against, each one an audit.

    JUDGE = CRITERION[@SPACE][+INVARIANCE...]        ratio, calibrated+flip, absolute=12, ratio@lowres

The first is the one that settings are chosen by. Judges of one space and the same invariances are one
audit, whose folder is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError
from rote.core.seeds import child_seed
from rote.data.dataset import Dataset
from rote.memorization.audit.audit import Audit, run_audit
from rote.memorization.audit.checks import check_options
from rote.memorization.audit.compare import read_saved
from rote.memorization.audit.options import AuditOptions
from rote.memorization.criteria import check_criteria
from rote.memorization.criteria.user_threshold import read_criteria
from rote.memorization.criteria.verdicts import CriterionResult
from rote.metrics.precision_recall import Paired, paired_manifolds
from rote.metrics.quality import MOST, some_of
from rote.stats.rates import Rate

QUALITY = ("precision", "coverage")


@dataclass(frozen=True)
class Judge:
    """One definition of a copy."""

    text: str
    criterion: str
    space: str
    invariances: str

    @staticmethod
    def parse(text: str) -> Judge:
        """Read a judge.

        Raises
        ------
        ConfigError
            If a part of it is unknown.

        >>> Judge.parse("absolute=12@lowres+flip").ruler
        ('lowres', 'flip')
        """
        rest, _, invariances = text.partition("+")
        criterion, _, space = rest.partition("@")
        found = Judge(text, criterion, space or "pixel", invariances.replace("+", ","))
        names, _ = read_criteria([criterion])
        check_criteria(names or ())
        check_options(found.options())
        return found

    @property
    def name(self) -> str:
        """The name of the criterion."""
        return self.criterion.partition("=")[0]

    @property
    def ruler(self) -> tuple[str, str]:
        """Space and invariances."""
        return self.space, self.invariances

    def options(self) -> AuditOptions:
        """Return an audit by it alone, with nothing beside its rates."""
        return AuditOptions(
            space=(self.space,),
            criterion=(self.criterion,),
            invariances=self.invariances,
            positive_control=0,
            training_sample=0,
        )


@dataclass(frozen=True, eq=False)
class Seen:
    """What a judge says of samples.

    Attributes
    ----------
    memorized
        bool (N,): which it calls copies.
    control
        The share of held-out items that it calls copies.
    """

    memorized: npt.NDArray[np.bool_]
    control: float


class Bench:
    """The judges over one training and one held-out set."""

    def __init__(
        self,
        judges: Sequence[str],
        training: Dataset,
        holdout: Dataset,
        *,
        seed: int,
        device: str,
    ) -> None:
        self.judges = tuple(map(Judge.parse, judges))
        names = [judge.text for judge in self.judges]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ConfigError(f"`judge` {twice[0]} is given twice; give it once")
        self.training, self.holdout, self.seed, self.device = training, holdout, seed, device
        rulers = sorted(self.judges, key=lambda judge: self._place(judge.ruler))
        self.groups = [tuple(group) for _, group in groupby(rulers, key=lambda judge: judge.ruler)]

    def _place(self, ruler: tuple[str, str]) -> int:
        return next(n for n, judge in enumerate(self.judges) if judge.ruler == ruler)

    def folders(self, name: str) -> list[str]:
        """Return the names of the audit folders of samples: one for each ruler."""
        numbers = range(1, len(self.groups) + 1)
        return [f"audits/{name}" if n == 1 else f"audits/{name}-{n}" for n in numbers]

    def audit(self, generated: Dataset, out: Path, name: str) -> None:
        """Audit samples by all judges into folders below ``out``."""
        for group, folder in zip(self.groups, self.folders(name), strict=True):
            audit = self._audit(generated, group)
            for judge in group:
                _result(audit, judge)  # before anything is written
            audit.save(out / folder)

    def seen(self, out: Path, name: str) -> dict[Judge, Seen]:
        """Return what each judge says, of the folders that `audit` wrote."""
        found = {}
        for group, folder in zip(self.groups, self.folders(name), strict=True):
            for judge in group:
                saved = read_saved(out / folder, judge.name)
                told = next(one for one in saved.facts["criteria"] if one["name"] == judge.name)
                control = 0.0 if told["control"] is None else float(told["control"]["value"])
                found[judge] = Seen(saved.memorized, control)
        return {judge: found[judge] for judge in self.judges}

    def rate(self, generated: Dataset) -> Rate:
        """Return the rate of samples by the first judge: what settings are chosen by."""
        first = self.judges[0]
        found = _result(self._audit(generated, [first]), first)
        assert found.rate is not None
        return found.rate

    def quality(self, before: Dataset, after: Dataset) -> dict[str, Paired]:
        """Return precision and coverage of samples that belong together, against held-out items."""
        count = min(len(before), len(self.holdout), MOST)
        real = some_of(self.holdout.items, count, seed=child_seed(self.seed, "bootstrap", 7))
        first, second = (side.items[:count].reshape(count, -1) for side in (before, after))
        found = paired_manifolds(first, second, real, seed=self.seed)
        return {name: found[name] for name in QUALITY}

    def _audit(self, generated: Dataset, judges: Sequence[Judge]) -> Audit:
        options = replace(
            judges[0].options(),
            criterion=tuple(dict.fromkeys(judge.criterion for judge in judges)),
            seed=self.seed,
            device=self.device,
        )
        return run_audit(
            generated, self.training, options, holdout=self.holdout, look_for_mistakes=False
        )


def _result(audit: Audit, judge: Judge) -> CriterionResult:
    """Return what an audit found by a judge.

    Raises
    ------
    ConfigError
        If too few held-out items leave it without a threshold.
    """
    found = next(each for each in audit.criteria if each.name == judge.name)
    if found.memorized is None:
        raise ConfigError(
            f"`judge` {judge.text} has no threshold: the held-out items are too few to calibrate it; "
            "give more, or another judge"
        )
    return found
