"""The factors of a study, read from the small files in `studies/factors`, and what their values mean.

A value is a set of settings on top of its scale: dotted keys of the configuration (``model.width``),
of the drawn training set (``data.classes``, see `rote.data.variants.Variant`), ``size`` (rows of the
training set), ``batch_in_proportion`` (the batch, with the learning rate in proportion) and
``ema_each_step`` (the moving average keeps the baseline's share a step, whatever the batch).
"""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from rote.core.catalog import Catalog
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
    order: int
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


@functools.cache
def factors() -> Catalog[Factor]:
    """Return all factors, by group and their order in it."""
    folder = resources.files("rote.experiments.studies") / "factors"
    texts = {
        path.name.removesuffix(".toml"): path.read_text("utf-8")
        for path in folder.iterdir()
        if path.name.endswith(".toml")
    }
    found = [_read(name, text) for name, text in texts.items()]
    found.sort(key=lambda factor: (GROUPS.index(factor.group), factor.order))
    return Catalog("the study", found)


def factor_names() -> list[str]:
    """Return the names of all factors, by group.

    >>> len(factor_names()), factor_names()[0]
    (25, 'size')
    """
    return list(factors().names)


def load_factor(name: str) -> Factor:
    """Return a factor by its name, or from the path of a TOML file, which is then known by its name.

    Raises
    ------
    ConfigError
        If the name is unknown, and the message names the nearest; or if the file is none or damaged.
    """
    return register(name) if name.endswith(".toml") else factors()[name]


def register(path: str | Path) -> Factor:
    """Add a factor from outside: a file like those in `studies/factors`; its name is the file's.

    Raises
    ------
    ConfigError
        If the file cannot be read, lacks something, or has the name of a factor that comes with rote.
    """
    path = Path(path)
    try:
        factor = _read(path.stem, path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"the study {path} cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise ConfigError(f"the study {path} lacks {error}; see those of rote") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"the study {path} is no study: {error}") from error
    factors().register(factor)
    return factor


def _read(name: str, text: str) -> Factor:
    data = tomllib.loads(text)
    paper = data.get("paper", {})
    return Factor(
        name=name,
        title=data["title"],
        group=data["group"],
        order=data.get("order", 0),
        question=data["question"],
        keeps=data["keeps"],
        finding=paper.get("finding", ""),
        source=paper.get("source", ""),
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
    variant, size, assignments, each_step = Variant(), None, [], False
    whole = _Whole(model=scale.model, train=scale.train, sample=scale.sample)
    for key, given in changes.items():
        if key == "size":
            size = _number(given, where, least=2)
        elif key.startswith("data."):
            variant = _vary(variant, key.removeprefix("data."), given, where)
        elif key == "batch_in_proportion":
            rate = scale.train.learning_rate * given / scale.train.batch
            assignments += [f"train.batch={given}", f"train.learning_rate={rate:.6g}"]
        elif key == "ema_each_step":
            each_step = bool(given)
        else:
            if key in ("train.epochs", "train.images"):  # exactly one of the two is given
                other = {"train.epochs": "images", "train.images": "epochs"}[key]
                train = scale.train.model_copy(
                    update={other: None, key.removeprefix("train."): given}
                )
                whole = whole.model_copy(update={"train": train})
            assignments.append(f"{key}={_text(given)}")
    whole = override(whole, assignments, where=where)
    if each_step:
        whole = whole.model_copy(update={"train": _same_each_step(whole.train, scale.train)})
    return Setting(whole.model, whole.train, whole.sample, scale.scoring, variant, size)


def _same_each_step(train: TrainConfig, base: TrainConfig) -> TrainConfig:
    """Return a training whose moving average keeps as much a step as that of ``base``."""
    share = train.batch / base.batch
    rampup = None if base.ema_rampup is None else base.ema_rampup * share
    halflife = base.ema_halflife_images * share
    return train.model_copy(update={"ema_halflife_images": halflife, "ema_rampup": rampup})


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
