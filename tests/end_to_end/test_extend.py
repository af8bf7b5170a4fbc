"""What `docs/how-to/extend.md` adds from outside is on the command line, in the JSON and on the page."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from catalogs import catalogs_as_they_were
from report_page import Page
from scipy.spatial.distance import cdist
from typer.testing import CliRunner, Result

from rote.cli.app import app
from rote.core.errors import RoteError
from rote.data.load import load_images
from rote.memorization import criteria

TRAINING, MADE = slice(0, 60), slice(50, 80)
PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "extend.md").read_text()


def block(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", PAGE, re.S)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Write the module and the study of the page, and two sides; forget what was registered."""
    folder = tmp_path_factory.mktemp("extend")
    (folder / "my_parts.py").write_text(
        block("python") + "\nfrom rote.experiments.studies import factor\n\n"
        'factor.register(Path(__file__).with_name("my-width.toml"))\n'
    )
    (folder / "my-width.toml").write_text(block("toml"))
    digits = load_images("digits")
    np.savez(folder / "train.npz", images=digits.items[TRAINING])
    np.savez(folder / "made.npz", images=digits.items[MADE])  # ten copies
    with catalogs_as_they_were():
        yield folder
    sys.modules.pop("my_parts", None)


def rote(folder: Path, *arguments: str) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return CliRunner().invoke(app, ["--extension", "my_parts", *arguments])


@pytest.fixture(scope="module")
def audited(folder: Path) -> dict[str, object]:
    done = rote(
        folder,
        *("audit", "--generated", "made.npz", "--training", "train.npz", "--criterion", "margin"),
        *("--space", "pixel", "--space", "edges", "--positive-control", "3", "--out", "out"),
    )
    assert done.exit_code == 0, done.output
    found: dict[str, object] = json.loads((folder / "out" / "audit.json").read_text())
    return found


def test_help_names_them(folder: Path) -> None:
    for command in ("audit", "rescore"):
        shown = rote(folder, command, "--help").output
        assert "margin" in shown
    assert "edges" in rote(folder, "audit", "--help").output


def test_the_json_says_what_they_are(audited) -> None:
    ratio, margin = audited["criteria"]
    assert (margin["name"], margin["title"], margin["threshold"]) == ("margin", "Margin", -10.0)
    assert margin["words"].startswith("How much nearer") and "8-bit" in margin["unit"]
    made, training = (load_images("digits").items[s].reshape(-1, 64) for s in (MADE, TRAINING))
    first, second = np.sort(cdist(made.astype(float), training.astype(float)), axis=1)[:, :2].T
    assert 10 <= margin["rate"]["count"] == int(((first - second) / 8 < -10).sum()) < 30
    assert [entry["space"]["name"] for entry in audited["spaces"]] == ["pixel", "edges"]
    assert audited["spaces"][1]["space"]["words"].startswith("Edges: how much")
    cells = [c for c in audited["positive_control"]["cells"] if c["corruption"] == "turn"]
    assert [(c["strength"], c["title"], c["adjective"]) for c in cells] == [
        (1, "Quarter turns", "turned"),
        (2, "Quarter turns", "turned"),
    ]
    assert "margin" in cells[0]["recall"] and ratio["rate"]["count"] == 10


def test_the_page_shows_them(audited, folder: Path) -> None:
    page, source = Page(folder / "out" / "report.html"), (folder / "out" / "audit.json").read_text()
    for words in ("Margin", "How much nearer the nearest", "Edges: how much", "Quarter turns"):
        assert page.text.count(words) > source.count(words)  # the page shows its source, too
    assert "turned copies" in page.text


def test_a_study_is_listed_and_planned(folder: Path) -> None:
    listed = json.loads(rote(folder, "study", "list", "--json").stdout)["studies"]
    assert listed[-1]["name"] == "my-width" and listed[-1]["question"].startswith("Does twice")
    for name in ("my-width", "my-width.toml"):
        done = rote(folder, "study", name, "--scale", "smoke", "--dry-run", "--json")
        assert done.exit_code == 0, done.output


def test_what_cannot_be_added_is_said_in_one_line(folder: Path) -> None:
    (folder / "raises.py").write_text("1 / 0")
    (folder / "ratio.toml").write_text("title = 3")
    for arguments, message in (
        (["--extension", "nowhere", "audit"], "nowhere cannot be imported"),
        (["--extension", "raises", "audit"], "ZeroDivisionError"),
        (["study", "none.toml", "--dry-run"], "none.toml cannot be read"),
        (["study", "ratio.toml", "--dry-run"], "ratio.toml lacks 'group'"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            done = CliRunner().invoke(app, arguments)
        assert isinstance(done.exception, RoteError) and message in str(done.exception)
    with pytest.raises(RoteError, match="'ratio' comes with rote; choose another name"):
        criteria.register(criteria.RatioCriterion())
