"""Which trainer a search asks, and what it is told."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from string import Formatter
from typing import Any, Protocol, Self, TypeVar

from pydantic import Field, field_validator, model_validator

from rote.core.config import StrictModel, parse_config
from rote.core.errors import ConfigError
from rote.core.user_module import import_user_module
from rote.experiments.trainers.protocol import Trainer

Setting = bool | int | float | str | None


class _Search(Protocol):
    """What its search has."""

    @property
    def fresh_samples(self) -> int: ...

    def model_copy(self, *, update: Mapping[str, Any]) -> Self: ...


class _Config(Protocol):
    """What a configuration of a search has."""

    @property
    def trainer(self) -> TrainerConfig | None: ...

    @property
    def search(self) -> _Search: ...

    def model_copy(self, *, update: Mapping[str, Any]) -> Self: ...


ConfigT = TypeVar("ConfigT", bound=_Config)


class TrainerConfig(StrictModel):
    """A trainer that is not rote's own: a function, or commands."""

    function: str | None = None
    """`module:function`, called with a `rote.TrainingJob`."""
    code: str | None = None
    """Digest of the function's source: another function's runs are not taken for this one's."""
    train_command: str | None = None
    """A command line that trains; `{data}`, `{out}`, `{seed}`, `{size}`, `{device}`, `{threads}` and the
    names of settings are filled in."""
    sample_command: str | None = None
    """A command line that samples: `{samples}` and `{num}`, too. None: the training command leaves
    `{num}` samples in `{samples}`."""
    layout: str = "auto"
    """How the training set is laid out for a command: `folder` (PNG files, in folders of their classes
    where it has labels), `captions` (PNG files with their captions, else the names of their classes),
    `npz`, `csv`; `auto`: folder for images, else npz, csv for tables."""
    time_limit: float | None = Field(default=None, gt=0)
    """Seconds that one call of a command may take; None: no limit."""
    settings: dict[str, Setting] = Field(default_factory=dict)
    """What the trainer is told, by name."""

    @property
    def name(self) -> str:
        """What it is called, for a person."""
        return self.function or f"`{self.train_command}`"

    @property
    def sampler(self) -> str:
        """What its sampler is called, for a person."""
        return f"`{self.sample_command}`" if self.sample_command else f"the sampler of {self.name}"

    def to_json(self) -> dict[str, Any]:
        """Return what decides a model as plain types: a limit of time does not."""
        return self.model_dump(mode="json", exclude={"time_limit"})

    def told(self, assignments: Sequence[str]) -> TrainerConfig:
        """Return it with ``name=value`` settings added.

        >>> TrainerConfig(function="a:b").told(["rate=0.5", "kind=flow"]).settings
        {'rate': 0.5, 'kind': 'flow'}
        """
        pairs = [text.partition("=") for text in assignments]
        if wrong := [name for name, equals, _ in pairs if not equals or not name]:
            raise ConfigError(f"`set` trainer.{wrong[0]}: expected trainer.NAME=VALUE")
        return self.with_settings({name: value for name, _, value in pairs})

    def with_settings(self, settings: Mapping[str, Setting]) -> TrainerConfig:
        """Return it with settings added; text that is a number is one."""
        values = self.model_dump() | {"settings": self.settings | dict(settings)}
        return parse_config(TrainerConfig, values, where="`settings`")

    def uses(self, name: str) -> bool:
        """Say whether it can take note of a setting: a command that does not name it cannot."""
        commands = [c for c in (self.train_command, self.sample_command) if c is not None]
        return not commands or any(
            name == field for command in commands for _, field, _, _ in Formatter().parse(command)
        )

    @field_validator("settings", mode="before")
    @classmethod
    def _plain(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {name: _value(value) for name, value in values.items()}

    @model_validator(mode="after")
    def _check(self) -> TrainerConfig:
        if (self.function is None) == (self.train_command is None):
            raise ValueError("give either a function or a command that trains")
        if self.sample_command is not None and self.train_command is None:
            raise ValueError("a command that samples needs a command that trains")
        if self.layout not in ("auto", "folder", "captions", "npz", "csv"):
            raise ValueError(f"layout is {self.layout}; choose auto, folder, captions, npz or csv")
        return self


def _value(value: Any) -> Any:
    """Read a setting's text as a number or a truth value where it is one."""
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except json.JSONDecodeError:
        return value
    return found if isinstance(found, bool | int | float) else value


_HERE: dict[str, Trainer] = {}
"""Functions that were given as such, by their names; known to this process alone."""


def with_trainer(
    config: ConfigT,
    trainer: Trainer | TrainerConfig | str | None,
    settings: Mapping[str, Setting] | None = None,
    *,
    here: bool,
) -> ConfigT:
    """Return the configuration of a search with a trainer in place of rote's own training.

    Parameters
    ----------
    config
        A configuration with the fields ``trainer`` and ``search``.
    trainer
        A function, its name, or its configuration; None changes nothing.
    settings
        What it is told, beside what its configuration says.
    here
        Whether a function is called in this process; else workers import it by its name.

    Raises
    ------
    ConfigError
        If it cannot be imported.
    """
    found = resolved(config.trainer if trainer is None else trainer, settings, here=here)
    if found is None:
        return config
    search = config.search
    if found.train_command is not None:  # a command leaves one model
        search = search.model_copy(update={"snapshot": "last"})
    if found.train_command is not None and found.sample_command is None:
        # Its samples are all there: they are not drawn in stages.
        search = search.model_copy(update={"first_samples": search.fresh_samples})
    return config.model_copy(update={"trainer": found, "search": search})


def resolved(
    trainer: Trainer | TrainerConfig | str | None,
    settings: Mapping[str, Setting] | None = None,
    *,
    here: bool,
) -> TrainerConfig | None:
    """Return a trainer as a configuration, with the digest of its source; see `with_trainer`."""
    if trainer is None:
        if settings:
            raise ConfigError("`settings` are what a trainer is told; give a `trainer`, too")
        return None
    if isinstance(trainer, str):
        trainer = TrainerConfig(function=trainer)
    if isinstance(trainer, TrainerConfig):
        if trainer.function is not None and trainer.code is None:
            code = code_digest(import_trainer(trainer.function))
            trainer = trainer.model_copy(update={"code": code})
    else:
        trainer = _named(trainer, here=here)
    return trainer.with_settings(settings or {})


def _named(function: Trainer, *, here: bool) -> TrainerConfig:
    name = f"{function.__module__}:{getattr(function, '__qualname__', type(function).__qualname__)}"
    if here:
        _HERE[name] = function
    elif "<" in name:
        raise ConfigError(
            f"`trainer` {name} cannot be imported by workers; write it as a function of a module, or "
            "leave `workers` 1"
        )
    return TrainerConfig(function=name, code=code_digest(function))


def import_trainer(name: str) -> Trainer:
    """Import a trainer by its name, "module:function".

    Raises
    ------
    ConfigError
        If there is none.
    """
    if name in _HERE:
        return _HERE[name]
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise ConfigError(f"`trainer` {name!r} is no module:function, such as my_training:trainer")
    try:
        found: Any = import_user_module(module_name)
    except Exception as error:
        raise ConfigError(
            f"`trainer` {name}: importing {module_name} raised {type(error).__name__}: {error}; give the "
            "name of a file in the current folder, without .py, or of a module that is installed"
        ) from error
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise ConfigError(f"`trainer` {name}: {module_name} has no function {attribute}")
    trainer: Trainer = found
    return trainer


def code_digest(function: Callable[..., Any]) -> str | None:
    """Return a digest of a function's source, or None where it has none."""
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        return None
    return hashlib.sha256(source.encode()).hexdigest()[:16]
