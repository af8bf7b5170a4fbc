"""Messages of the library name arguments in backticks; only the command line spells flags."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from measure import SOURCE, python_files

from rote.cli.flags import flags

LIBRARY = [
    path for path in python_files(SOURCE) if path.relative_to(SOURCE).parts[0] not in ("cli",)
]
ARGUMENT = re.compile(r"`([a-z_0-9]+)`")
COMMAND = re.compile(
    r"`[^`]* [^`]*`"
)  # such as `rote data cache --clear`: to be typed as it stands
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
# Flags of other programs, and variables of style sheets.
OTHERS = {
    "core/ray/cluster.py": {"--address", "--head"},
    "core/run_folder.py": {"--always", "--dirty", "--abbrev"},
    "report/page.py": {"--value", "--low", "--high"},
    "spaces/packaged_network.py": {"--no-deps"},
}


def words(node: ast.AST) -> str:
    """Return all text of an expression, with {} for what is filled in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.FormattedValue):
        return "{}" + words(node.value)
    return "".join(words(child) for child in ast.iter_child_nodes(node))


def docstrings(tree: ast.Module) -> set[ast.AST]:
    """Return the strings that stand alone: docstrings, and those below fields."""
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def texts(path: Path) -> Iterator[str]:
    """Yield the strings of a file that are no docstrings, those of one f-string together."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skip = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skip |= set(ast.walk(node)) - {node}
        if node not in skip and isinstance(node, ast.JoinedStr | ast.Constant):
            yield words(node)


def test_every_argument_in_an_error_has_a_flag() -> None:
    without = []
    for path in LIBRARY:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and node.exc is not None:
                names = ARGUMENT.findall(words(node.exc))
                without += [f"{path}: {name}" for name in names if name not in flags()]
    assert without == []


def test_only_the_command_line_spells_flags() -> None:
    spelled = []
    for path in LIBRARY:
        where = path.relative_to(SOURCE).as_posix()
        for text in texts(path):
            found = set(FLAG.findall(COMMAND.sub("", text))) - OTHERS.get(where, set())
            spelled += [f"{where}: {flag}" for flag in sorted(found)]
    assert spelled == []


def test_the_rules_see_what_they_forbid(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text('"""--doc."""\nx = f"give --seed {1} `rote a --b`, --{2}" + "--no-deps"\n')
    assert sorted(texts(path)) == ["--no-deps", "give --seed {} `rote a --b`, --{}"]
    assert FLAG.findall(COMMAND.sub("", "give --seed {} `rote a --b`, --{}")) == ["--seed"]
    error = ast.parse('raise E(f"`seed` is {x}; " + hint("`size`"))').body[0]
    assert ARGUMENT.findall(words(error)) == ["seed", "size"]
