"""The factors of a study, read from the small files in `studies/factors`, and what their values mean.

A value is a set of settings on top of its scale: dotted keys of the configuration (``model.width``),
of the drawn training set (``data.classes``, see `rote.data.variants.Variant`), ``size`` (rows of the
training set), ``batch_in_proportion`` (the batch, with the learning rate in proportion),
``ema_each_step`` (the moving average keeps the baseline's share a step, whatever the batch), and settings
of a trainer that is not rote's own (``trainer.rate``). Of the rest such a trainer knows the labels alone:
a study works with it if its values still differ.
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
from rote.data.captions.vary import WAYS
from rote.data.variants import Variant
from rote.diffusion.config import ModelConfig, SampleConfig, TrainConfig
from rote.experiments.run.spec import Setting
from rote.experiments.scales import SCALES, Scale
from rote.experiments.trainers.config import TrainerConfig

Expectation = Literal["more", "less", "like"]
TOLD = "trainer."  # begins the key of a setting of a trainer
LABELS = ("train.labels", "train.random_classes")
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
    text: str
    """Of its file."""

    def design(self, scale: str) -> Design:
        """Return what it says for a scale.

        Raises
        ------
        ConfigError
            If it says nothing.
        """
        if scale not in self.designs:
            known = ", ".join(self.designs)
            raise ConfigError(f"the study {self.name} has no `scale` {scale}; it has {known}")
        return self.designs[scale]

    @property
    def own_labels(self) -> bool:
        """Whether its values say which labels there are."""
        return any(key in LABELS for settings in self.named.values() for key in settings)

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
    found = (_read(name, text) for name, text in texts.items())
    order = sorted(found, key=lambda factor: (GROUPS.index(factor.group), factor.order))
    return Catalog("the study", order)


def factor_names() -> list[str]:
    """Return the names of all factors, by group.

    >>> len(factor_names()), factor_names()[0]
    (26, 'size')
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


def is_own(name: str) -> bool:
    """Say whether a factor does not come with rote."""
    return not (resources.files("rote.experiments.studies") / "factors" / f"{name}.toml").is_file()


def works_with_trainer(factor: Factor) -> bool:
    """Say whether a factor's values differ for a trainer that is not rote's own."""
    if factor.key is not None:
        return reaches_trainer(factor.key)
    known = [
        {key: str(value) for key, value in settings.items() if reaches_trainer(key)}
        for settings in factor.named.values()
    ]
    return all(one not in known[:number] for number, one in enumerate(known))


def reaches_trainer(key: str) -> bool:
    """Say whether a trainer that is not rote's own can know of a setting."""
    return key == "size" or key in LABELS or key.startswith(("data.", "trainer."))


def _read(name: str, text: str) -> Factor:
    data = tomllib.loads(text)
    paper = data.get("paper", {})
    group = data["group"]
    if group not in GROUPS:
        raise ValueError(f"group is {group!r}; choose {', '.join(GROUPS)}")
    return Factor(
        name=name,
        title=data["title"],
        group=group,
        order=data.get("order", 0),
        question=data["question"],
        keeps=data["keeps"],
        finding=paper.get("finding", ""),
        source=paper.get("source", ""),
        figures=tuple((v, n, r) for v, n, r in paper.get("figures", ())),
        key=data.get("key"),
        named=data.get("named", {}),
        designs={scale: _design(entry) for scale, entry in _scales(data).items()},
        text=text,
    )


def _scales(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what a file says for each scale: one list of values at its top is for all of them."""
    found: dict[str, dict[str, Any]] = data.get("scales", {})
    return dict.fromkeys(SCALES, data) | found if "values" in data or not found else found


def _design(entry: dict[str, Any]) -> Design:
    return Design(
        values=tuple(_text(value) for value in entry["values"]),
        baseline=_text(entry["baseline"]),
        sizes=tuple(entry.get("sizes", ())),
        sizes_of={v: tuple(n) for v, n in entry.get("sizes_of", {}).items()},
        claims=tuple(Claim.parse(claim) for claim in entry.get("claims", ())),
        settings=entry.get("set", {}),
    )


def setting(
    factor: Factor, scale: Scale, value: str, trainer: TrainerConfig | None = None
) -> Setting:
    """Return what a value of a factor means at a scale, for rote's own training or for a trainer.

    Raises
    ------
    ConfigError
        If the value cannot be: an unknown name, a number that its key does not take, or a setting of a
        trainer where there is none, or that its commands do not name.
    """
    changes = factor.design(scale.name).settings | factor.settings(value)
    where = f"`value` '{value}' of the study {factor.name}"
    scoring = scale.scoring
    told = {key.removeprefix(TOLD): v for key, v in changes.items() if key.startswith(TOLD)}
    if trainer is None:
        if told:
            raise ConfigError(
                f"the study {factor.name} sets trainer.{next(iter(told))}; give the `trainer` that "
                "takes it"
            )
    else:
        if lost := [name for name in told if not trainer.uses(name)]:
            raise ConfigError(
                f"{where} sets trainer.{lost[0]}, and no command has {{{lost[0]}}} to take it"
            )
        others = [key for key in changes if not reaches_trainer(key)]
        if others and is_own(factor.name):
            raise ConfigError(f"{where} sets {others[0]}, which a `trainer` knows nothing of")
        trainer = trainer.with_settings(told)
        changes = {key: v for key, v in changes.items() if reaches_trainer(key)}
        if trainer.train_command is not None:  # a command leaves one model
            scoring = scoring.model_copy(update={"snapshot": "last"})
    changes = {key: v for key, v in changes.items() if not key.startswith(TOLD)}
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
    labels = trainer is not None and factor.own_labels
    return Setting(
        whole.model, whole.train, whole.sample, scoring, variant, size, trainer, labels=labels
    )


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
    if field == "captions" and value not in WAYS:
        raise ConfigError(f"{where}: give one of {', '.join(WAYS)}")
    if field != "captions":
        value = _number(value, where, least=0 if field == "second_class" else 1)
    return replace(variant, **{field: value})
