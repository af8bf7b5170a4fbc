"""The viewer of pairs: large pictures, arrows and Esc, tiles, and a page without its folder."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import rote
from rote.data.dataset import Dataset
from rote.report import write_report
from rote.results.gallery import LARGE_FOLDER

SIZE = 96
EXACT, MIRRORED, PASTED = 0, 1, 2


def images(count: int, seed: int) -> np.ndarray:
    """Smooth noise, uint8 (count, 96, 96, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 12, 12, 3), dtype=np.uint8)
    large = [Image.fromarray(one).resize((SIZE, SIZE), Image.Resampling.BICUBIC) for one in coarse]
    return np.stack([np.asarray(one) for one in large])


@pytest.fixture(scope="module")
def audit_dir(tmp_path_factory) -> Path:
    """Of an exact copy, a mirrored one, one with a quarter of its own, and three others."""
    training, generated = images(20, 0), images(6, 1)
    generated[EXACT] = training[3]
    generated[MIRRORED] = training[4][:, ::-1]
    generated[PASTED] = training[5]
    generated[PASTED, : SIZE // 2, : SIZE // 2] = images(1, 2)[0, : SIZE // 2, : SIZE // 2]
    out = tmp_path_factory.mktemp("viewer")
    found = rote.audit(
        Dataset(generated, source="generated"),
        Dataset(training, source="training"),
        invariances="flip",
        positive_control=0,
        training_sample=0,
    )
    found.save(out)
    write_report(out)
    return out


def show(page, index: int) -> None:
    page.locator(f"#cards li[data-index='{index}'] button").click()
    page.wait_for_selector(f"#viewer[open][data-index='{index}']")


def middle(page, name: str) -> np.ndarray:
    """Return what is drawn on a canvas, without its round corners."""
    with Image.open(io.BytesIO(page.locator(f"#viewer-{name}").screenshot())) as picture:
        return np.asarray(picture.convert("RGB"))[20:-20, 20:-20].astype(int)


@pytest.mark.parametrize("width", [1440, 390])
def test_pairs_are_shown_large_from_beside_the_page(open_page, audit_dir: Path, width: int) -> None:
    page = open_page(audit_dir / "report.html", width=width)
    assert len(list((audit_dir / LARGE_FOLDER).iterdir())) == 6
    assert f"6 pairs can be seen larger, from {LARGE_FOLDER}" in page.inner_text("#gallery-note")
    for index in (EXACT, MIRRORED):
        show(page, index)
        assert page.inner_text("#viewer-own-name") == f"Generated #{index}"
        assert page.evaluate("document.getElementById('viewer-own').width") == SIZE
        assert "16 of 16 tiles match" in page.inner_text("#viewer-note")
        assert middle(page, "both").mean() < 12  # of two compressed pictures, four times as strong
        page.keyboard.press("Escape")
        assert not page.is_visible("#viewer")
    show(page, PASTED)
    assert "12 of 16 tiles match" in page.inner_text("#viewer-note")
    assert middle(page, "both").mean() > 30
    page.check("#viewer-tiles")
    marks = page.eval_on_selector_all("#viewer-own-tiles i", "n => n.map(i => i.className)")
    expected = np.ones((4, 4), bool)
    expected[:2, :2] = False
    assert np.array_equal(np.reshape([mark == "on" for mark in marks], (4, 4)), expected)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_arrows_walk_through_the_cards_that_are_wanted(open_page, audit_dir: Path) -> None:
    page = open_page(audit_dir / "report.html", dark=True)
    page.select_option("#order", "index")
    show(page, 0)
    assert page.is_disabled("#viewer-previous")
    for index in (1, 2):
        page.keyboard.press("ArrowRight")
        page.wait_for_selector(f"#viewer[data-index='{index}']")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#viewer[data-index='1']")
    assert page.inner_text("#viewer-place") == "2 of 6"
    page.keyboard.press("Escape")
    page.wait_for_selector("li[data-index='1']:focus-within")  # the page allows no script of a test


def test_a_page_alone_shows_what_it_holds(browser, audit_dir: Path, tmp_path: Path) -> None:
    shutil.copy(audit_dir / "report.html", tmp_path)
    page = browser.new_page()
    messages = []
    page.on("console", lambda message: messages.append(message.text))
    page.goto((tmp_path / "report.html").as_uri())
    for index in (EXACT, MIRRORED):
        show(page, index)
        assert f"keep the folder {LARGE_FOLDER} with it" in page.inner_text("#viewer-note")
        assert middle(page, "own").std() > 10
        page.keyboard.press("Escape")
    page.close()
    assert len(messages) == 1  # the first picture that was not there; no other is asked for
    assert "ERR_FILE_NOT_FOUND" in messages[0]
