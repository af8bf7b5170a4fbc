"""Measures a tree of Python files: what the limits of `test_rooms.py` are about.

python tests/architecture/measure.py [FOLDER]      prints a table; FOLDER is src/rote by default
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "rote"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Measure:
    """One number and the place it was found at."""

    value: int
    where: str


def python_files(source: Path) -> list[Path]:
    return sorted(path for path in source.rglob("*.py") if "__pycache__" not in path.parts)


def module_name(path: Path, source: Path) -> str:
    """Return the name of a module below the package."""
    parts = path.relative_to(source).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def code_lines(function: Function) -> int:
    """Return the lines of a function without its docstring: what has to fit on a screen."""
    first = function.body[0]
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def parameters(function: Function) -> int:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return len([argument for argument in named if argument.arg not in ("self", "cls")])


def files_per_folder(source: Path) -> list[Measure]:
    """Return how many modules each folder holds, without its `__init__.py`."""
    folders: dict[Path, int] = {}
    for path in python_files(source):
        if path.stem != "__init__" and path.parent != source:
            folders[path.parent] = folders.get(path.parent, 0) + 1
    return [Measure(n, folder.relative_to(source).as_posix()) for folder, n in folders.items()]


def file_lengths(source: Path) -> list[Measure]:
    return [
        Measure(
            len(path.read_text(encoding="utf-8").splitlines()), path.relative_to(source).as_posix()
        )
        for path in python_files(source)
    ]


def function_lengths(source: Path) -> list[Measure]:
    return [
        Measure(code_lines(function), f"{path.relative_to(source).as_posix()}: {function.name}")
        for path in python_files(source)
        for function in functions(path)
    ]


def signatures(source: Path) -> list[Measure]:
    """Return how many parameters each function takes.

    Compiled loops are left out: they take arrays one by one, since no option object enters them cheaply.
    """
    return [
        Measure(parameters(function), f"{path.relative_to(source).as_posix()}: {function.name}")
        for path in python_files(source)
        for function in functions(path)
        if not any("njit" in ast.unparse(decorator) for decorator in function.decorator_list)
    ]


def imports(path: Path, modules: set[str]) -> set[str]:
    """Return which modules of the package a file imports, wherever it does, also for types alone."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            within = {name for name in full if name.removeprefix("rote.") in modules}
            found |= within or {node.module}
            if len(within) < len(full):
                found.add(node.module)
    return {name.removeprefix("rote.") for name in found if name.startswith("rote.")} & modules


def import_circles(source: Path) -> list[list[str]]:
    """Return the groups of modules that import each other (Tarjan's strongly connected components)."""
    paths = {module_name(path, source): path for path in python_files(source)}
    graph = {name: imports(path, set(paths)) - {name} for name, path in paths.items()}
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    circles: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                circles.append(sorted(group))

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return circles


def longest(measures: list[Measure]) -> Measure:
    return max(measures, key=lambda measure: measure.value)


def main() -> None:
    """Print the table."""
    source = Path(sys.argv[1]) if sys.argv[1:] else SOURCE
    rows = {
        "files": Measure(len(python_files(source)), ""),
        "lines": Measure(sum(m.value for m in file_lengths(source)), ""),
        "most files in a folder": longest(files_per_folder(source)),
        "longest file": longest(file_lengths(source)),
        "longest function, without its docstring": longest(function_lengths(source)),
        "most parameters": longest(signatures(source)),
        "import circles": Measure(len(import_circles(source)), ""),
    }
    for name, measure in rows.items():
        print(f"{name:42} {measure.value:7,}  {measure.where}")


if __name__ == "__main__":
    main()
