"""The rules of the tests themselves: a file for each module, quick units, helpers in one place."""

import ast
from pathlib import Path

import pytest
from measure import SOURCE

TESTS = Path(__file__).parents[1]
UNIT = sorted((TESTS / "unit").rglob("*.py"))
# What trains a network. Whoever needs one that was trained is a test of `tests/training`.
TRAINS = {
    "rote.diffusion.training.loop": {"train"},
    "rote.experiments.run.run": {"execute"},
    "rote.experiments.search.search": {"estimate_emm"},
    "rote.experiments.studies.study": {"run_study", "run_studies"},
}
PUBLIC = {"rote.train", "rote.estimate_emm"}


def imported(path: Path) -> set[str]:
    """Return what a test imports from rote, and what it takes from the package by a dot."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute):
            names.add(ast.unparse(node))
    return names


@pytest.mark.parametrize("folder", ["unit", "training"])
def test_every_file_is_named_after_the_module_that_it_tests(folder: str) -> None:
    for path in sorted((TESTS / folder).rglob("test_*.py")):
        tested = path.relative_to(TESTS / folder)
        module = SOURCE / tested.with_name(tested.name.removeprefix("test_"))
        assert module.exists(), f"{path} tests no module: there is no {module}"


def test_no_unit_test_trains() -> None:
    trains = {f"{module}.{name}" for module, names in TRAINS.items() for name in names} | PUBLIC
    for path in UNIT:
        assert not imported(path) & trains, f"{path} trains; move that test to tests/training"


def test_what_trains_is_still_called_that() -> None:
    for module, names in TRAINS.items():
        path = SOURCE.joinpath(*module.split(".")[1:]).with_suffix(".py")
        defined = {
            node.name
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.FunctionDef)
        }
        assert names <= defined, f"{module} has no {names - defined} any more; say what trains now"


def test_helpers_lie_in_support() -> None:
    here = {TESTS / "support", TESTS / "architecture"}
    for path in TESTS.rglob("*.py"):
        test = path.name.startswith("test_") or path.name == "conftest.py"
        assert test or path.parent in here, f"{path} is no test; helpers lie in tests/support"
