"""What all result files share: strict models, and errors in one line that name file and key.

A model holds what a file says and computes nothing. Keys that a file may lack, because an older version
wrote it or because there is nothing to tell, have a default; keys that no model knows are ignored.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from rote.core.atomic_files import one_line_io, read_json, write_json
from rote.core.errors import RunError
from rote.stats.rates import Difference, Rate


class Result(BaseModel):
    """An object of a result file."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        extra="ignore",
        validate_by_name=True,
        validate_by_alias=True,
    )

    def to_json(self) -> dict[str, Any]:
        """Return the keys that were given, in the order of the model, as plain types."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class ResultFile(Result):
    """A whole file."""

    format_version: int = 1
    """Raised when a reader of older versions would misread the file."""


def _number(value: Any) -> Any:
    """Let a finite number through as it is: a whole one stays an integer, also when written again."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("number", "a number")
    if not math.isfinite(value):
        raise PydanticCustomError("number", "a finite number")
    return value


def _rate(rate: Rate) -> Rate:
    if not (rate.total >= 1 and 0 <= rate.count <= rate.total and 0 < rate.confidence < 1):
        raise ValueError("a rate")
    if not 0 <= rate.low <= rate.value <= rate.high <= 1:
        raise ValueError("a rate with its interval inside 0 to 1")
    return rate


def _difference(found: Difference) -> Difference:
    if not -1 <= found.low <= found.value <= found.high <= 1:
        raise ValueError("a difference with its interval inside -1 to 1")
    return found


Number = Annotated[float, PlainValidator(_number)]
"""A finite number."""
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[Number, Field(ge=-1, le=1)]
"""A number from -1 to 1."""
CheckedRate = Annotated[Rate, AfterValidator(_rate)]
CheckedDifference = Annotated[Difference, AfterValidator(_difference)]


class Interval(Result):
    """A number with its interval."""

    value: Number
    low: Number
    high: Number


MISSING = "there"
WORDS = {
    "missing": MISSING,
    "string_type": "a text",
    "int_type": "a count",
    "int_from_float": "a count",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "too_short": "a list with at least one entry",
    "dict_type": "an object",
    "model_type": "an object",
    "dataclass_type": "an object",
}
"""What was expected, by pydantic's name of the error."""

ResultT = TypeVar("ResultT", bound=ResultFile)


def read_result(path: Path, model: type[ResultT]) -> ResultT:
    """Read a result file.

    Raises
    ------
    RunError
        If it is missing, of a newer format, or not what the model says: the first key that is wrong.
    """
    read_json(path)  # says what is wrong with a file that rote did not write, or a newer rote
    return parse_result(path.read_text(encoding="utf-8"), model, path)


def parse_result(text: str, model: type[ResultT], path: Path) -> ResultT:
    """Return the text of a result file as its model; ``path`` is for the error."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise damaged(path, _key(first["loc"]), _expected(first)) from None


def write_result(path: Path, model: type[ResultFile], values: dict[str, Any]) -> None:
    """Write a result file whose content its model knows, key by key; a page of the old one goes first."""
    told = model.model_validate(values, strict=False).to_json()
    # A key that the model ignores would be missing for every reader, and in the documentation.
    same = json.dumps(told, sort_keys=True) == json.dumps(values, sort_keys=True)
    assert same, f"{model.__name__} does not hold what {path.name} is to say"
    with one_line_io(path):
        (path.parent / "report.html").unlink(missing_ok=True)
    write_json(path, told)


def damaged(path: Path, key: str, expected: str) -> RunError:
    """Return the error that says that ``key`` of a file is not what was expected."""
    told = "is missing" if expected == MISSING else f"is not {expected}"
    return RunError(
        f"{path} is damaged: {key} {told}; delete that file and run the command that wrote it again"
    )


def _key(place: tuple[int | str, ...]) -> str:
    """Return a place in a file as people write it.

    >>> _key(("points", 0, "rate", "low"))
    'points[0].rate.low'
    """
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in place).removeprefix(".")


def _expected(error: ErrorDetails) -> str:
    """Return in words what was expected in place of what was found."""
    kind, limits = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return f"{limits['error']}"
    if kind == "literal_error":
        return f"one of {limits['expected']}".replace(" or ", ", ").replace("'", "")
    if kind.startswith("greater_than"):
        least = limits.get("ge", limits.get("gt"))
        return "a count" if least == 0 else f"{least:g} or more"
    return WORDS.get(kind, error["msg"])
