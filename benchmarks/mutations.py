"""Faults put into the code one at a time: does a fast test see each of them?

    python benchmarks/mutations.py                       all of them, a table at the end
    python benchmarks/mutations.py --room stats emm      those of some rooms
    python benchmarks/mutations.py --only 7 --whole      number 7, if need be against the whole fast suite

Each fault is a text of one file and what takes its place: a wrong sign, a step too many, a check less. It
is put into a copy of the tree, the tests named beside it are run there, then those of its room (unit,
numerics, properties, training, and the examples of its docstrings), and with ``--whole`` all that `make
test` runs; the first failing test ends it. Texts that are in their file no longer, or twice, are told.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

import numba  # noqa: F401
import pytest
import scipy.stats  # noqa: F401
import sklearn.datasets  # noqa: F401
import torch
from mutation_table import FAULTS, Fault

# What the tests import is imported once, and every run of them is a fork; nothing of rote is among it.
torch.set_num_threads(1)

ROOT = Path(__file__).parents[1]
SECONDS = 900


@dataclass(frozen=True)
class Outcome:
    """What became of one fault: the test that saw it, "survived", or why it could not be tried."""

    number: int
    room: str
    file: str
    what: str
    found: str
    seconds: float


def room_tests(fault: Fault) -> list[str]:
    """Return the folders of a room's fast tests, and the examples of the module."""
    kinds = ("unit", "numerics", "properties", "training")
    folders = [f"tests/{kind}/{fault.room}" for kind in kinds]
    name = "rote." + fault.file.removesuffix(".py").replace("/", ".")
    examples = f"tests/end_to_end/test_docs.py::test_docstring_examples_run[{name}]"
    return [*(folder for folder in folders if (ROOT / folder).exists()), examples]


def first_failure(tree: Path, tests: list[str]) -> str | None:
    """Run some tests of a tree; return the name of the first that fails, None if none does."""
    said = tree / "said.txt"
    child = os.fork()
    if child == 0:
        _run(tree, tests, said)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status in (0, 5):  # 5: none was collected
        return None
    if status == -signal.SIGALRM:
        return f"{' '.join(tests)}: no end"
    text = said.read_text()
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", text, re.MULTILINE)
    assert found, text[-2000:]
    return found[1]


def _run(tree: Path, tests: list[str], said: Path) -> None:
    """Be a process that runs tests of a tree, and end with pytest's status."""
    signal.alarm(SECONDS)
    written = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(written, 1)
    os.dup2(written, 2)
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree / "src")
    sys.path.insert(0, str(tree / "src"))
    options = ["-x", "-q", "-m", "not slow", "--tb=no", "-p", "no:cacheprovider", "--no-header"]
    status = 70
    try:
        status = int(pytest.main([*options, *tests]))
    except BaseException:  # noqa: BLE001 - whatever it is, this process ends here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def tried(number: int, fault: Fault, tree: Path, *, whole: bool) -> Outcome:
    """Put a fault into the tree, run tests until one fails, and take it out again."""
    path = tree / "src" / "rote" / fault.file
    started = time.monotonic()

    def outcome(found: str) -> Outcome:
        spent = round(time.monotonic() - started, 1)
        return Outcome(number, fault.room, fault.file, fault.what, found, spent)

    if not path.exists():
        return outcome(f"not tried: there is no {fault.file}")
    text = path.read_text()
    if text.count(fault.old) != 1:
        return outcome(f"not tried: its text occurs {text.count(fault.old)} times")
    path.write_text(text.replace(fault.old, fault.new))
    try:
        for tests in ([*fault.tests], room_tests(fault), ["tests"] if whole else []):
            there = [test for test in tests if (tree / test.partition("::")[0]).exists()]
            if there and (seen := first_failure(tree, there)):
                return outcome(seen)
    finally:
        path.write_text(text)
    return outcome("survived")


def as_table(outcomes: list[Outcome]) -> str:
    """Return the outcomes as a table of Markdown."""
    lines = ["| | room | fault | seen by |", "|---:|---|---|---|"]
    for one in sorted(outcomes, key=lambda o: o.number):
        seen = one.found.partition("[")[0]
        seen = f"`{seen}`" if "::" in seen else seen
        lines.append(f"| {one.number} | {one.room} | `{one.file}`: {one.what} | {seen} |")
    return "\n".join(lines)


def main() -> None:
    """Try the faults that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--room", nargs="*", default=[])
    parser.add_argument("--only", nargs="*", type=int, default=[])
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--check", action="store_true", help="only say whose text is gone")
    parser.add_argument("--out", type=Path, help="a file of JSON lines that is gone on with")
    asked = parser.parse_args()
    if asked.check:
        for number, fault in enumerate(FAULTS, start=1):
            path = ROOT / "src" / "rote" / fault.file
            count = path.read_text().count(fault.old) if path.exists() else -1
            if count != 1 or not all((ROOT / t.partition("::")[0]).exists() for t in fault.tests):
                print(number, fault.file, count, fault.what, fault.tests)
        return
    outcomes = []
    if asked.out and asked.out.exists():
        outcomes = [Outcome(**json.loads(line)) for line in asked.out.read_text().splitlines()]
    done = {outcome.number for outcome in outcomes}
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        tree = Path(folder) / "tree"
        ignored = shutil.ignore_patterns(".git", ".venv", "runs", ".hypothesis", ".*_cache")
        shutil.copytree(ROOT, tree, ignore=ignored)
        for number, fault in enumerate(FAULTS, start=1):
            if number in done or (asked.room and fault.room not in asked.room):
                continue
            if asked.only and number not in asked.only:
                continue
            outcome = tried(number, fault, tree, whole=asked.whole)
            outcomes.append(outcome)
            print(f"{number:3} {fault.room}: {fault.what}: {outcome.found}", flush=True)
            if asked.out:
                with asked.out.open("a") as handle:
                    handle.write(json.dumps(asdict(outcome)) + "\n")
    print(as_table(outcomes))
    caught = sum(o.found != "survived" and not o.found.startswith("not tried") for o in outcomes)
    print(f"\n{caught} of {len(outcomes)} seen")


if __name__ == "__main__":
    main()
