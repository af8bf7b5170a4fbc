"""Write docs/reference/files.md from the models of the result files.

    python docs/generate_files.py

docs/files.md.in holds what no model tells; a line ``@ module.Model`` in it stands for the keys of that
model. Models that several keys hold get a table of their own, the others are part of the table of what
holds them. A test holds the page to what this script writes.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import inspect
import re
import types
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic_core import PydanticUndefined

from rote.results.schema import Result
from rote.stats.rates import Difference, Rate

SOURCE = Path(__file__).parent / "files.md.in"
TARGET = Path(__file__).parent / "reference" / "files.md"
MARK = re.compile(r"^@ ([\w.]+)\.(\w+)$", re.MULTILINE)
ALWAYS_SHARED = (Rate, Difference)
PLAIN = {str: "text", bool: "true or false", int: "whole number", float: "number", Any: "anything"}


@dataclasses.dataclass(frozen=True)
class Key:
    """A key of an object: its name, its type with what is known of its range, and what it is."""

    name: str
    annotation: Any
    limits: tuple[Any, ...]
    about: str
    optional: bool


@functools.cache
def told(kind: type) -> dict[str, str]:
    """Return the docstrings below the fields of a class, its bases included."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not base.__module__.startswith("rote."):
            continue
        body = ast.parse(inspect.getsource(base)).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, after in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
                assert isinstance(field.target, ast.Name)
                assert isinstance(after.value, ast.Constant)
                found[field.target.id] = inspect.cleandoc(after.value.value)
    return found


def summary(kind: type) -> str:
    """Return the docstring of a class without the sections of its attributes."""
    return inspect.cleandoc(kind.__doc__ or "").partition("\n\nAttributes\n")[0]


def is_object(kind: Any) -> bool:
    """Whether a type is an object of JSON with known keys."""
    return isinstance(kind, type) and (
        issubclass(kind, Result) or (dataclasses.is_dataclass(kind) and kind is not Result)
    )


def keys(kind: type) -> Iterator[Key]:
    """Yield the keys of an object in the order of the file."""
    if issubclass(kind, Result):
        docs = told(kind)
        for name, field in kind.model_fields.items():
            if name != "format_version":
                optional = (
                    field.default is not PydanticUndefined or field.default_factory is not None
                )
                shown = field.alias or name
                yield Key(
                    shown, field.annotation, tuple(field.metadata), docs.get(name, ""), optional
                )
        return
    hints = get_type_hints(kind)
    for item in dataclasses.fields(kind):
        yield Key(item.name, hints[item.name], (), told(kind).get(item.name, ""), optional=False)


def inside(annotation: Any) -> tuple[Any, str]:
    """Return what a type holds in the end, and the path to it: [] for lists, .* for names."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return inside(parts[0])
    if origin in (Union, types.UnionType):
        return inside(next(part for part in parts if part is not type(None)))
    if origin is tuple:
        kind, path = inside(parts[0])
        return kind, "[]" + path
    if origin is dict:
        kind, path = inside(parts[1])
        return kind, ".*" + path
    return annotation, ""


def words(annotation: Any, limits: tuple[Any, ...], shared: set[type]) -> str:
    """Return a type in words."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return words(parts[0], parts[1:], shared)
    if origin in (Union, types.UnionType):
        named = [words(part, limits, shared) for part in parts if part is not type(None)]
        return " or ".join([*named, "null"])
    if origin is tuple and parts[-1] is Ellipsis:
        held = words(parts[0], (), shared)
        return f"list of ({held})" if " or " in held else f"list of {held}"
    if origin is tuple:
        return "[" + ", ".join(words(part, (), shared) for part in parts) + "]"
    if origin is dict:
        return f"by name: {words(parts[1], (), shared)}"
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in parts)
    if is_object(annotation):
        return link(annotation) if annotation in shared else "object"
    least = {limit.ge for limit in _flat(limits) if getattr(limit, "ge", None) is not None}
    if annotation is int and least:
        return "count" if least == {0} else "count from 1"
    if annotation is float and least:
        return "number from -1 to 1"
    return PLAIN[annotation]


def _flat(limits: tuple[Any, ...]) -> Iterator[Any]:
    for limit in limits:
        yield from getattr(limit, "metadata", [limit])


def link(kind: type) -> str:
    """Return the link to the table of a shared object."""
    return f"[{heading(kind)}](#{heading(kind).lower().replace(' ', '-')})"


def heading(kind: type) -> str:
    """Return the name of an object in words.

    >>> heading(Rate)
    'Rate'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).capitalize()


def rows(kind: type, shared: set[type], prefix: str = "") -> Iterator[str]:
    """Yield the rows of the table of an object, with those of the objects that it alone holds."""
    for key in keys(kind):
        held, path = inside(key.annotation)
        about = key.about
        if is_object(held) and held not in shared and not about:
            about = summary(held)
        absent = " (may be absent)" if key.optional else ""
        cells = f"`{prefix}{key.name}`", words(key.annotation, key.limits, shared) + absent, about
        yield "| " + " | ".join(cell(text) for text in cells) + " |"
        if is_object(held) and held not in shared:
            yield from rows(held, shared, f"{prefix}{key.name}{path}.")


def cell(text: str) -> str:
    """Return text as one cell of a table."""
    text = re.sub(r"\s+", " ", text).replace("|", "\\|").replace("``", "`").strip()
    return re.sub(r"\bNone\b", "null", text)


def table(kind: type, shared: set[type]) -> str:
    """Return the table of an object."""
    return "\n".join(["| key | is | |", "|---|---|---|", *rows(kind, shared)])


def shared_objects(files: list[type]) -> set[type]:
    """Return the objects that more than one key holds."""
    seen: Counter[type] = Counter()
    waiting, known = list(files), set(files)
    while waiting:
        for key in keys(waiting.pop()):
            held, _ = inside(key.annotation)
            if is_object(held):
                seen[held] += 1
                if held not in known:
                    known.add(held)
                    waiting.append(held)
    return {kind for kind, count in seen.items() if count > 1} | set(ALWAYS_SHARED)


def page() -> str:
    """Return the whole page."""
    source = SOURCE.read_text(encoding="utf-8")
    files = {
        match[0]: getattr(importlib.import_module(f"rote.results.{match[1]}"), match[2])
        for match in MARK.finditer(source)
    }
    shared = shared_objects(list(files.values()))
    text = MARK.sub(lambda match: table(files[match[0]], shared), source)
    parts = [text.rstrip(), "\n\n## Objects that several files share\n"]
    for kind in sorted(shared, key=lambda kind: heading(kind)):
        parts.append(f"\n### {heading(kind)}\n\n{summary(kind)}\n\n{table(kind, shared)}\n")
    return "".join(parts)


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
