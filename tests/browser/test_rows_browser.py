"""Galleries of what is no picture: rows of a table as cells, series as lines, vectors as bars."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from audits import ratio_audit as audit
from report_runs import HOSTILE
from screens import CONTRAST, SCREENS

from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.data.scaling import Scaling
from rote.data.tables.table import Reading
from rote.report import write_report
from rote.report.words import plain

pytestmark = pytest.mark.browser

COLORS = ("blue", "green" + HOSTILE.replace("\u2028", ""), "red")
COLUMNS = ("age", "color" + HOSTILE.replace("\u2028", ""), "height")


@pytest.fixture(scope="session")
def table_dir(tmp_path_factory) -> Path:
    """An audit of 40 rows, of which 10 are rows of the training table with another height."""
    out = tmp_path_factory.mktemp("table")
    rng = np.random.default_rng(0)
    rows = [
        [rng.integers(20, 90), COLORS[rng.integers(3)], f"{rng.normal(1.7, 0.2):.3f}"]
        for _ in range(150)
    ]
    near = [[age, color, f"{float(height) + 0.001:.3f}"] for age, color, height in rows[:10]]
    for name, part in (("real.csv", rows[:120]), ("made.csv", near + rows[120:])):
        with (out / name).open("w", newline="") as handle:
            csv.writer(handle).writerows([COLUMNS, *part])
    training = load_images(str(out / "real.csv"))
    made = load_images(str(out / "made.csv"), reading=Reading(schema=training.schema))
    scaling = Scaling.fit(training.items, training.schema)
    audit(made.scaled(scaling), training.scaled(scaling)).save(out)
    write_report(out)
    return out


@pytest.fixture(scope="session")
def series_dir(tmp_path_factory) -> Path:
    """An audit of 30 series of two channels and 500 times; the first ten are noisy copies."""
    out = tmp_path_factory.mktemp("series")
    rng = np.random.default_rng(0)
    walks = rng.normal(size=(130, 500, 2)).cumsum(axis=1).astype(np.float32)
    made = np.concatenate([walks[:10] + rng.normal(size=(10, 500, 2)) * 0.1, walks[110:]])
    audit(Dataset(made.astype(np.float32)), Dataset(walks[:110])).save(out)
    write_report(out)
    return out


@pytest.fixture(scope="session")
def vectors_dir(tmp_path_factory) -> Path:
    """An audit of 30 vectors of 100 numbers, of which 64 are drawn."""
    out = tmp_path_factory.mktemp("vectors")
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(130, 100)).astype(np.float32)
    made = np.concatenate([vectors[:10] + np.float32(0.01), vectors[110:]])
    audit(Dataset(made), Dataset(vectors[:110])).save(out)
    write_report(out)
    return out


def fits(page, width: int, dark: bool) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(v) for v in back[4:-1].split(",")[:3]) < 3 * 128) == dark
    assert page.evaluate("typeof window.hacked") == "undefined"
    assert page.locator("#cards > li").count() > 0
    for card in page.locator("#cards > li").all():
        box = card.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width + 0.5


@pytest.mark.parametrize(("width", "dark"), SCREENS)
def test_rows_of_a_table_fit_and_can_be_read(open_page, table_dir, width, dark) -> None:
    page = open_page(table_dir / "report.html", width=width, dark=dark)
    fits(page, width, dark)
    assert page.locator("#cards .row-table").count() == page.locator("#cards > li").count()
    for box in page.locator("#cards .row-scroll").all()[:4]:
        assert box.evaluate("node => node.scrollWidth - node.clientWidth") <= 1
    assert page.eval_on_selector_all("#cards .row-table td", CONTRAST) >= 4.5


def test_a_row_shows_its_cells_and_what_differs(open_page, table_dir: Path) -> None:
    page = open_page(table_dir / "report.html")
    with np.load(table_dir / "gallery.npz") as arrays:
        cells, apart, indices = (arrays[n] for n in ("cells", "apart", "generated_index"))
    for card in page.locator("#cards > li").all()[:6]:
        row = indices.tolist().index(int(card.get_attribute("data-index")))
        lines = card.locator(".row-table tbody tr")
        assert lines.count() == len(COLUMNS)
        for column in range(len(COLUMNS)):
            title = lines.nth(column).locator("th").inner_text()
            assert plain(COLUMNS[column]).startswith(title.rstrip("…"))
            for side, cell in enumerate(lines.nth(column).locator("td").all()):
                text = plain(cells[row, side, column])
                assert text.startswith(cell.inner_text().rstrip("…"))
                if side == 0:
                    continue
                share = apart[row, side - 1, column]
                steps = ((0.002, ""), (0.05, "near"), (0.2, "apart"), (np.inf, "far"))
                expected = next(name for most, name in steps if share <= most)
                assert (cell.get_attribute("class") or "") == expected
    assert "shaded cells differ from the generated row" in page.inner_text("#gallery-note")
    assert page.locator("canvas").count() == 0


@pytest.mark.parametrize(("width", "dark"), SCREENS)
def test_series_fit_as_lines(open_page, series_dir, width: int, dark: bool) -> None:
    page = open_page(series_dir / "report.html", width=width, dark=dark)
    fits(page, width, dark)
    cards = page.locator("#cards > li").count()
    drawings = page.locator("#cards svg.lines")
    assert drawings.count() >= 2 * cards
    for drawing in drawings.all()[:6]:
        box = drawing.bounding_box()
        assert box["height"] > 20 and box["x"] >= 0 and box["x"] + box["width"] <= width + 0.5
    color = drawings.first.locator(".line").first.evaluate("n => getComputedStyle(n).stroke")
    assert color not in ("none", page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_lines_are_those_of_the_series(open_page, series_dir: Path) -> None:
    """The ends of each line are the ends of its series, on one scale for all."""
    page = open_page(series_dir / "report.html")
    with np.load(series_dir / "gallery.npz") as arrays:
        sides = np.stack([arrays[n] for n in ("generated", "nn1", "nn2")], axis=1)
        indices = arrays["generated_index"].tolist()
    at = np.unique(np.linspace(0, 499, 240).round().astype(int))
    low, high = min(0.0, sides[:, :, at].min()), max(0.0, sides[:, :, at].max())
    for card in page.locator("#cards > li").all()[:3]:
        row = indices.index(int(card.get_attribute("data-index")))
        for side, drawing in enumerate(card.locator("svg.lines").all()):
            own = drawing.locator("path.line")
            assert own.count() == 2 and drawing.locator("path.behind").count() == (2 if side else 0)
            for channel in range(2):
                points = own.nth(channel).get_attribute("d")[1:].split("L")
                assert len(points) == len(at)
                for place, time in ((0, 0), (-1, 499)):
                    x, y = map(float, points[place].split())
                    value = sides[row, side, time, channel]
                    assert x == pytest.approx(300 * time / 499, abs=0.06)
                    assert y == pytest.approx(77 - 74 * (value - low) / (high - low), abs=0.1)


@pytest.mark.parametrize(("width", "dark"), SCREENS)
def test_vectors_fit_as_bars(open_page, vectors_dir, width: int, dark: bool) -> None:
    page = open_page(vectors_dir / "report.html", width=width, dark=dark)
    fits(page, width, dark)
    assert "the first 64 of 100 columns are drawn" in page.inner_text("#gallery-note")
    assert page.locator("#cards > li").first.locator("svg").count() >= 2


@pytest.mark.parametrize("kind", ["table_dir", "series_dir"])
def test_the_threshold_and_the_filter_work_on_them(open_page, request, kind: str) -> None:
    page = open_page(request.getfixturevalue(kind) / "report.html")
    page.locator("#verdicts label", has_text="Memorized").click()
    chips = page.locator("#cards > li .chip").all_inner_texts()
    assert len(chips) >= 5 and set(chips) == {"memorized"}
    page.locator("#verdicts label", has_text="All").click()
    page.select_option("#order", "index")
    shown = page.eval_on_selector_all("#cards > li", "nodes => nodes.map(n => +n.dataset.index)")
    assert shown == sorted(shown)
