"""The gap in more runs: searches of `rote emm`, and what of gap_evidence.py is not in snapshots.csv.

    python docs/results/gap/searches.py --evidence EVIDENCE SEARCH ... --write
    python docs/results/gap/searches.py

With --write, the snapshots of the folders are collected in searches.csv beside this file; without,
they are read from there. Prints the tables of docs/results/gap.md: rank correlations, what the gap knows
beyond size and training time, and what is known of the end of a training half-way.
"""

import argparse
import csv
import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from rote.core.seeds import child_seed

HERE = Path(__file__).parent
REPEATS = 400
FIELDS = ("run", "family", "data", "width", "size", "labels", "images_seen", "count", "total")
GAPS = ("sigma 0.4", "sigma 0.8")
PLAIN = ("width", "ema", "onset", "search")
"""Families without labels, dropout and weight decay."""


def of_searches(folders: Iterable[Path]) -> list[dict]:
    """Return the scored snapshots of searches with their gaps, of unfinished runs too."""
    rows = []
    for folder in folders:
        config = json.loads((folder / "config.json").read_text()) if folder.is_dir() else {}
        shape = config["data"]["shape"]
        data = "digits" if shape[0] == 1 else f"cifar10-{shape[1]}"
        for path in sorted(folder.glob("points/*/select/*.json")):
            run, gap_path = path.parent.parent, path.parent.parent / "gap" / path.name
            if not gap_path.exists():
                continue
            rate, gap = json.loads(path.read_text())["rate"], json.loads(gap_path.read_text())
            rows.append(
                {
                    "run": f"{folder.name}-{run.name}",
                    "family": "search",
                    "data": data,
                    "width": config["model"]["width"],
                    "size": int(run.name.split("-")[1]),
                    "labels": config["train"]["labels"],
                    "images_seen": int(path.stem),
                    "count": rate["count"],
                    "total": rate["total"],
                    **_gaps(gap),
                }
            )
    return rows


def of_evidence(folder: Path, known: set[str]) -> list[dict]:
    """Return the snapshots of gap_evidence.py's runs that are not ``known``."""
    rows = []
    for path in sorted(folder.glob("*.json")):
        value = json.loads(path.read_text())
        job = {key: value["job"][key] for key in ("family", "data", "width", "size", "labels")}
        rows += [
            {
                "run": path.stem,
                **job,
                "images_seen": shot["images_seen"],
                "count": shot["rate"]["count"],
                "total": shot["rate"]["total"],
                **_gaps(shot["gap"]),
            }
            for shot in value["snapshots"]
            if path.stem not in known and shot["weights"] == "ema"
        ]
    return rows


def _gaps(curve: dict) -> dict[str, float]:
    by_sigma = dict(zip(curve["sigmas"], curve["gap"], strict=True))
    return {name: float(f"{by_sigma[float(name.split()[1])]:.5g}") for name in GAPS}


def read(path: Path) -> list[dict]:
    """Read rows of snapshots of averaged weights."""
    rows = []
    with path.open() as handle:
        for row in csv.DictReader(handle):
            if row.get("weights", "ema") == "ema":
                kept = {key: row[key] for key in (*FIELDS, *GAPS)}
                kept |= {
                    k: int(kept[k]) for k in ("width", "size", "images_seen", "count", "total")
                }
                rows.append(kept | {name: float(kept[name]) for name in GAPS})
    return rows


def logit(row: dict) -> float:
    """Return the logit of a rate, half a sample added to both sides."""
    return math.log((row["count"] + 0.5) / (row["total"] - row["count"] + 0.5))


def rate(row: dict) -> float:
    """Return the rate of a snapshot."""
    return row["count"] / row["total"]


def correlation(rows: list[dict], value: Callable[[dict], float]) -> str:
    """Return Spearman's correlation with the rate, with a 95 % bootstrap interval over whole runs."""
    runs: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        runs.setdefault(row["run"], []).append((value(row), rate(row)))
    groups = [np.array(pairs) for pairs in runs.values()]
    rng = np.random.default_rng(child_seed(0, "bootstrap"))
    found = []
    for _ in range(REPEATS):
        drawn = np.concatenate([groups[k] for k in rng.integers(len(groups), size=len(groups))])
        if len(np.unique(drawn[:, 1])) > 1:
            found.append(spearmanr(*drawn.T).statistic)
    low, high = np.percentile(found, [2.5, 97.5])
    middle = spearmanr(*np.concatenate(groups).T).statistic
    return f"{middle:+.2f} [{low:+.2f}, {high:+.2f}]"


