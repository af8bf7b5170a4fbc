"""How much of a study's differences is its ruler: the same samples, scored by others.

    rote study dimension --data digits --scale cpu --sizes 64 --seeds 3 --seed 1 --out STUDY
    python benchmarks/validity/cross_scoring.py STUDY --data digits --resolution 4 --tolerance 9 12 16

STUDY is a finished study. Prints each value's rate and each difference with their intervals (the study's
own model and correction) under the ratio and the calibrated ratio: as they are, after scaling down to
each resolution, and with each median tolerance. `criteria.json` of the study is left as the last one.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from rote.data.load import load_images
from rote.experiments.rescore.study import rescore_study


def show(title: str, found: dict[str, Any]) -> None:
    """Print what one ruler says."""
    medians: dict[str, list[float]] = {}
    for run in found["runs"]:
        medians.setdefault(run["value"], []).append(run["tolerance"]["median"])
    told = ", ".join(f"{value}: {np.median(each):.1f}" for value, each in medians.items())
    print(f"{title}; tolerance {told}")
    for entry in found["criteria"]:
        for cell in entry["cells"]:
            rate = cell["rate"]
            text = f"{rate['value']:.3f} [{rate['low']:.3f}, {rate['high']:.3f}]"
            print(f"  {entry['name']}: {cell['value']} at {cell['size']}: {text}")
        for effect in entry["effects"]:
            d, pair = effect["difference"], (effect["first"]["value"], effect["second"]["value"])
            print(f"  {entry['name']}: {' - '.join(pair)}: {d['value']:+.3f}", end=" ")
            print(f"[{d['low']:+.3f}, {d['high']:+.3f}]", flush=True)


def main() -> None:
    """Score by every ruler."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--resolution", type=int, nargs="*", default=[])
    parser.add_argument("--tolerance", type=float, nargs="*", default=[])
    given = parser.parse_args()
    data = load_images(given.data)
    rulers: list[tuple[str, int | None, float | None]] = [("as they are", None, None)]
    rulers += [(f"at {size} pixels", size, None) for size in given.resolution]
    rulers += [(f"tolerance {levels:g}", None, levels) for levels in given.tolerance]
    for title, resolution, tolerance in rulers:
        found = rescore_study(
            given.study,
            data,
            criteria=["ratio", "calibrated"],
            quality=False,
            ruler_resolution=resolution,
            tolerance=tolerance,
        )
        show(title, found)


if __name__ == "__main__":
    main()
