"""The page of a full audit as a reader meets it in a browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from full_runs import big_audit_run, full_audit_run
from report_runs import HOSTILE

from rote.report import write_report
from rote.report.words import plain

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def full_dir(tmp_path_factory) -> Path:
    run_dir = full_audit_run(tmp_path_factory.mktemp("full"))
    write_report(run_dir)
    return run_dir


def shown(page) -> list[str]:
    return page.locator("#cards > li .chip").all_inner_texts()


def test_all_charts_are_drawn_and_tell_their_bins(open_page, full_dir: Path) -> None:
    page = open_page(full_dir / "report.html")
    for name in ("thresholds", "ratios", "distances"):
        assert page.locator(f"#chart-{name} svg").count() == 1
    page.locator("#chart-ratios svg .mark-rect path").first.hover(force=True)
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert "of 600" in page.inner_text("#vg-tooltip-element")


def test_three_classes_can_be_filtered(open_page, full_dir: Path) -> None:
    page = open_page(full_dir / "report.html")
    for name in ("Memorized", "Collapsed", "No copy seen"):
        page.locator("#verdicts label", has_text=name).click()
        assert set(shown(page)) == {name.lower()}
    page.locator("#verdicts label", has_text="All").click()
    page.select_option("#only-group", "repeated")
    assert set(shown(page)) == {"collapsed"}
    page.eval_on_selector(
        "#threshold",
        "n => { n.value = 1; n.dispatchEvent(new Event('input', { bubbles: true })); }",
    )
    assert "memorized" in shown(page)  # the slider turns doubles into copies


@pytest.mark.parametrize("mirrored", [False, True])
def test_difference_is_that_of_the_matched_images(open_page, tmp_path, mirrored: bool) -> None:
    run_dir = full_audit_run(tmp_path, mirrored=mirrored)
    page = open_page(write_report(run_dir))
    page.select_option("#order", "-ratio")
    page.check("#difference")
    assert "difference × 4" in page.inner_text("#cards > li >> nth=0")
    page.wait_for_timeout(200)
    index, drawn = page.eval_on_selector(
        "#cards > li",
        """card => [+card.dataset.index, [...card.querySelectorAll("canvas")[2].getContext("2d")
            .getImageData(0, 0, 8, 8).data]]""",
    )
    with np.load(run_dir / "gallery.npz") as arrays:
        row = arrays["generated_index"].tolist().index(index)
        own, near = (arrays[name][row, :, :, 0].astype(int) for name in ("generated", "nn1"))
    found = np.array(drawn).reshape(8, 8, 4)
    if mirrored:  # the mirrored query lies one row higher and two columns further right
        own, near, found = own[1:, ::-1][:, :6], near[:-1, 2:], found[:-1, 2:]
    assert (found[..., 0] == np.minimum(255, 4 * np.abs(own - near))).all()
    assert (found[..., 3] == 255).all()


def test_recall_tells_its_interval_to_mouse_and_keyboard(open_page, full_dir: Path) -> None:
    page = open_page(full_dir / "report.html")
    cells = page.locator("#heatmap td.heat")
    cells.nth(1).hover()
    expected = "Noise, 4 levels, Ratio: 96 %, 48 of 50, interval 0.865 to 0.989"
    assert page.inner_text("#heat-tip") == expected
    page.mouse.move(0, 0)
    cells.nth(0).focus()
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#heat-tip") == expected
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#heat-tip").startswith("Noise, 32 levels, Ratio: 40 %")
    assert page.locator("#heatmap td[tabindex='0']").count() == 1


def test_small_pictures_are_those_of_the_images(open_page, full_dir: Path) -> None:
    page = open_page(full_dir / "report.html")
    page.wait_for_timeout(200)
    row, drawn = page.eval_on_selector(
        "canvas.thumb",
        """c => [+c.dataset.row, [...c.getContext("2d").getImageData(0, 0, 8, 8).data]
            .filter((_, n) => n % 4 === 0)]""",
    )
    with np.load(full_dir / "gallery.npz") as arrays:
        assert drawn == arrays["small"][row].ravel().tolist()


def test_groups_lead_to_all_their_images(open_page, full_dir: Path) -> None:
    page = open_page(full_dir / "report.html")
    page.locator("#verdicts label", has_text="Memorized").click()
    page.locator("button[data-group^='twin']").click()
    assert page.locator("#verdicts input[value=all]").is_checked()
    cards = page.locator("#cards > li").count()
    page.locator("#rest > summary").click()
    rows = page.locator("#rest-rows tr")
    rows.first.wait_for()  # they are made when the list has opened
    assert (cards + rows.count(), set(shown(page))) == (12, {"collapsed"})
    assert rows.first.inner_text().startswith("made/")
    page.select_option("#only-group", "all")
    assert "without pictures" in page.inner_text("#rest-count")
    assert rows.count() == 50
    page.click("#rest-more")
    assert rows.count() == 150


def test_ten_thousand_images_open_at_once(open_page, tmp_path) -> None:
    report = write_report(big_audit_run(tmp_path, text=HOSTILE))
    assert report.stat().st_size < 25_000_000
    page = open_page(report)
    took = page.evaluate("performance.now()")
    assert took < 6000  # 2 s on an idle machine; three times that on a busy one
    page.locator("#rest > summary").click()
    page.locator("#rest-rows tr").first.wait_for()
    page.select_option("#order", "index")
    page.select_option("#only-label", "3")
    labels = page.locator("#rest-rows tr td:last-child").all_inner_texts()
    assert set(labels) == {"class 3" + plain(HOSTILE)}
    assert page.evaluate("typeof window.hacked") == "undefined"


@pytest.mark.parametrize(
    ("width", "text"), [(390, HOSTILE), (390, ""), (1440, HOSTILE)], ids=["phone", "plain", "desk"]
)
def test_nothing_overflows_and_nothing_runs(open_page, tmp_path, width: int, text: str) -> None:
    page = open_page(write_report(full_audit_run(tmp_path, text=text)), width=width, dark=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("typeof window.hacked") == "undefined"
    assert page.locator("img:not([src^='data:image/png'])").count() == 0
    for name in ("thresholds", "ratios", "distances"):
        box = page.locator(f"#chart-{name} svg").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width + 0.5


def test_print_keeps_the_tables(open_page, full_dir: Path) -> None:
    page = open_page(full_dir / "report.html", dark=True)
    page.emulate_media(media="print")
    assert page.locator("#heatmap").is_visible() and page.locator(".criteria").is_visible()
    assert page.locator("#heat-tip").is_hidden()
