"""The moving figures of the docs in a browser: moved by keys, silent, and asking no network."""

import json
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.browser
def test_a_figure_moves_by_keys_and_asks_the_network_for_nothing(browser, tmp_path: Path) -> None:
    spec = json.loads((DOCS / "figures" / "networks.json").read_text())
    text = json.dumps(spec).replace("<", "\\u003c")
    page = tmp_path / "figure.html"
    page.write_text(
        f"<link rel=stylesheet href='{(DOCS / 'site' / 'site.css').as_uri()}'>"
        "<figure class=moving data-figure=networks data-alt='Samples of networks'>"
        f"<script type='application/json'>{text}</script></figure>"
        f"<script src='{(DOCS / 'site' / 'figures.js').as_uri()}'></script>"
    )
    view = browser.new_page()
    problems: list[str] = []
    view.on("console", lambda message: problems.append(message.text))
    view.on("pageerror", lambda error: problems.append(str(error)))
    view.on("request", lambda r: None if r.url.startswith("file:") else problems.append(r.url))
    view.goto(page.as_uri())
    slider = view.locator("input").nth(1)
    starts = [one["start"] for one in spec["sliders"]]
    sizes = [len(one["values"]) for one in spec["sliders"]]
    for _ in range(2):
        at = (starts[0] * sizes[1] + starts[1]) * sizes[2] + starts[2]
        assert view.locator(".says").inner_text() == " ".join(spec["says"][at].split())
        assert view.locator("svg.picture .sample .mark").count() == len(
            next(one for one in spec["layers"] if one["color"] == "sample")["frames"][at]
        )
        slider.focus()
        view.keyboard.press("ArrowRight")
        starts[1] += 1
    assert slider.get_attribute("aria-valuetext") == spec["sliders"][1]["values"][starts[1]]
    assert view.locator("svg[role=img]").get_attribute("aria-label") == "Samples of networks"
    assert problems == []
    view.close()
