"""Configuration models: strict, frozen, with one-line errors that name the nearest key."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from rote.core.errors import ConfigError, did_you_mean


class StrictModel(BaseModel):
    """Base of every configuration: unknown keys are errors, values never change afterwards."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


ModelT = TypeVar("ModelT", bound=StrictModel)


def parse_config(model: type[ModelT], values: dict[str, Any], *, where: str) -> ModelT:
    """Build a configuration from plain values.

    Parameters
    ----------
    model
        The configuration class.
    values
        Plain values, as from JSON.
    where
        The file or flag the values came from, for the message.

    Raises
    ------
    ConfigError
        With the first problem, the key's full path and the nearest known key.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"]) or "value"
        if first["type"] == "extra_forbidden":
            known = _keys_at(model, [str(part) for part in first["loc"][:-1]])
            hint = did_you_mean(str(first["loc"][-1]), known)
            raise ConfigError(f"{where}: unknown key '{path}'{hint}") from None
        message = first["msg"].removeprefix("Value error, ")
        got = "" if isinstance(first["input"], dict) else f" (got {first['input']!r})"
        raise ConfigError(f"{where}: {path}: {message}{got}") from None


def _keys_at(model: type[BaseModel], path: list[str]) -> list[str]:
    """Return the known keys of the nested model that ``path`` leads to."""
    current: type[BaseModel] = model
    for part in path:
        field = current.model_fields.get(part)
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        current = annotation
    return list(current.model_fields)


def override(config: ModelT, assignments: list[str], *, where: str = "`set`") -> ModelT:
    """Return the configuration with ``key=value`` assignments applied.

    Dotted keys reach nested configurations. Values are text as the field's type reads it, or JSON for
    lists and null.

    >>> class Example(StrictModel):
    ...     width: int = 1
    >>> override(Example(), ["width=3"]).width
    3
    """
    values = config.model_dump()
    for assignment in assignments:
        key, separator, text = assignment.partition("=")
        if not separator:
            raise ConfigError(f"{where} {assignment!r}: expected key=value, such as train.batch=64")
        # Lists and null are JSON; all else stays text, which the field's own type then reads, so that
        # train.labels=true is the word where a word is asked for.
        value: Any = text
        if text.startswith(("[", "{")) or text == "null":
            try:
                value = json.loads(text)
            except json.JSONDecodeError as error:
                raise ConfigError(
                    f"{where} {assignment!r}: {error.msg} in the JSON value"
                ) from None
        node = values
        *parents, leaf = key.split(".")
        for parent in parents:
            if parent in node and not isinstance(node[parent], dict):
                raise ConfigError(f"{where} {assignment!r}: '{parent}' holds a value, no keys")
            if parent not in node:
                hint = did_you_mean(parent, node)
                raise ConfigError(f"{where} {assignment!r}: unknown key '{parent}'{hint}")
            node = node[parent]
        node[leaf] = value
    return parse_config(type(config), values, where=where)


def digest(*parts: Any) -> str:
    """SHA-256 of plain values in a canonical JSON form, as 64 hexadecimal digits.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
