"""The rules between the rooms, held by reading the code (`docs/architecture.md` tells them)."""

import ast
import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from measure import (
    SOURCE,
    Measure,
    file_lengths,
    files_per_folder,
    function_lengths,
    import_circles,
    imports,
    module_name,
    signatures,
)

# From the ground up: a room imports only what stands before it.
ROOMS = [
    "core",
    "stats",
    "results",
    "data",
    "neighbors",
    "spaces",
    "metrics",
    "emm",
    "memorization",
    "diffusion",
    "experiments",
    "report",
    "integrations",
    "cli",
]
# The measuring knows nothing of the making, nor the other way; a page is made of result files alone.
NEVER = {
    "emm": {"data", "neighbors", "spaces", "metrics"},
    "diffusion": {"neighbors", "spaces", "metrics", "emm", "memorization"},
    "report": set(ROOMS) - {"core", "stats", "results", "report"},
    "integrations": {"diffusion", "experiments", "report"},
}
FILES = sorted(SOURCE.rglob("*.py"))
MOST_FILES = 16  # of one folder, without its __init__.py
MOST_LINES = 350
MOST_CODE = 80  # lines of a function without its docstring
MOST_PARAMETERS = 12  # an object of options counts as one
# Public functions keep their friendly arguments, which fill an object of options.
FRIENDLY = {
    "experiments/search/search.py: estimate_emm",
    "experiments/studies/study.py: run_study",
    "memorization/audit/audit.py: audit",
}
WRITERS = {"core/atomic_files.py", "core/run_folder.py", "diffusion/checkpoint.py"}
DOWNLOADS = "data/named/download.py"


MODULES = {module_name(path, SOURCE): path for path in FILES}


def room_of(name: str) -> str:
    return name.partition(".")[0]


@functools.cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text())))


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """Return all that a file imports, wherever it does, also for the type checker alone."""
    names = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative imports hide what is imported from where"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


@functools.cache
def calls(path: Path) -> set[str]:
    """Return the names of what a file calls, with all that stands before them."""
    return {ast.unparse(node.func) for node in nodes_of(path) if isinstance(node, ast.Call)}


def relative(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def test_every_file_lies_in_a_room() -> None:
    rooms = {room_of(name) for name in MODULES} - {"", "__main__"}
    assert rooms == set(ROOMS)


def test_a_room_imports_only_what_stands_above_it() -> None:
    wrong = []
    for name, path in MODULES.items():
        if (room := room_of(name)) not in ROOMS:
            continue
        may = set(ROOMS[: ROOMS.index(room) + 1]) - NEVER.get(room, set())
        wrong += [
            f"{name} -> {used}" for used in imports(path, set(MODULES)) if room_of(used) not in may
        ]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert import_circles(SOURCE) == []


def test_only_downloads_open_sockets() -> None:
    network = {"socket", "urllib", "http", "ssl", "requests", "ftplib"}
    for path in FILES:
        used = {name.split(".")[0] for name in imported(path)}
        assert relative(path) == DOWNLOADS or not used & network, path


def test_only_the_console_prints() -> None:
    for path in FILES:
        if relative(path) != "core/console.py":
            assert "print" not in calls(path), path
            assert "sys.stdout" not in path.read_text(), path


def test_only_atomic_files_runs_and_downloads_write() -> None:
    writers = {"write_bytes", "savez", "savez_compressed", "save_file", "dump", "to_csv", "tofile"}
    for path in FILES:
        if relative(path) in WRITERS | {DOWNLOADS}:
            continue
        assert not {name.rsplit(".", 1)[-1] for name in calls(path)} & writers, path
        for node in nodes_of(path):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".open"):
                modes = [a.value for a in node.args if isinstance(a, ast.Constant)]
                assert not any(isinstance(m, str) and set(m) & set("wax") for m in modes), path


def test_no_library_call_changes_the_filters_of_warnings() -> None:
    """They are the whole process's: put back by one of several threads, they stay changed."""
    for path in FILES:
        if path.relative_to(SOURCE).parts[0] != "cli":
            used = {name.rsplit(".", 1)[-1] for name in calls(path)}
            assert not used & {"catch_warnings", "simplefilter", "filterwarnings"}, path


def test_nothing_pickles() -> None:
    # It looks at the pickles of others with stand-ins for all that they name.
    for path in [path for path in FILES if path.name != "described.py"]:
        assert not {"pickle", "shelve", "joblib"} & imported(path), path


@pytest.mark.parametrize(
    ("measured", "most"),
    [
        (files_per_folder, MOST_FILES),
        (file_lengths, MOST_LINES),
        (function_lengths, MOST_CODE),
        (signatures, MOST_PARAMETERS),
    ],
    ids=["files in a folder", "lines in a file", "lines in a function", "parameters"],
)
def test_limits_of_what_one_reader_takes_in(
    measured: Callable[[Path], list[Measure]], most: int
) -> None:
    above = [measure for measure in measured(SOURCE) if measure.value > most]
    assert [measure for measure in above if measure.where not in FRIENDLY] == []


@pytest.mark.parametrize(
    "command", [["--help"], ["emm", "--help"], ["data", "list"], ["--version"]]
)
def test_light_commands_import_no_torch(command: list[str]) -> None:
    code = (
        "import sys; sys.argv = ['rote', *sys.argv[1:]]\n"
        "from rote.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'scipy', 'sklearn', 'altair', 'vl_convert', 'ray'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_importing_rote_imports_nothing_heavy() -> None:
    code = "import sys, rote; assert not {'torch', 'numpy', 'rich'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_loads_and_a_former_one_warns() -> None:
    import rote

    assert {"audit", "estimate_emm", "load_images", "train"} <= set(rote.__all__) == set(dir(rote))
    for name in rote.__all__:
        assert getattr(rote, name).__name__ == name
    with pytest.warns(DeprecationWarning, match=r"rote\.Dataset"):
        assert rote.ImageDataset is rote.Dataset
    with pytest.raises(AttributeError, match="nothing"):
        _ = rote.nothing
