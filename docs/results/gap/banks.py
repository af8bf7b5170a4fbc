"""The gap in two banks of searches' runs: 37 on digits and 37 on CIFAR-10 at 8x8.

    python docs/results/gap/banks.py --write NAME=BANK ...
    python docs/results/gap/banks.py

A bank is a folder of benchmarks/bench_campaigns.py. With --write, its snapshots are collected in
banks.csv beside this file; without, they are read from there. Prints the rank correlations and what is
known of the end of a training before it, for the tables of docs/results/gap.md.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

HERE = Path(__file__).parent
REPEATS = 400
FIELDS = ("bank", "size", "replicate", "images_seen", "count", "total", "sigma 0.4", "fresh", "of")


def collect(name: str, folder: Path) -> list[dict]:
    """Return the snapshots of a bank; fresh of so many is the rate at the end, on other samples."""
    rows = []
    for path in sorted(folder.glob("points/*/point.json")):
        point = json.loads(path.read_text())
        gaps = {one["images_seen"]: one["gap"][one["sigmas"].index(0.4)] for one in point["gap"]}
        for scored in point["selection"]:
            seen, rate = scored["images_seen"], scored["rate"]
            fresh = point["rate"]["count"], point["rate"]["total"]
            own = (name, point["size"], point["replicate"], seen, rate["count"], rate["total"])
            rows.append(dict(zip(FIELDS, (*own, f"{gaps[seen]:.5g}", *fresh), strict=True)))
    return rows


def logit(count: np.ndarray, total: np.ndarray) -> np.ndarray:
    return np.log((count + 0.5) / (total - count + 0.5))


def ranks(rows: list[dict]) -> None:
    """Print Spearman's correlations of all snapshots; intervals over draws of whole runs."""
    rate = np.array([int(r["count"]) / int(r["total"]) for r in rows])
    run = np.array([f"{r['size']} {r['replicate']}" for r in rows])
    names = np.unique(run)
    for label, chosen in (("all", rate >= 0), ("0 < rate < 1", (rate > 0) & (rate < 1))):
        for what in ("gap", "N / images seen"):
            x = np.array([float(r["sigma 0.4"]) for r in rows])
            if what != "gap":
                x = np.array([int(r["size"]) / int(r["images_seen"]) for r in rows])
            rng, drawn = np.random.default_rng(0), []
            for _ in range(REPEATS):
                own = rng.choice(names, len(names))
                picked = np.concatenate([np.flatnonzero((run == one) & chosen) for one in own])
                drawn.append(spearmanr(x[picked], rate[picked])[0])
            low, high = np.quantile(drawn, [0.025, 0.975])
            value = spearmanr(x[chosen], rate[chosen])[0]
            print(
                f"  {label}, {what}: {value:.3f} [{low:.3f}, {high:.3f}] ({chosen.sum()} snapshots)"
            )


def ahead(rows: list[dict]) -> None:
    """Print how far the logit at the end is from what a line in earlier numbers says, each run left out.

    Runs whose rate at the end lies between 0.05 and 0.995; the samples' own variance is taken off.
    """
    runs = {(r["size"], r["replicate"]): [] for r in rows}
    for row in rows:
        runs[row["size"], row["replicate"]].append(row)
    used = [own for own in runs.values() if 0.05 < int(own[0]["fresh"]) / int(own[0]["of"]) < 0.995]
    count = np.array([int(own[0]["fresh"]) for own in used])
    total = np.array([int(own[0]["of"]) for own in used])
    target, noise = logit(count, total), 1 / (count + 0.5) + 1 / (total - count + 0.5)
    size = np.log([int(own[0]["size"]) for own in used])
    known = {"N": [size], "N, squared too": [size, size**2]}
    for number in range(4):
        at = f"{number + 1}/4"
        gap = np.log([float(own[number]["sigma 0.4"]) for own in used])
        rate = logit(
            np.array([int(own[number]["count"]) for own in used]),
            np.array([int(own[number]["total"]) for own in used]),
        )
        known |= {f"gap at {at}": [gap], f"rate at {at}": [rate], f"N and gap at {at}": [size, gap]}
    print(f"  {len(used)} runs")
    for name, columns in known.items():
        x = np.column_stack([np.ones(len(used)), *columns])
        errors = []
        for left in range(len(used)):
            others = np.arange(len(used)) != left
            line = np.linalg.lstsq(x[others], target[others], rcond=None)[0]
            errors.append(target[left] - x[left] @ line)
        square = np.square(errors)
        beyond = max(0.0, float((square - noise).mean())) ** 0.5
        print(f"  {name}: {square.mean() ** 0.5:.2f}, beyond sampling {beyond:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", nargs="+", default=[], help="name=folder of a bank")
    options = parser.parse_args()
    if options.write:
        named = (text.split("=", 1) for text in options.write)
        rows = [row for name, folder in named for row in collect(name, Path(folder))]
        with (HERE / "banks.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)
    with (HERE / "banks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for bank in dict.fromkeys(row["bank"] for row in rows):
        print(bank)
        own = [row for row in rows if row["bank"] == bank]
        ranks(own)
        ahead(own)


if __name__ == "__main__":
    main()
