"""Make the pictures of the report in docs/images: first screens at two widths, light and dark.

    python docs/screenshots.py CIFAR [--search FOLDER]

CIFAR is a folder with `cifar10_train.npz` and `cifar10_test.npz`. ``--search`` is the `--out` of a
finished `rote emm`; without it that page is left out. The study is one of docs/results. Needs Playwright
and Chromium.
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import rote
from rote.data.dataset import Dataset
from rote.report import write_report

IMAGES = Path(__file__).parent / "images"
SIZES = {"desk": (1440, 900), "phone": (390, 844)}
MOST_BYTES = 150_000


def make_audits(cifar: Path, out: Path) -> None:
    """Audit real images of which some are noisy copies: a gate that fails, passes, is not decided."""
    with np.load(cifar / "cifar10_train.npz") as train, np.load(cifar / "cifar10_test.npz") as test:
        training = Dataset(train["images"][:2000], source="train")
        unseen = test["images"]
    held_out = Dataset(unseen[:500], source="held-out")
    for name, copies, total in (("failed", 34, 200), ("undecided", 2, 200), ("passed", 0, 1000)):
        rng = np.random.default_rng(0)
        sources = training.items[rng.choice(len(training.items), copies, replace=False)]
        noise = rng.normal(0, rng.choice([0, 3, 8], (copies, 1, 1, 1)), sources.shape).round()
        made = np.clip(sources + noise, 0, 255).astype(np.uint8)
        made = np.concatenate([made, unseen[2000 : 2000 + total - copies]])
        rote.audit(
            Dataset(made[rng.permutation(total)], source=f"samples-{name}"),
            training,
            holdout=held_out,
            fail_above=0.01,
        ).save(out / name)
        write_report(out / name)
    compared = rote.compare(out / "failed", out / "passed")
    compared.save(out / "compare", folders=(out / "failed", out / "passed"))


def pages(audits: Path, search: Path | None) -> Iterator[tuple[str, Path]]:
    """Yield each page with its name."""
    for name in ("failed", "passed", "undecided"):
        yield f"audit-{name}", audits / name / "report.html"
    yield "index", write_report(audits)  # of the folders with an audit
    yield "compare", write_report(audits / "compare")
    study = audits / "a-study"
    study.mkdir()
    shutil.copy(
        IMAGES.parent / "results" / "studies" / "digits-one-class.json", study / "study.json"
    )
    yield "study", write_report(study)
    if search is not None:
        yield "emm", write_report(search)


def screens(browser: Any, page: Path) -> Iterator[tuple[str, Image.Image]]:
    """Yield the first screens of a page at both widths, light and dark."""
    for size, (width, height) in SIZES.items():
        for theme in ("light", "dark"):
            tab = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
            tab.goto(page.as_uri())
            tab.wait_for_selector("html[data-charts]")
            tab.wait_for_timeout(300)  # pictures are drawn after the charts
            yield f"{size}-{theme}", Image.open(io.BytesIO(tab.screenshot()))
            tab.close()


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture in as many colors as its size allows."""
    for colors in (256, 128, 64, 32):
        buffer = io.BytesIO()
        picture.convert("RGB").quantize(
            colors, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        ).save(buffer, "PNG", optimize=True)
        if len(buffer.getvalue()) < MOST_BYTES:
            break
    path.write_bytes(buffer.getvalue())
    print(f"{path}: {len(buffer.getvalue()) / 1000:.0f} kB, {colors} colors")


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cifar", type=Path)
    parser.add_argument("--search", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        audits = Path(folder) / "audits"
        make_audits(options.cifar, audits)
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, page in pages(audits, options.search):
            for screen, picture in screens(browser, page):
                save(picture, IMAGES / f"{name}-{screen}.png")
        browser.close()


if __name__ == "__main__":
    main()
