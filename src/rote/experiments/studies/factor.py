"""The factors of a study, read from the small files in `studies/factors`, and what their values mean.

A value is a set of settings on top of its scale: dotted keys of the configuration (``model.width``),
of the drawn training set (``data.classes``, see `rote.data.variants.Variant`), ``size`` (rows of the
training set) and ``batch_in_proportion`` (the batch, with the learning rate in proportion).
"""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from rote.core.config import StrictModel, override
from rote.core.errors import ConfigError, did_you_mean
from rote.data.variants import Variant
from rote.diffusion.config import ModelConfig, SampleConfig, TrainConfig
from rote.experiments.run.spec import Setting
from rote.experiments.scales import Scale

Expectation = Literal["more", "less", "like"]
GROUPS = ("data", "model", "training", "conditioning")


@dataclass(frozen=True)
class Claim:
    """What the paper says of two values: the first memorizes more or less than the second, or alike."""

    first: str
    second: str
    expect: Expectation

    @staticmethod
    def parse(text: str) -> Claim:
        """Read ``first more than second``, ``... less than ...`` or ``first like second``.

        >>> Claim.parse("2, same rate less than 64")
        Claim(first='2, same rate', second='64', expect='less')
        """
        for words, expect in ((" more than ", "more"), (" less than ", "less"), (" like ", "like")):
            first, found, second = text.partition(words)
            if found:
                return Claim(first, second, expect)  # type: ignore[arg-type]
        raise ConfigError(f"a claim says '{text}'; expected 'A more than B', 'less than' or 'like'")


@dataclass(frozen=True)
class Design:
    """A factor at one scale: which values, against which, at which sizes."""

    values: tuple[str, ...]
    baseline: str
    sizes: tuple[int, ...]
    sizes_of: dict[str, tuple[int, ...]]
    """Values with sizes of their own: where the paper trained them at others."""
    claims: tuple[Claim, ...]
    settings: dict[str, Any]


@dataclass(frozen=True)
class Factor:
    """One factor: what varies, what is kept, and what the paper found."""

    name: str
    title: str
    group: str
    question: str
    keeps: str
    finding: str
    source: str
    figures: tuple[tuple[str, int, float], ...]
    key: str | None
    named: dict[str, dict[str, Any]]
    designs: dict[str, Design]

    def settings(self, value: str) -> dict[str, Any]:
        """Return what a value sets.

        Raises
        ------
        ConfigError
            If a value of that name is unknown and the factor has no key to set.
        """
        if value in self.named:
            return self.named[value]
        if self.key is None:
            raise ConfigError(
                f"`value` '{value}' is unknown in the study {self.name}"
                f"{did_you_mean(value, self.named)}"
            )
        return {self.key: value}


class _Whole(StrictModel):
    """The parts of a configuration that settings reach."""

    model: ModelConfig
    train: TrainConfig
    sample: SampleConfig


def factor_names() -> list[str]:
    """Return the names of all factors, by group.

    >>> len(factor_names()), factor_names()[0]
    (25, 'size')
    """
    return list(_factors())


def load_factor(name: str) -> Factor:
    """Return a factor.

    Raises
    ------
    ConfigError
        If the name is unknown; the message names the nearest.
    """
    factors = _factors()
    if name not in factors:
        raise ConfigError(f"the study '{name}' is unknown{did_you_mean(name, factors)}")
    return factors[name]


ORDER = (
    *("size", "dimension", "classes", "diversity", "duplication"),
    *("width", "depth", "time-embedding", "skips-number", "skips-resolution", "skips-location"),
    *("architecture", "parameterization"),
    *("batch-size", "learning-rate", "weight-decay", "ema", "dropout", "augmentation", "duration"),
    *("optimizer", "labels", "random-classes", "unique", "guidance"),
)


@functools.lru_cache(maxsize=1)
def _factors() -> dict[str, Factor]:
    folder = resources.files("rote.experiments.studies") / "factors"
    return {name: _read(name, (folder / f"{name}.toml").read_text("utf-8")) for name in ORDER}


def _read(name: str, text: str) -> Factor:
    data = tomllib.loads(text)
    paper = data["paper"]
    return Factor(
        name=name,
        title=data["title"],
        group=data["group"],
        question=data["question"],
        keeps=data["keeps"],
        finding=paper["finding"],
        source=paper["source"],
        figures=tuple((v, n, r) for v, n, r in paper.get("figures", ())),
        key=data.get("key"),
        named=data.get("named", {}),
        designs={
            scale: Design(
                values=tuple(entry["values"]),
                baseline=entry["baseline"],
                sizes=tuple(entry.get("sizes", ())),
                sizes_of={v: tuple(n) for v, n in entry.get("sizes_of", {}).items()},
                claims=tuple(Claim.parse(claim) for claim in entry.get("claims", ())),
                settings=entry.get("set", {}),
            )
            for scale, entry in data["scales"].items()
        },
    )


def setting(factor: Factor, scale: Scale, value: str) -> Setting:
    """Return what a value of a factor means at a scale.

    Raises
    ------
    ConfigError
        If the value cannot be: an unknown name, or a number that its key does not take.
    """
    changes = factor.designs[scale.name].settings | factor.settings(value)
    where = f"`value` '{value}' of the study {factor.name}"
    variant, size, assignments = Variant(), None, []
    whole = _Whole(model=scale.model, train=scale.train, sample=scale.sample)
    for key, given in changes.items():
        if key == "size":
            size = _number(given, where, least=2)
        elif key.startswith("data."):
            variant = _vary(variant, key.removeprefix("data."), given, where)
        elif key == "batch_in_proportion":
            rate = scale.train.learning_rate * given / scale.train.batch
            assignments += [f"train.batch={given}", f"train.learning_rate={rate:.6g}"]
        else:
            if key in ("train.epochs", "train.images"):  # exactly one of the two is given
                other = {"train.epochs": "images", "train.images": "epochs"}[key]
                train = scale.train.model_copy(
                    update={other: None, key.removeprefix("train."): given}
                )
                whole = whole.model_copy(update={"train": train})
            assignments.append(f"{key}={_text(given)}")
    whole = override(whole, assignments, where=where)
    return Setting(whole.model, whole.train, whole.sample, scale.scoring, variant, size)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ",".join(map(str, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: Any, where: str, *, least: int) -> int:
    if not re.fullmatch(r"\d+", str(value)) or int(value) < least:
        raise ConfigError(f"{where}: give a whole number from {least}")
    return int(value)


def _vary(variant: Variant, field: str, value: Any, where: str) -> Variant:
    """Return the variant with one field changed."""
    if field == "second_share":
        try:
            share = TypeAdapter(float).validate_python(value)
        except ValidationError:
            share = -1.0
        if not 0 <= share <= 1:
            raise ConfigError(f"{where}: give a share from 0 to 1")
        return replace(variant, second_share=share)
    number = _number(value, where, least=0 if field == "second_class" else 1)
    return replace(variant, **{field: number})
