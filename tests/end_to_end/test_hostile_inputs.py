"""300 damaged or hostile inputs: each is loaded with all accounted for, or refused in one line.

Nothing crashes, hangs, writes, runs, or goes missing in silence.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import ENVIRONMENT, run_here
from hostile import MAKERS, make

from rote.data.load import load_images

COUNT = 300
RUNNER = Path(__file__).parents[1] / "support" / "hostile_runner.py"
Case = tuple[str, Path | str, int]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def cases(room: Path) -> list[Case]:
    (room / "inputs").mkdir()
    return make(room / "inputs", COUNT, seed=0)


def everything(folder: Path) -> set[tuple[bytes, int]]:
    """Return every path below a folder, links not followed, with its size."""
    found = set()
    for base, folders, files in os.walk(os.fsencode(folder)):
        for name in (*folders, *files):
            path = base + b"/" + name
            found.add((path, os.lstat(path).st_size if name in files else 0))
    return found


def test_every_input_is_accounted_for_or_refused_in_one_line(room: Path, cases: list[Case]) -> None:
    manifest = room / "manifest.json"
    manifest.write_text(json.dumps([os.fsencode(path).hex() for _, path, _ in cases]))
    (room / "here").mkdir()
    before = everything(room)
    done = subprocess.run(
        [sys.executable, RUNNER, manifest],
        cwd=room / "here",
        capture_output=True,
        text=True,
        timeout=120,
        env={**ENVIRONMENT, "TMPDIR": str(room / "here")},
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (cases[min(len(rows) // 2, COUNT - 1)], done.stderr[-2000:])
    assert len(rows) == 2 * COUNT
    wrong = []
    for number, row in enumerate(rows):
        name, _, given = cases[number // 2]
        if "refused" in row:
            said = row["refused"]
            fine = said.isprintable() and 20 < len(said) < 1500
        else:
            fine = "failed" not in row and row["loaded"] + row["unreadable"] == given
            fine = fine and row["clean"] == [True, row["loaded"]]
            fine = fine and (number % 2 == 1 or row["unreadable"] == 0)
        if not fine:
            wrong.append((name, given, row))
    assert wrong == []
    assert everything(room) == before
    assert not any(path.endswith(b"/executed") for path, _ in everything(room))
    # Both ends occur, so neither check is idle.
    loaded = sum("loaded" in row for row in rows)
    left_out = sum(row.get("unreadable", 0) > 0 for row in rows)
    assert loaded > COUNT / 4 and left_out > COUNT / 10 and loaded < 1.5 * COUNT


def test_the_inputs_are_the_same_every_time(tmp_path: Path, cases: list[Case]) -> None:
    again = make(tmp_path, len(MAKERS), seed=0)
    assert [(name, given) for name, _, given in again] == [
        (name, given) for name, _, given in cases[: len(again)]
    ]


COMMANDS = (
    *("torn_file", "huge_dimensions", "hostile_name", "links", "special_file", "special_source"),
    *("hostile_sidecar", "hostile_member_name", "zip_fields", "zip_bomb", "pickled", "odd_values"),
    *("hostile_header", "array_bomb"),
)


@pytest.mark.parametrize("kind", COMMANDS)
def test_the_command_answers(room: Path, cases: list[Case], kind: str) -> None:
    source, given = next((str(p), n) for name, p, n in cases if name.endswith(f" {kind}"))
    np.savez(room / "train.npz", images=load_images("digits").items[:50])
    before = everything(room)
    fit = ("--resolution", "8", "--channels", "1") if kind not in ("odd_values",) else ()
    sides = ("--generated", source, "--training", "train.npz", "--skip-unreadable", "--no-cache")
    done = run_here("audit", *sides, *fit, "--positive-control", "0", "--json", cwd=room)
    if done.returncode == 0:
        side = json.loads(done.stdout)["generated"]
        assert side["count"] + side["unreadable"] == given
    else:
        assert done.returncode == 1
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        (line,) = [line for line in done.stderr.splitlines() if line.strip()]
        assert line.startswith("error: ")
        assert all(char.isprintable() for char in line)
    assert everything(room) == before
