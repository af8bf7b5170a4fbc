"""The EMM at each budget of a search's snapshots, and its elasticity: how it grows with the images seen.

    python benchmarks/validity/budgets.py runs/77k [runs/38k ...]

At every number of images seen at which at least four runs of two sizes were scored, the curve is fitted
to those selection samples alone. Elasticity between two budgets: the difference of ln EMM by that of
ln images. A folder may be unfinished: its `points/*/point.json` are read.
"""

import json
import math
import sys
from pathlib import Path

from rote.emm.curve import Observation, fit_curve

REACH = (4, 1797)
FEWEST = 4


def budgets(folder: Path) -> dict[int, tuple[float, float, float]]:
    """Return low, median and high of the EMM by images seen."""
    seen: dict[int, list[Observation]] = {}
    for path in sorted(folder.glob("points/*/point.json")):
        point = json.loads(path.read_text())
        for one in point["selection"]:
            rate = one["rate"]
            run = Observation(point["size"], rate["count"], rate["total"])
            seen.setdefault(one["images_seen"], []).append(run)
    return {
        images: fit_curve(runs, epsilon=0.1, reach=REACH).quantiles()
        for images, runs in sorted(seen.items())
        if len(runs) >= FEWEST and len({run.size for run in runs}) > 1
    }


def main() -> None:
    """Print a line for each budget of each folder."""
    for name in sys.argv[1:]:
        before = None
        for images, (low, value, high) in budgets(Path(name)).items():
            line = f"{name} {images:>7,} images: EMM {value:.1f} ({low:.1f} to {high:.1f})"
            line += f", {images / value:,.0f} exposures"
            if before:
                slope = math.log(value / before[1]) / math.log(images / before[0])
                line += f", elasticity {slope:.2f}"
            print(line)
            before = images, value


if __name__ == "__main__":
    main()
