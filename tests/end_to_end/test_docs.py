"""The docs are true: links lead somewhere, commands and flags exist, Python examples run."""

import doctest
import importlib
import pkgutil
import re
import runpy
import shlex
from pathlib import Path

import pytest
from catalogs import catalogs_as_they_were
from command import ok

import rote

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = [
    m.name for m in pkgutil.walk_packages(rote.__path__, "rote.") if "__main__" not in m.name
]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-") for h in heads}
            assert anchor in slugs, target


def commands() -> dict[str, set[str]]:
    """Return each rote command in the docs with the flags used on it."""
    used: dict[str, set[str]] = {}
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")  # a command over several lines
        for line in re.findall(r"^ {4}(?:\S+: )?(rote .*)$", text, re.MULTILINE):
            words = shlex.split(line.split("#")[0])
            name = " ".join(words[1:3]) if words[1] in ("data", "remedy") else words[1]
            used.setdefault(name, set()).update(w for w in words if w.startswith("--"))
    return used


@pytest.mark.parametrize("name", sorted(commands()))
def test_commands_and_flags_exist(name: str, tmp_path: Path) -> None:
    said = ok(*name.split(), "--help", cwd=tmp_path)
    for flag in commands()[name]:
        assert re.search(rf"{flag}\b", said), f"rote {name} has no {flag}"


def test_scripts_have_the_flags_that_pages_give_them_and_every_benchmark_is_named() -> None:
    benchmarks = sorted((ROOT / "benchmarks").rglob("*.py"))
    named = set()
    for page in [*PAGES, *benchmarks]:
        text = page.read_text().replace("\\\n", " ")
        for name, rest in re.findall(r"((?:benchmarks|docs|examples)/[\w/]+\.py)([^`\n]*)", text):
            code = (ROOT / name).read_text()
            shared = [one for one in benchmarks if f"from {one.stem} import" in code]
            code += "".join(one.read_text() for one in shared)
            for flag in re.findall(r"--[a-z][\w-]*", rest):
                assert f'"{flag}"' in code, f"{page}: {name} has no {flag}"
            if page in PAGES:
                named.add(ROOT / name)
    runnable = {path for path in benchmarks if "__main__" in path.read_text()}
    assert runnable <= named, "no page says what these show"


def test_the_python_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for page in PAGES:
        for number, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.S)):
            script = tmp_path / f"{page.stem}{number}.py"
            script.write_text(code)
            with catalogs_as_they_were():
                runpy.run_path(str(script))
            shown = capsys.readouterr().out
            for line in re.findall(r"print\(.*\)\s+# (.+)$", code, re.MULTILINE):
                assert line in shown


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0


def test_the_configuration_page_is_what_the_models_say() -> None:
    generate = runpy.run_path(str(ROOT / "docs" / "generate_configuration.py"))
    assert generate["TARGET"].read_text() == generate["page"](), (
        "run docs/generate_configuration.py"
    )


def test_the_papers_commands_are_what_our_factors_train() -> None:
    generate = runpy.run_path(str(ROOT / "docs" / "generate_paper.py"))
    assert generate["TARGET"].read_text() == generate["page"](), "run docs/generate_paper.py"
    for factor in generate["FACTORS"]:
        for value in factor.values:
            assert generate["differences"](factor, value) == {}, (factor.name, value)


def test_the_page_of_files_is_what_the_models_say() -> None:
    generate = runpy.run_path(str(ROOT / "docs" / "generate_files.py"))
    assert generate["TARGET"].read_text() == generate["page"](), "run docs/generate_files.py"


def test_docs_name_no_home() -> None:
    for page in PAGES:
        assert not re.search(r"(?<!\w)/(work|root|home|tmp)/", page.read_text()), page
