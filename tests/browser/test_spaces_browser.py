"""Several spaces on the page of an audit: rates, what each ruler sees, agreement, disputed images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from audits import ratio_audit as audit
from screens import CONTRAST, SCREENS

from rote.report import write_report

pytestmark = pytest.mark.browser

SPACES = ("pixel", "lowres:2", "lowres:4", "patch")


@pytest.fixture(scope="session")
def spaces_dir(noisy_copies, tmp_path_factory) -> Path:
    generated, training, holdout = noisy_copies
    found = audit(
        generated,
        training,
        holdout=holdout,
        space=SPACES,
        criterion=["ratio", "calibrated", "absolute:lowres:2=20"],
        positive_control=20,
    )
    out = tmp_path_factory.mktemp("spaces")
    found.save(out)
    write_report(out)
    return out


def told(folder: Path) -> dict:
    return json.loads((folder / "audit.json").read_text())


@pytest.mark.parametrize(("width", "dark"), SCREENS)
def test_the_section_fits_and_can_be_read(open_page, spaces_dir, width: int, dark: bool) -> None:
    page = open_page(spaces_dir / "report.html", width=width, dark=dark)
    for part in ("#spaces", ".by-space", ".sightings", ".disputes", ".advice"):
        assert page.locator(part).is_visible(), part
    assert page.locator("#spaces .pairwise").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Wide tables scroll within their own box.
    for box in page.locator("#spaces .scroll").all():
        inside = box.bounding_box()
        assert inside["x"] >= 0 and inside["x"] + inside["width"] <= width + 0.5
    assert page.locator("#spaces figure").count() > 0
    for picture in page.locator("#spaces figure").all():
        inside = picture.bounding_box()
        assert inside["x"] >= 0 and inside["x"] + inside["width"] <= width + 0.5
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(v) for v in light[4:-1].split(",")[:3]) < 3 * 128) == dark
    for cells in (".pairwise td.heat", ".pairwise small", ".sightings td.heat", ".by-space .soft"):
        assert page.eval_on_selector_all(f"#spaces {cells}", CONTRAST) >= 4.5, cells


def test_rates_are_those_of_the_file(open_page, spaces_dir: Path) -> None:
    page = open_page(spaces_dir / "report.html")
    rows = page.locator(".by-space tbody tr")
    assert rows.count() == len(SPACES)
    for number, entry in enumerate(told(spaces_dir)["spaces"]):
        cells = rows.nth(number).locator("td").all_inner_texts()
        rates = [criterion["rate"] for criterion in entry["criteria"]]
        for rate, cell in zip(rates, cells, strict=True):
            if rate is None:
                assert cell == "none"
            else:
                assert cell.startswith(f"{rate['value']:.3f}")
                assert f"{rate['count']} of {rate['total']}" in cell
    # No threshold is known for the patches and for one of the grids; one was given for the other.
    assert page.locator(".by-space tbody td", has_text="none").count() == 2


def test_agreement_tells_its_interval_to_mouse_and_keyboard(open_page, spaces_dir: Path) -> None:
    page = open_page(spaces_dir / "report.html")
    agreed = told(spaces_dir)["agreement"]
    size = len(agreed["rulers"])
    for place, name in enumerate(("kappa", "spearman")):
        table = page.locator(".pairwise").nth(place)
        cells = table.locator("tbody td")
        assert cells.count() == size * size
        for i, j in ((0, 1), (1, 0), (2, size - 1)):
            value, (low, high) = agreed[name][i][j], agreed[f"{name}_interval"][i][j]
            shown = cells.nth(i * size + j).inner_text().split()
            assert shown == [f"{value:.2f}", f"{low:.2f}", "to", f"{high:.2f}"]
        cells.nth(1).hover()
        value, (low, high) = agreed[name][0][1], agreed[f"{name}_interval"][0][1]
        line = page.inner_text(f"#tip-{name}")
        assert line.endswith(f"{value:.2f}, interval {low:.2f} to {high:.2f}")
        page.mouse.move(0, 0)
        cells.nth(0).focus()
        page.keyboard.press("ArrowRight")
        assert page.inner_text(f"#tip-{name}") == line
        page.keyboard.press("ArrowDown")
        assert page.inner_text(f"#tip-{name}") == cells.nth(size + 1).get_attribute("aria-label")


def test_recall_has_a_cell_for_every_ruler_and_kind_of_copy(open_page, spaces_dir: Path) -> None:
    page = open_page(spaces_dir / "report.html")
    seen = told(spaces_dir)["recall_at_rate"]
    cells = page.locator(".sightings td.heat")
    assert cells.count() == len(seen["cells"]) * len(seen["rulers"])
    shown = cells.evaluate_all("nodes => nodes.map(node => node.dataset.tip)")
    rates = [rate for cell in seen["cells"] for rate in cell["recall"]]
    for rate, text in zip(rates, shown, strict=True):
        assert text.startswith(f"{rate['count']} of {rate['total']}, interval ")
    cells.nth(2).hover()
    assert f"{rates[2]['count']} of 20, interval" in page.inner_text("#tip-sights")
    assert page.locator(".sightings td[tabindex='0']").count() == 1
    assert page.locator(".advice li").count() == len({c["corruption"] for c in seen["cells"]})


def test_disputed_pictures_are_those_of_the_images(open_page, spaces_dir: Path) -> None:
    page = open_page(spaces_dir / "report.html")
    page.wait_for_timeout(300)
    drawn = page.eval_on_selector_all(
        "canvas.disputed",
        """nodes => nodes.map(c => [+c.dataset.row, +c.dataset.side,
            [...c.getContext("2d").getImageData(0, 0, 8, 8).data].filter((_, n) => n % 4 === 0)])""",
    )
    with np.load(spaces_dir / "disputes.npz") as arrays:
        generated, nearest, flags = (arrays[n] for n in ("generated", "nearest", "memorized"))
        indices = arrays["generated_index"]
    items = page.locator(".disputes > li")
    assert items.count() == min(16, len(indices))
    assert len(drawn) == items.count() * (1 + len(SPACES))
    for row, side, pixels in drawn:
        image = generated[row] if side == 0 else nearest[row, side - 1]
        assert pixels == image.ravel().tolist()
    first = items.first.inner_text()
    assert first.startswith(f"#{indices[0]}") and 0 < flags[0].sum() < flags.shape[1]
    matching = items.first.locator(".tilemap i.on").count()
    assert items.first.locator(".tilemap i").count() == 16
    label = items.first.locator(".tilemap").get_attribute("aria-label")
    assert label == f"{matching} of 16 tiles match"