def left_out(columns: list[list[float]], target: list[float], runs: list[str]) -> float:
    """Return the RMS error of a linear fit, each run predicted from the others."""
    design, y = np.column_stack([np.ones(len(target)), *columns]), np.array(target)
    errors = []
    for run in sorted(set(runs)):
        other = np.array([one != run for one in runs])
        fit = np.linalg.lstsq(design[other], y[other], rcond=None)[0]
        errors += list(y[~other] - design[~other] @ fit)
    return math.sqrt(np.mean(np.square(errors)))


def ranks(rows: list[dict]) -> None:
    """Print the rank correlations."""
    groups: dict[str, Callable[[dict], bool]] = {
        "all": lambda r: True,
        "0 < rate < 1": lambda r: 0 < rate(r) < 1,
        "unique labels": lambda r: r["labels"] == "unique",
        "true labels": lambda r: r["labels"] == "true",
        "CIFAR-10 at 8x8": lambda r: r["data"] == "cifar10-8",
        "searches on digits": lambda r: r["family"] == "search" and r["data"] == "digits",
    }
    values: dict[str, Callable[[dict], float]] = {n: lambda r, n=n: r[n] for n in GAPS}
    values["N / images seen"] = lambda r: r["size"] / r["images_seen"]
    for group, belongs in groups.items():
        own = [row for row in rows if belongs(row)]
        print(f"{group}: {len({r['run'] for r in own})} runs, {len(own)} snapshots")
        for name, value in values.items():
            print(f"    {name}: {correlation(own, value)}")


def beyond_size_and_time(rows: list[dict]) -> None:
    """Print how well the logit of a snapshot's rate is predicted, with and without its gap."""
    own = [row for row in rows if 0.02 < rate(row) < 0.98]
    target, runs = [logit(row) for row in own], [row["run"] for row in own]
    known = [[math.log(r["size"]) for r in own], [math.log(r["images_seen"]) for r in own]]
    gap = [math.log(r["sigma 0.4"]) for r in own]
    noise = math.sqrt(np.mean([1 / (r["total"] * rate(r) * (1 - rate(r))) for r in own]))
    print(
        f"    {len(own)} snapshots: N and time {left_out(known, target, runs):.2f}, gap "
        f"{left_out([gap], target, runs):.2f}, all {left_out([*known, gap], target, runs):.2f}; "
        f"sampling alone {noise:.2f}"
    )


def half_way(rows: list[dict]) -> None:
    """Print how well the logit at the end of a training is predicted from what is known half-way."""
    runs: dict[str, dict[int, dict]] = {}
    for row in rows:
        runs.setdefault(row["run"], {})[row["images_seen"]] = row
    longest = {(r["family"], r["run"]): max(runs[r["run"]]) for r in rows}
    pairs = [
        (runs[run][last // 2], runs[run][last])
        for (_, run), last in longest.items()
        if last // 2 in runs[run] and 0.02 < rate(runs[run][last]) < 0.985
    ]
    target, names = [logit(end) for _, end in pairs], [end["run"] for _, end in pairs]
    size = [math.log(end["size"] / end["images_seen"]) for _, end in pairs]
    gap = [math.log(half["sigma 0.4"]) for half, _ in pairs]
    columns = {
        "N": [size],
        "gap at half": [gap],
        "rate at half": [[logit(half) for half, _ in pairs]],
        "N and gap at half": [size, gap],
        "gap at the end": [[math.log(end["sigma 0.4"]) for _, end in pairs]],
    }
    errors = {name: left_out(own, target, names) for name, own in columns.items()}
    print(f"    {len(pairs)} runs:", ", ".join(f"{k} {v:.2f}" for k, v in errors.items()))


def main() -> None:
    """Collect if asked, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("searches", nargs="*", type=Path, help="folders of `rote emm`")
    parser.add_argument("--evidence", type=Path, help="folder of gap_evidence.py")
    parser.add_argument("--write", action="store_true", help="write searches.csv")
    asked = parser.parse_args()
    rows = read(HERE / "snapshots.csv")
    if asked.write:
        more = of_searches(asked.searches)
        if asked.evidence:
            more += of_evidence(asked.evidence, {row["run"] for row in rows})
        with (HERE / "searches.csv").open("w", newline="") as handle:
            writer = csv.DictWriter(handle, (*FIELDS, *GAPS), lineterminator="\n")
            writer.writeheader()
            writer.writerows(more)
    rows += read(HERE / "searches.csv")
    ranks(rows)
    plain = [r for r in rows if r["data"] == "digits" and r["width"] == 16 and r["family"] in PLAIN]
    for name, searched in (("sweeps", False), ("searches", True)):
        own = [row for row in plain if (row["family"] == "search") == searched]
        print(f"{name}, digits, width 16, no labels")
        beyond_size_and_time(own)
        half_way(own)


if __name__ == "__main__":
    main()
