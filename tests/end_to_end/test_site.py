"""The site's sources fit together; `make docs` builds it, in strict mode."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FIGURES = DOCS / "figures"
CHAPTERS = sorted(path for path in (DOCS / "derivations").glob("*.md") if path.stem != "index")
NOTEBOOKS = sorted((DOCS / "tutorials").glob("*.ipynb"))
# Pages that docs/site/hooks.py makes of files at the root.
MADE = {"changelog.md", "contributing.md"}


def listed(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        found = [path.relative_to(DOCS).as_posix() for path in DOCS.glob(entry) if "*" in entry]
        yield from found or [entry]
        return
    for inner in entry.values() if isinstance(entry, dict) else entry:
        yield from listed(inner)


def figures_of(page: Path) -> list[str]:
    return re.findall(r"^!\[[^\]]+\]\((?:\.\./)*figures/([\w-]+)\.svg\)$", page.read_text(), re.M)


def test_every_page_is_in_the_sites_list() -> None:
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    found = [*DOCS.rglob("*.md"), *NOTEBOOKS]
    pages = {path.relative_to(DOCS).with_suffix(".md").as_posix() for path in found}
    named = {str(Path(page).with_suffix(".md")) for page in listed(config["nav"])}
    assert {page for page in named if "*" not in page} == pages | MADE


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_derivation_has_its_four_layers(chapter: Path) -> None:
    text = chapter.read_text()
    places = [
        text.find(mark) for mark in ("**In one sentence.**", "![", "## The steps", "## Try it")
    ]
    assert places == sorted(places), places
    assert -1 not in places
    assert "```python" in text[places[-1] :]
    assert figures_of(chapter)


def test_a_concept_has_a_picture() -> None:
    for page in (DOCS / "concepts").glob("*.md"):
        assert "![" in page.read_text(), page


def test_every_figure_is_shown_and_has_all_its_frames() -> None:
    shown = {name for page in DOCS.rglob("*.md") for name in figures_of(page)}
    assert shown == {path.stem for path in FIGURES.glob("*.json")}
    assert shown == {path.stem for path in FIGURES.glob("*.svg")}
    for name in sorted(shown):
        spec = json.loads((FIGURES / f"{name}.json").read_text())
        counts = [len(slider["values"]) for slider in spec["sliders"]]
        every = list(range(len(counts)))
        assert len(spec["says"]) == math.prod(counts[i] for i in spec.get("by", every))
        assert all(0 <= slider["start"] < len(slider["values"]) for slider in spec["sliders"])
        for layer in spec["layers"]:
            assert ("data" in layer) != ("frames" in layer)
            if "frames" in layer:
                assert len(layer["frames"]) == math.prod(counts[i] for i in layer.get("by", every))


def test_a_figure_is_what_rote_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FIGURES))
    import average
    import scene

    monkeypatch.setattr(scene, "FOLDER", tmp_path)
    average.average()
    for kept, made in zip(
        json.loads((FIGURES / "average.json").read_text())["layers"],
        json.loads((tmp_path / "average.json").read_text())["layers"],
        strict=True,
    ):
        for key in ("data", "frames"):
            assert flat(made.get(key)) == pytest.approx(flat(kept.get(key)), abs=2e-3)


def flat(value: Any) -> list[float]:
    if isinstance(value, list):
        return [number for inner in value for number in flat(inner)]
    return [] if value is None else [value]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_tutorial_was_run_from_top_to_bottom(path: Path) -> None:
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert outputs
    assert not any(output["output_type"] == "error" for output in outputs)
    assert not re.search(r"(?<!\w)/(work|root|home|tmp)/", path.read_text())
