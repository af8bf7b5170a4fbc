"""Remedies that are asked for, at their settings, ready to be drawn from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rote.core.errors import ConfigError
from rote.data.dataset import Dataset
from rote.experiments.mitigation.case import Case
from rote.experiments.mitigation.remedies import REMEDIES, own_remedy, remedy_of
from rote.experiments.mitigation.remedy import Applied, Remedy, Retrain
from rote.experiments.trainers.function import said
from rote.experiments.trainers.protocol import Sampler

Given = str | Callable[[Case, str], Applied]
Wanted = tuple[Remedy, tuple[str, ...]]
"""A remedy, and the settings that were given for it; none: its own."""


def wanted(given: Sequence[Given] | None) -> list[Wanted]:
    """Read the remedies that are asked for; None: all.

    Raises
    ------
    ConfigError
        If one is unknown, or given twice.
    """
    found = [
        remedy_of(one) if isinstance(one, str) else (own_remedy(one), ())
        for one in given or REMEDIES.names
    ]
    named = [(remedy.name, setting) for remedy, settings in found for setting in settings or ("",)]
    if twice := [one for one in named if named.count(one) > 1]:
        name, setting = twice[0]
        raise ConfigError(
            f"`remedy` {name}{':' * bool(setting)}{setting} is given twice; give it once"
            + (", or functions of other names" if not setting else "")
        )
    return found


@dataclass(frozen=True)
class Attempt:
    """One remedy at one setting, ready to be drawn from; nothing is trained before that.

    Attributes
    ----------
    basis
        What is equal of a training; empty of others.
    images
        Images that its training sees, of those of the model; None: it trains nothing.
    make
        Makes what draws.
    """

    remedy: Remedy
    setting: str
    basis: str
    images: float | None
    make: Callable[[], Sampler]

    @property
    def folder(self) -> str:
        """Its name as that of a folder."""
        return folder_of(self.remedy, self.setting, self.basis)

    @cached_property
    def sampler(self) -> Sampler:
        """What draws from it."""
        return self.make()

    def made_by(self) -> dict[str, Any] | None:
        """Return what tells it from others, as plain types; None where that is not known."""
        if self.remedy.code is None:
            return None
        return {
            "remedy": self.remedy.name,
            "code": self.remedy.code,
            "setting": self.setting,
            "basis": self.basis,
        }


def attempts(case: Case, remedy: Remedy, setting: str) -> Iterator[Attempt]:
    """Yield a remedy at a setting: trained at equal images first, then at equal exposures."""
    with said(case.folder.parent, f"`remedy` {remedy.name}"):
        applied = remedy.apply(case, setting)
    if isinstance(applied, Dataset):
        applied = Retrain(applied, distinct=len(applied) / len(case.training))
    if not isinstance(applied, Retrain):
        if not callable(applied):
            raise ConfigError(
                f"`remedy` {remedy.name} returned a {type(applied).__name__}; return sample(num, seed), "
                "a data set to train on, or a rote.Retrain"
            )
        yield Attempt(remedy, setting, "", None, lambda: applied)
        return
    bases = {"equal images": 1.0}
    if case.own and applied.distinct != 1:
        bases["equal exposures"] = applied.distinct
    for basis, images in bases.items():
        told = basis if case.own else ""

        def trained(told: str = told, images: float = images) -> Sampler:
            return case.trained(
                applied.training,
                folder_of(remedy, setting, told),
                images=images,
                changes=applied.changes,
            )

        yield Attempt(remedy, setting, told, images, trained)


def folder_of(remedy: Remedy, setting: str, basis: str) -> str:
    """Return a name that is that of a folder.

    >>> folder_of(REMEDIES["dedup"], "2.5", "equal images")
    'dedup-2.5-equal-images'
    """
    text = "-".join(part for part in (remedy.name, setting, basis) if part)
    return re.sub(r"[^\w.]+", "-", text)
