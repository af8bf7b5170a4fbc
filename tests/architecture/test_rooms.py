"""The rules between the rooms, held by reading the code."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "rote"
ROOMS = ["core", "data", "diffusion", "memorization", "studies", "report", "cli"]
MAY_IMPORT = {
    "core": set(),
    "data": {"core"},
    "diffusion": {"core", "data"},
    "memorization": {"core", "data"},
    "studies": {"core", "data", "diffusion", "memorization"},
    "report": {"core"},
    "cli": {"core", "data", "diffusion", "memorization", "studies", "report"},
}
FILES = sorted(SOURCE.rglob("*.py"))


def room_of(path: Path) -> str:
    part = path.relative_to(SOURCE).parts[0]
    return part if part in ROOMS else ""


@functools.cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text())))


def imported(path: Path) -> set[str]:
    names = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "relative imports hide what is imported from where"
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@functools.cache
def calls(path: Path) -> set[str]:
    """Return the names of what a file calls, with all that stands before them."""
    return {ast.unparse(node.func) for node in nodes_of(path) if isinstance(node, ast.Call)}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_room_imports_only_what_lies_below_it(path: Path) -> None:
    room = room_of(path)
    if not room:
        return
    used = {
        name.split(".")[1]
        for name in imported(path)
        if name.startswith("rote.") and name.split(".")[1] in ROOMS
    }
    assert used - {room} <= MAY_IMPORT[room]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_only_downloads_open_sockets(path: Path) -> None:
    network = {"socket", "urllib", "http", "ssl", "requests", "ftplib"}
    used = {name.split(".")[0] for name in imported(path)}
    assert path.name == "download.py" or not used & network


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_only_the_console_prints(path: Path) -> None:
    if path.relative_to(SOURCE).as_posix() != "core/console.py":
        assert "print" not in calls(path)
        assert "sys.stdout" not in path.read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_only_runs_and_downloads_write_files(path: Path) -> None:
    writers = {"write_bytes", "savez", "savez_compressed", "save_file", "dump", "to_csv", "tofile"}
    allowed = {"core/runs.py", "data/download.py", "diffusion/checkpoint.py"}
    if path.relative_to(SOURCE).as_posix() not in allowed:
        assert not {name.rsplit(".", 1)[-1] for name in calls(path)} & writers
        for node in nodes_of(path):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".open"):
                modes = [a.value for a in node.args if isinstance(a, ast.Constant)]
                assert not any(isinstance(m, str) and set(m) & set("wax") for m in modes)


def test_nothing_pickles() -> None:
    for path in FILES:
        assert not {"pickle", "shelve", "joblib"} & imported(path), path


def test_no_file_is_too_long_to_read_in_one_sitting() -> None:
    long = {p.name: len(p.read_text().splitlines()) for p in FILES}
    assert {name: lines for name, lines in long.items() if lines > 400} == {}


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
