"""The pages of two small studies that share runs, and their overview, in a browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from report_runs import HOSTILE

from rote.core.run_folder import read_metrics
from rote.data.load import load_images
from rote.experiments.studies.study import StudyOptions, run_studies
from rote.report import write_report
from rote.report.words import format_points, format_signed
from rote.stats.rates import Difference

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # four trainings before the first page
NAMES = ("duration", "width")
SCREENS = [(360, False), (1440, True)]
PIXELS = """img => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [img.naturalWidth, img.naturalHeight];
    const pen = canvas.getContext("2d");
    pen.drawImage(img, 0, 0);
    return [...pen.getImageData(0, 0, canvas.width, canvas.height).data].filter((_, n) => n % 4 === 0);
}"""


@pytest.fixture(scope="session")
def studies_dir(tmp_path_factory) -> Path:
    """Four runs of seconds: width takes the baseline that duration has trained."""
    folder = tmp_path_factory.mktemp("studies")
    run_studies(
        NAMES,
        load_images("digits"),
        StudyOptions("smoke"),
        outs=[folder / name for name in NAMES],
        runs=folder / "runs",
    )
    for place in (folder / "duration", folder / "width", folder):
        write_report(place)
    return folder


def told(folder: Path) -> dict:
    return json.loads((folder / "study.json").read_text())


def charts(page) -> set[str]:
    return {
        name.removeprefix("chart-")
        for name in page.eval_on_selector_all(".chart-area", "nodes => nodes.map(n => n.id)")
        if page.locator(f"#{name} svg").count() == 1
    }


def test_a_study_page_shows_what_the_file_says(open_page, studies_dir: Path) -> None:
    study = told(studies_dir / "width")
    page = open_page(studies_dir / "width" / "report.html")
    assert page.inner_text("h1") == study["sentence"]
    assert page.inner_text("#answer .chip") == study["verdict"]
    assert charts(page) == {"rates-0", "differences", "curves"}
    rows = page.locator("#effects tbody tr")
    assert rows.count() == len(study["effects"])
    for number, effect in enumerate(study["effects"]):
        cells = rows.nth(number).locator("td").all_inner_texts()
        assert cells[2].startswith(format_points(Difference(**effect["difference"])))
        assert cells[4] == (effect["verdict"] or "")
    assert page.locator(".chip.good, .chip.bad").count() == 0  # nothing here rests on many runs
    runs = [run for cell in study["cells"] for run in cell["runs"]]
    rows = page.locator("#runs tbody tr")
    assert rows.count() == len(runs) == 3
    for number, run in enumerate(runs):
        shown = rows.nth(number).inner_text()
        assert f"{run['rate']['count']} of {run['rate']['total']}" in shown
        assert f"{run['images_seen']:,}" in shown


def test_the_papers_figures_stand_beside_ours(open_page, studies_dir: Path) -> None:
    figures = told(studies_dir / "duration")["paper"]["figures"]
    page = open_page(studies_dir / "duration" / "report.html")
    assert charts(page) == {"rates-0", "paper", "differences", "curves"}
    dots = page.locator("#chart-paper svg .mark-symbol.role-mark path")
    assert dots.count() == len(figures) == 3


def test_every_run_has_its_line(open_page, studies_dir: Path) -> None:
    study = told(studies_dir / "width")
    page = open_page(studies_dir / "width" / "report.html")
    lines = page.locator("#chart-curves svg .mark-line path")
    runs = [run for cell in study["cells"] for run in cell["runs"]]
    assert lines.count() == len(runs)
    # A point of the path for every row of metrics.jsonl: one move, then lines.
    steps = sorted(
        path.count("L") + 1 for path in lines.evaluate_all("p => p.map(n => n.getAttribute('d'))")
    )
    rows = [read_metrics(studies_dir / "runs" / run["key"] / "metrics.jsonl") for run in runs]
    assert steps == sorted(map(len, rows))


def test_a_column_of_samples_starts_from_one_seed(open_page, studies_dir: Path) -> None:
    study = told(studies_dir / "width")
    page = open_page(studies_dir / "width" / "report.html")
    strips = page.locator("#samples .noise-row")
    assert strips.count() == len(study["cells"])
    for number, cell in enumerate(study["cells"]):
        folder = studies_dir / "runs" / cell["runs"][0]["key"]
        with np.load(folder / "samples" / "fresh.npz") as arrays:
            images = arrays["images"]
        with np.load(folder / "audit" / "neighbors.npz") as arrays:
            memorized = arrays["memorized"]
        tiles = strips.nth(number).locator("img")
        words = tiles.evaluate_all("nodes => nodes.map(n => n.alt)")
        assert words == ["copy" if copy else "new" for copy in memorized[: len(words)]]
        assert strips.nth(number).locator("img.copy").count() == words.count("copy")
        assert tiles.first.evaluate(PIXELS) == images[0].ravel().tolist()
        assert tiles.last.evaluate(PIXELS) == images[len(words) - 1].ravel().tolist()
    # One value copies and the other does not: what the page is for.
    assert page.locator("#samples img.copy").count() > 0


def test_differences_tell_their_interval(open_page, studies_dir: Path) -> None:
    (effect,) = told(studies_dir / "width")["effects"]
    page = open_page(studies_dir / "width" / "report.html")
    page.locator("#chart-differences svg .mark-symbol path").first.hover()
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert format_signed(effect["difference"]["low"]) in page.inner_text("#vg-tooltip-element")


def test_the_overview_leads_to_every_study(open_page, studies_dir: Path) -> None:
    page = open_page(studies_dir / "report.html")
    assert charts(page) == {"effects"}
    assert page.locator("#studies tbody tr").count() == len(NAMES)
    verdicts = [told(studies_dir / name)["verdict"] for name in NAMES]
    lines = page.locator("#answer .counts li").all_inner_texts()
    counted = sum(int(line.split()[0]) for line in lines if "agree" in line)
    assert counted == sum(verdict in ("agrees", "disagrees") for verdict in verdicts)
    facts = page.locator("#answer .facts").inner_text()
    assert "Models trained\n4" in facts  # and not six: two are shared
    for name in NAMES:
        page.click(f"#studies a[href='{name}/report.html']")
        page.wait_for_selector("html[data-charts]")
        assert page.inner_text("h1") == told(studies_dir / name)["sentence"]
        page.go_back()
        page.wait_for_selector("html[data-charts]")


@pytest.mark.parametrize(("width", "dark"), SCREENS)
def test_nothing_overflows(open_page, studies_dir: Path, width: int, dark: bool) -> None:
    for place in (studies_dir, studies_dir / "width"):
        page = open_page(place / "report.html", width=width, dark=dark)
        assert page.get_attribute("html", "data-charts") == ("dark" if dark else "light")
        page.eval_on_selector_all(".raw", "nodes => nodes.forEach(n => { n.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for name in page.eval_on_selector_all(".chart-area", "nodes => nodes.map(n => n.id)"):
            box = page.locator(f"#{name} svg").bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width + 0.5


def test_hostile_text_runs_nothing(open_page, studies_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "width"
    shutil.copytree(studies_dir / "width", folder)
    study = told(folder)
    study["data"]["source"] = study["sentence"] = study["title"] = HOSTILE
    (folder / "study.json").write_text(json.dumps(study))
    for place in (folder, tmp_path):
        page = open_page(write_report(place), width=360)
        assert page.evaluate("typeof window.hacked") == "undefined"
        assert "<script>" in page.inner_text("main")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
