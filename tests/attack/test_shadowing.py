"""Files in the working folder that are named like modules, and code that a person names."""

import json
import subprocess
import sys

import numpy as np
import pytest
from command import QUICK

MODULES = (
    "socket",
    "multiprocessing",
    "ray",
    "numpy",
    "torch",
    "json",
    "secrets",
    "selectors",
    "PIL",
)
AUDIT = ("audit", "--generated", "made.npz", "--training", "trained.npz", "--no-cache")
FUNCTION = """
import sys
import numpy as np
print("words on stdout")

def mean(images):
    print("more words")
    return images.mean(axis=(1, 2)).astype("float32")

def leaves(images):
    sys.exit(0)

def constant(images):
    return np.ones((len(images), 4), np.float32)

def random(images):
    return np.random.default_rng().normal(size=(len(images), 4))
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with sides to audit, functions, and files that tell when they run."""
    for name in MODULES:
        (tmp_path / f"{name}.py").write_text(
            f"open({str(tmp_path / 'ran')!r}, 'a').write('{name} ')\n"
        )
    (tmp_path / "given_here.py").write_text(FUNCTION)
    rng = np.random.default_rng(0)
    for side, count in (("made", 20), ("trained", 40)):
        np.savez(tmp_path / side, images=rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8))
    return tmp_path


def rote(folder, *arguments, module=True):
    start = ["-m", "rote"] if module else ["-c", "from rote.cli import main; main()"]
    safe = [] if module else ["-P"]
    return subprocess.run(
        [sys.executable, *safe, *start, *arguments], cwd=folder, capture_output=True, text=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("module", [True, False])
def test_functions_print_nothing_to_stdout_and_run_no_other_file(folder, module):
    done = rote(folder, *AUDIT, "--json", "--space", "given_here:mean", module=module)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rate"]["total"] == 20
    assert "words on stdout" in done.stderr and "more words" in done.stderr
    assert "runs code" in done.stderr
    assert not (folder / "ran").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("leaves", "it called sys.exit(0)"),
        ("constant", "the same row for all"),
        ("random", "another row for the same image"),
    ],
)
def test_functions_that_decide_nothing_fail_the_gate(folder, name, message):
    done = rote(folder, *AUDIT, "--fail-above", "0.5", "--space", f"given_here:{name}")
    assert done.returncode == 1 and message in done.stderr and done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_workers_of_a_search_run_no_file_of_the_folder(folder):
    done = rote(folder, "emm", "--data", "digits", "--out", "search", "--workers", "2", *QUICK)
    assert "Traceback" not in done.stderr
    assert not (folder / "ran").exists(), (folder / "ran").read_text()
