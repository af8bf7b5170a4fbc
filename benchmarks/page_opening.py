"""How large the page of 10,000 generated images is, and how fast it opens in headless Chromium.

    python benchmarks/page_opening.py CIFAR [--generated 10000] [--repeats 5]

CIFAR is a folder with `cifar10_train.npz` and `cifar10_test.npz`. The audit is of real images: the test
images, one in twenty of them replaced by a noisy copy of one of 2,000 training images. Told are the bytes
of the page, and of several openings in a fresh tab the median milliseconds until the page has loaded,
until every chart is drawn, and of CPU time of the page's thread till then, which a busy machine changes
least.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

import numpy as np

import rote
from rote.data.dataset import Dataset
from rote.report import write_report

MOST_BYTES, MOST_MS = 5_000_000, 1_500


def make_audit(cifar: Path, out: Path, generated: int) -> Path:
    """Audit test images, one in twenty of them a copy of a training image; return the page."""
    rng = np.random.default_rng(0)
    with np.load(cifar / "cifar10_train.npz") as train, np.load(cifar / "cifar10_test.npz") as test:
        training, labels = train["images"][:2000], train["labels"][:2000]
        made = test["images"][:generated].copy()
        classes = [str(name) for name in train["classes"]]
    copies = rng.choice(len(made), len(made) // 20, replace=False)
    noise = rng.normal(0, 4, (len(copies), *made.shape[1:])).round()
    sources = training[rng.integers(0, len(training), len(copies))]
    made[copies] = np.clip(sources + noise, 0, 255).astype(np.uint8)
    names = tuple(f"samples/step-100000/{n:05d}.png" for n in range(len(made)))
    found = rote.audit(
        Dataset(made, names=names, source="samples"),
        Dataset(training, labels=labels.astype(np.int64), classes=tuple(classes), source="train"),
    )
    found.save(out)
    return write_report(out)


def opening(page: Path, repeats: int) -> tuple[float, float, float]:
    """Return the median milliseconds until the page is loaded, until its charts are drawn, and of CPU."""
    from playwright.sync_api import sync_playwright

    loaded, drawn, spent = [], [], []
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for _ in range(repeats + 1):  # the first one warms the browser up
            tab = browser.new_page(viewport={"width": 1440, "height": 900})
            tab.set_default_timeout(120_000)
            thread = tab.context.new_cdp_session(tab)
            thread.send("Performance.enable", {"timeDomain": "threadTicks"})
            tab.goto(page.as_uri())
            tab.wait_for_selector("html[data-charts]")
            drawn.append(tab.evaluate("performance.now()"))
            loaded.append(
                tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
            )
            metrics = {
                m["name"]: m["value"] for m in thread.send("Performance.getMetrics")["metrics"]
            }
            spent.append(1000 * metrics["TaskDuration"])
            tab.close()
        browser.close()
    return statistics.median(loaded[1:]), statistics.median(drawn[1:]), statistics.median(spent[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cifar", type=Path)
    parser.add_argument("--generated", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = make_audit(options.cifar, Path(folder) / "audit", options.generated)
        size = page.stat().st_size
        loaded, drawn, spent = opening(page, options.repeats)
    print(f"{options.generated:,} images: {size / 1e6:.2f} MB, loaded in {loaded:.0f} ms, ", end="")
    print(f"charts drawn after {drawn:.0f} ms, {spent:.0f} ms of CPU ", end="")
    print(f"(asked: < {MOST_BYTES / 1e6:g} MB, < {MOST_MS} ms)")


if __name__ == "__main__":
    main()
