"""Compute the moving figures of the docs with rote's own functions, and save them beside this file.

    python docs/figures/draw.py [CHAPTER...]     the JSON of each figure; all chapters by default
    python docs/figures/draw.py --stills         NAME.svg of each, as the built site draws it (`make docs` first)

A still is what a reader of the Markdown sees; the site puts the moving figure in its place.
"""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
CHAPTERS = (
    "average",
    "networks",
    "ratio",
    "uncertainty",
    "curve",
    "gap",
    "onset",
    "labels",
    "concepts",
)
STYLE = (
    "svg{background:#fff;font-family:sans-serif}.training{--i:#0b63a5}.sample{--i:#b8470b}.held{--i:#0a6e4f}"
    ".accent{--i:#8a2a77}.second{--i:#7a5a00}.quiet{--i:#6b6b6b}.mark{fill:var(--i);stroke:var(--i);"
    "stroke-width:1.6}.line{fill:none;stroke:var(--i);stroke-width:2}.dashed .line{stroke-dasharray:6 5}"
    ".area{fill:var(--i);fill-opacity:.18;stroke:var(--i);stroke-opacity:.6}.head{fill:var(--i)}"
    ".word{fill:var(--i);font-size:13px}.axes text{fill:#222;font-size:13px}.axes .grid{stroke:#ddd}"
)


def stills() -> None:
    """Save the first view of every figure of the built site as SVG."""
    from playwright.sync_api import sync_playwright

    pages = sorted((FOLDER.parents[1] / "site").rglob("*.html"))
    found = [page for page in pages if 'class="moving"' in page.read_text(encoding="utf-8")]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        view = browser.new_page()
        for page in found:
            view.goto(page.as_uri())
            for name, svg in view.evaluate(
                "[...document.querySelectorAll('figure.moving')].map((figure) => "
                "[figure.dataset.figure, figure.querySelector('svg.picture').outerHTML])"
            ):
                head = '<svg xmlns="http://www.w3.org/2000/svg"'
                text = svg.replace("<svg", head, 1).replace("><", f"><style>{STYLE}</style><", 1)
                (FOLDER / f"{name}.svg").write_text(text + "\n", encoding="utf-8")
        browser.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["--stills"]:
        stills()
    else:
        for chapter in sys.argv[1:] or CHAPTERS:
            importlib.import_module(chapter).draw()
