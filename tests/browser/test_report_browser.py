"""The report as a reader meets it in a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from report_runs import HOSTILE, audit_run, emm_run

from rote.report import write_report
from rote.stats.rates import wilson

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def emm_dir(tmp_path_factory) -> Path:
    run_dir = emm_run(tmp_path_factory.mktemp("emm"))
    write_report(run_dir)
    return run_dir


@pytest.fixture(scope="session")
def audit_dir(tmp_path_factory) -> Path:
    run_dir = audit_run(tmp_path_factory.mktemp("audit"))
    write_report(run_dir)
    return run_dir


def ratios_of(audit: Path) -> np.ndarray:
    with np.load(audit / "neighbors.npz") as arrays:
        nn1, nn2 = arrays["nn1_sq"].astype(float), arrays["nn2_sq"].astype(float)
    return np.sqrt(np.divide(nn1, nn2, out=np.zeros_like(nn1), where=nn2 > 0))


def set_slider(page, value: float) -> None:
    page.eval_on_selector(
        "#threshold",
        "(node, value) => { node.value = value;"
        " node.dispatchEvent(new Event('input', { bubbles: true })); }",
        str(value),
    )


def recount(page) -> dict[str, float]:
    data = page.eval_on_selector("#recount", "node => ({ ...node.dataset })")
    return {key: float(value) for key, value in data.items()}


def test_search_page_shows_the_result(open_page, emm_dir: Path) -> None:
    emm = json.loads((emm_dir / "emm.json").read_text())
    page = open_page(emm_dir / "report.html")
    value = f"{emm['emm']['value']:.0f}"
    assert page.title() == f"EMM {value} · digits · rote"
    assert page.inner_text(".big").startswith(value)
    assert page.inner_text("h1") == emm["sentence"]
    rows = page.locator("#points tbody tr")
    assert rows.count() == len(emm["points"])
    page.click("#runs .raw summary")
    for number, point in enumerate(emm["points"]):
        cells = rows.nth(number).locator("td").all_inner_texts()
        rate = point["rate"]
        assert cells[2] == f"{rate['value']:.3f}"
        assert cells[4] == f"{rate['low']:.3f} to {rate['high']:.3f}"
        assert cells[5] == f"{rate['count']} of {rate['total']}"
    assert page.locator(".run-card").count() == len(emm["points"])
    # Every chart is drawn: the curve with its runs, the posterior, a ring for each chosen snapshot.
    assert page.locator("#chart-posterior svg").count() == 1
    assert page.locator("#chart-curve svg").count() == 1
    assert page.locator("#chart-snapshots svg").count() == 1
    dots = page.locator("#chart-curve svg .mark-symbol path[aria-roledescription='point']")
    assert dots.count() == len(emm["points"])
    spoken = " ".join(dots.evaluate_all("nodes => nodes.map(n => n.getAttribute('aria-label'))"))
    for point in emm["points"]:
        assert f"{point['rate']['value']:.3f}" in spoken


@pytest.mark.parametrize("threshold", [0.05, 0.335, 1.0])
def test_slider_recounts_like_numpy(open_page, emm_dir: Path, threshold: float) -> None:
    page = open_page(emm_dir / "report.html")
    page.locator("#gallery-sets label", has_text="128").click()
    set_slider(page, threshold)
    ratios = ratios_of(emm_dir / "points" / "size-000128-run-00" / "audit")
    expected = wilson(int((ratios < threshold).sum()), len(ratios))
    found = recount(page)
    assert (found["count"], found["total"]) == (expected.count, expected.total)
    for key in ("low", "high"):
        assert found[key] == pytest.approx(getattr(expected, key), abs=1e-12)
    assert page.inner_text("#recount-count") == f"{expected.count} of {expected.total} generated"


def test_every_point_starts_at_its_own_rate(open_page, emm_dir: Path) -> None:
    emm = json.loads((emm_dir / "emm.json").read_text())
    page = open_page(emm_dir / "report.html")
    assert page.inner_text("#gallery-sets label:has(:checked)") == "64"  # nearest the EMM
    for number, point in enumerate(emm["points"]):
        page.locator(f"[data-set='{number}']").click()
        assert recount(page)["count"] == point["rate"]["count"]
        assert page.inner_text("#threshold-value") == "1/3"


def test_reset_returns_to_the_criterion(open_page, audit_dir: Path) -> None:
    audit = json.loads((audit_dir / "audit.json").read_text())
    page = open_page(audit_dir / "report.html")
    before = recount(page)
    assert before["count"] == audit["rate"]["count"]
    assert before["low"] == pytest.approx(audit["rate"]["low"], abs=1e-12)
    assert page.locator("#threshold-reset").is_hidden()
    page.focus("#threshold")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#threshold-value") == "0.34"
    page.click("#threshold-reset")
    assert recount(page) == before


def test_filter_and_order(open_page, audit_dir: Path) -> None:
    page = open_page(audit_dir / "report.html")

    def shown() -> list[tuple[int, float]]:
        rows = page.eval_on_selector_all(
            "#cards > li", "nodes => nodes.map(n => [+n.dataset.index, +n.dataset.ratio])"
        )
        return [(int(index), ratio) for index, ratio in rows]

    ratios = [ratio for _, ratio in shown()]
    assert len(ratios) == 24 and ratios == sorted(ratios)
    page.select_option("#order", "-ratio")
    ratios = [ratio for _, ratio in shown()]
    assert ratios == sorted(ratios, reverse=True) and ratios[0] > 0.8
    page.select_option("#order", "index")
    indices = [index for index, _ in shown()]
    assert indices == sorted(indices)
    page.locator("#verdicts label", has_text="No copy seen").click()
    assert all(ratio >= 1 / 3 for _, ratio in shown())
    assert set(page.locator("#cards .chip").all_inner_texts()) == {"no copy seen"}
    page.locator("#verdicts label", has_text="Memorized").click()
    assert all(ratio < 1 / 3 for _, ratio in shown())
    matching = int(re.search(r"(\d+) of", page.inner_text("#gallery-note"))[1])
    while page.locator("#more").is_visible():
        page.click("#more")
    assert len(shown()) == matching
    known = ratios_of(audit_dir)
    assert all(known[index] == ratio for index, ratio in shown())


def test_cards_show_the_right_pixels(open_page, audit_dir: Path) -> None:
    page = open_page(audit_dir / "report.html")
    page.wait_for_timeout(200)
    index, drawn = page.eval_on_selector(
        "#cards > li",
        """card => [+card.dataset.index, [...card.querySelectorAll("canvas")].map(
            c => [...c.getContext("2d").getImageData(0, 0, 8, 8).data].filter((_, n) => n % 4 === 0)
        )]""",
    )
    with np.load(audit_dir / "gallery.npz") as arrays:
        row = arrays["generated_index"].tolist().index(index)
        expected = [arrays[name][row].ravel().tolist() for name in ("generated", "nn1", "nn2")]
    assert drawn == expected


def test_theme_toggle_redraws_and_is_remembered(open_page, emm_dir: Path) -> None:
    page = open_page(emm_dir / "report.html")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.click("#theme")
    page.wait_for_selector("html[data-charts='dark']")
    assert page.evaluate(paper) != light
    assert page.get_attribute("#theme", "aria-pressed") == "true"
    assert "#ff9a62" in page.inner_html("#chart-curve")
    page.reload()
    page.wait_for_selector("html[data-charts='dark']")
    page.click("#theme")
    page.wait_for_selector("html[data-charts='light']")
    assert page.evaluate(paper) == light


def test_system_theme_is_followed(open_page, audit_dir: Path) -> None:
    page = open_page(audit_dir / "report.html", dark=True)
    assert page.get_attribute("html", "data-charts") == "dark"


@pytest.mark.parametrize("width", [360, pytest.param(768, marks=pytest.mark.slow)])
def test_nothing_overflows(open_page, emm_dir: Path, audit_dir: Path, width: int) -> None:
    for run_dir in (emm_dir, audit_dir):
        page = open_page(run_dir / "report.html", width=width)
        page.eval_on_selector_all(".raw", "nodes => nodes.forEach(n => { n.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for name in page.eval_on_selector_all(".chart-area", "nodes => nodes.map(n => n.id)"):
            box = page.locator(f"#{name} svg").bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width + 0.5


def test_everything_is_reached_by_keyboard(open_page, emm_dir: Path) -> None:
    page = open_page(emm_dir / "report.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(90):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(e => e.id || e.name || e.dataset.set && 'row' || e.dataset.chart || e.dataset"
                ".download || e.tagName)(document.activeElement)"
            )
        )
    wanted = {"theme", "curve", "row", "set", "threshold", "verdict", "order", "more", "SUMMARY"}
    assert wanted <= reached
    page.focus("#gallery-sets input:checked")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#gallery-sets label:has(:checked)") == "128"
    page.focus("#verdicts input:checked")
    page.keyboard.press("ArrowRight")
    assert page.locator("#verdicts input:checked").get_attribute("value") == "memorized"


def test_downloads(open_page, emm_dir: Path) -> None:
    page = open_page(emm_dir / "report.html")
    page.click("#method .raw summary")
    with page.expect_download() as waiting:
        page.click("[data-download]")
    assert waiting.value.suggested_filename == "emm.json"
    assert Path(waiting.value.path()).read_bytes() == (emm_dir / "emm.json").read_bytes()
    with page.expect_download() as waiting:
        page.click("[data-chart='curve'][data-kind='svg']")
    text = Path(waiting.value.path()).read_text()
    assert text.startswith("<svg") and "EMM" in text


def test_tooltips_are_texts_of_the_point(open_page, emm_dir: Path) -> None:
    page = open_page(emm_dir / "report.html")
    dots = page.locator("#chart-curve svg .mark-symbol path[aria-roledescription='point']")
    dots.nth(2).hover()
    page.wait_for_selector("#vg-tooltip-element.visible")
    shown = page.inner_text("#vg-tooltip-element")
    assert "469 of 500" in shown and "0.913 to 0.956" in shown


def test_hostile_text_runs_nothing(open_page, tmp_path: Path) -> None:
    for run_dir in (
        emm_run(tmp_path / "emm", sizes=(64, 128), source=HOSTILE, classes=[HOSTILE] * 10),
        audit_run(tmp_path / "audit", source=HOSTILE, control=False),
    ):
        page = open_page(write_report(run_dir), width=360)
        assert page.evaluate("typeof window.hacked") == "undefined"
        assert "<script>" in page.inner_text("main")
        assert page.locator("img:not([src^='data:image/png'])").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert recount(page)["total"] > 0


def test_vectors_are_drawn(open_page, tmp_path: Path) -> None:
    run_dir = emm_run(tmp_path, sizes=(64, 128), kind="vector", holdout=False)
    page = open_page(write_report(run_dir))
    assert page.locator("#cards canvas").count() == 0
    assert page.locator("#cards > li").first.locator("svg rect").count() == 3 * 8


def test_print_keeps_the_answer(open_page, emm_dir: Path) -> None:
    page = open_page(emm_dir / "report.html", dark=True)
    page.emulate_media(media="print")
    assert page.locator(".bar").is_hidden()
    assert page.locator(".big").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
