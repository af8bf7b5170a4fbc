"""Search, order, links to what is looked at, and what can be saved, on the page of an audit."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from full_runs import full_audit_run
from PIL import Image

from rote.report import write_report

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    return write_report(full_audit_run(tmp_path_factory.mktemp("links")))


def indices(page) -> list[int]:
    return page.eval_on_selector_all("#cards > li", "nodes => nodes.map(n => +n.dataset.index)")


def address(page, part: str) -> str:
    """Wait until the address tells what was chosen last; return what follows the #."""
    page.wait_for_url(lambda url: part in url)
    return page.url.partition("#")[2]


def test_the_first_screen_shows_verdict_share_and_pairs(open_page, report: Path) -> None:
    for width, height in ((1440, 900), (390, 844)):
        page = open_page(report, width=width)
        bottoms = [
            page.locator(selector).first.bounding_box()
            for selector in (".gate", "#answer .big", ".interval", ".worst li")
        ]
        assert all(box["y"] + box["height"] <= height for box in bottoms)
    page = open_page(report)
    last = page.locator(".worst li").last.bounding_box()
    assert last["y"] + last["height"] <= 900
    for line in page.locator(".because li").all():
        box = line.bounding_box()
        assert box["y"] + box["height"] <= 900


def test_a_link_leads_others_to_the_same_filter(open_page, report: Path) -> None:
    page = open_page(report)
    page.fill("#find", "made/1")
    page.locator("#verdicts label", has_text="Memorized").click()
    page.select_option("#order", "name")
    page.evaluate(
        "n => { n = document.getElementById('threshold'); n.value = 0.5;"
        " n.dispatchEvent(new Event('input', { bubbles: true })); }"
    )
    asked = address(page, "threshold=0.5")
    found = indices(page)
    assert found and all(str(n).startswith("1") for n in found)
    other = open_page(report.with_name("report.html"))
    other.goto(f"{report.as_uri()}#{asked}")
    other.reload()
    other.wait_for_selector("html[data-charts]")
    assert indices(other) == found
    assert other.input_value("#find") == "made/1" and other.input_value("#order") == "name"
    other.goto(f"{report.as_uri()}#verdict=nonsense&order=x&threshold=9&set=7&group=<b>")
    assert other.locator("#cards > li").count() == 24 and other.input_value("#find") == ""


def test_a_link_to_a_pair_opens_it(open_page, report: Path) -> None:
    page = open_page(report)
    page.locator(".worst a").first.click()
    page.wait_for_selector("#viewer[open]")
    index = page.get_attribute("#viewer", "data-index")
    assert page.url.endswith(f"#pair={index}")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(f"#viewer:not([data-index='{index}'])")
    page.fill("#viewer-slide", "20")
    assert "80%" in page.eval_on_selector("#viewer-over", "node => node.style.clipPath")
    page.keyboard.press("Escape")
    page.wait_for_selector(".worst a:focus")
    page.wait_for_url(lambda url: "pair=" not in url)
    without_picture = int(page.locator("#rest-count").inner_text().split()[0])
    assert without_picture > 0
    page.goto(f"{report.as_uri()}#pair=599")
    page.wait_for_function("document.getElementById('find').value === '#599' || viewer.open")


def test_columns_are_sorted_and_saved(open_page, report: Path) -> None:
    page = open_page(report)
    table = page.locator(".by-class").first
    head = table.get_by_role("button", name="Rate, interval")
    head.click()
    assert head.locator("..").get_attribute("aria-sort") == "ascending"
    names = table.locator("tbody th").all_inner_texts()
    assert names == [f"class {n}" for n in range(10)]
    head.click()
    assert table.locator("tbody th").all_inner_texts() == names[::-1]
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save as CSV: Table of criteria").click()
    rows = list(csv.reader(Path(waiting.value.path()).read_text().splitlines()))
    assert rows[0][:3] == ["Criterion", "Rate", "Interval"]
    assert {len(row) for row in rows} == {8} and rows[1][0] == "Ratio"

    page.locator("#rest > summary").click()
    for name, way in (("Ratio", -1), ("Ratio", 1), ("Generated", 1)):
        page.locator("#rest").get_by_role("button", name=name, exact=True).click()
        column = {"Ratio": 2, "Generated": 0}[name]
        texts = page.locator(f"#rest-rows td:nth-child({column + 1})").all_inner_texts()
        values = [float(text.removeprefix("made/").removesuffix(".png")) for text in texts]
        assert values == sorted(values)[::way]
    with page.expect_download() as waiting:
        page.click("#gallery-csv")
    rows = list(csv.reader(Path(waiting.value.path()).read_text().splitlines()))
    assert len(rows) == 601
    with np.load(report.parent / "neighbors.npz") as arrays:
        nearest = arrays["nn1_index"].tolist()
    assert {int(row[0]): int(row[4]) for row in rows[1:]} == dict(enumerate(nearest))


def test_figures_are_saved_as_png(open_page, report: Path) -> None:
    page = open_page(report, dark=True)
    with page.expect_download() as waiting:
        page.click("[data-chart='ratios'][data-kind='png']")
    with Image.open(waiting.value.path()) as picture:
        assert picture.format == "PNG" and picture.width > 2000
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
