"""Which distribution this is, and whether another one has put its files among ours."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from rote.core.installation import DISTRIBUTION, VERSION, extra, others

ROOT = Path(__file__).parents[3]
UNASKED = ("dev", "docs", "lightning")  # of lightning the tests take the half that is enough


def test_the_name_is_that_of_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == DISTRIBUTION
    extras = ",".join(e for e in project["optional-dependencies"] if e not in UNASKED)
    own = f"{DISTRIBUTION}[{extras}]"
    assert own in project["optional-dependencies"]["dev"]
    assert extra("ray") == f"pip install '{DISTRIBUTION}[ray]'"


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ((f"{DISTRIBUTION.replace('-', '_')}-{VERSION}", "rotest-8.3.1", "rote_bench-0.1.0"), []),
        (("rote-0.1.0",), ["rote"]),
        (("rote_cli-0.16.0", "rote-0.1.0"), ["rote", "rote-cli"]),
    ],
)
def test_other_distributions_in_the_same_folder_are_seen(tmp_path, installed, expected) -> None:
    for name in installed:
        (tmp_path / f"{name}.dist-info").mkdir()
    assert others(tmp_path) == expected


def test_the_command_and_python_refuse_to_run_among_the_files_of_another(tmp_path: Path) -> None:
    (tmp_path / "rote").symlink_to(ROOT / "src" / "rote")
    (tmp_path / "rote_cli-0.16.0.dist-info").mkdir()
    said = []
    for code in ("import rote; rote.__version__; rote.audit", "import rote.cli; rote.cli.main()"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        said.append(done.stderr.splitlines())
    assert said[0][-1].startswith("ImportError: the distribution rote-cli is another project")
    assert len(said[1]) == 1
    assert said[1][0].startswith("error: the distribution rote-cli is another project")
    assert "pip uninstall rote-cli" in said[1][0]
