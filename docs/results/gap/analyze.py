"""Draw the conclusions from the runs of benchmarks/gap_evidence.py.

python docs/results/gap/analyze.py EVIDENCE [--write]

Prints every table of docs/results/gap.md; with --write, also writes snapshots.csv and the figures beside
this file.
"""

import argparse
import csv
import json
import math
from collections.abc import Iterable
from pathlib import Path

import altair as alt
import numpy as np
from scipy.stats import spearmanr

from rote.core.seeds import child_seed
from rote.emm.gap_calibration import GapPoint, GapRate, emm_from_gap, fit_calibration
from rote.emm.onset import onset_json

HERE = Path(__file__).parent
SINGLE = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)
RANGES = {"mean of ln gap, 0.1 to 1.6": (0.1, 1.6), "mean of ln gap, 0.4 to 3.2": (0.4, 3.2)}
REPEATS = 1000


def load(folder: Path) -> list[dict]:
    """Return one row per snapshot: run, family, rate, gap per sigma and as summaries."""
    rows = []
    for path in sorted(folder.glob("*.json")):
        value = json.loads(path.read_text())
        job = value["job"]
        for shot in value["snapshots"]:
            sigmas, gaps = np.array(shot["gap"]["sigmas"]), np.array(shot["gap"]["gap"], float)
            row = {
                "run": path.stem,
                "family": job["family"],
                "data": job["data"],
                "width": job["width"],
                "size": job["size"],
                "labels": job["labels"],
                "dropout": job["dropout"],
                "images_seen": shot["images_seen"],
                "weights": shot["weights"],
                "count": shot["rate"]["count"],
                "total": shot["rate"]["total"],
                "rate": shot["rate"]["value"],
                "seconds_gap": shot["seconds"]["gap"] / len(sigmas),
                "seconds_sampling": shot["seconds"]["sampling"],
            }
            row |= {f"sigma {s:g}": float(gaps[list(sigmas).index(s)]) for s in SINGLE}
            for name, (low, high) in RANGES.items():
                inside = (sigmas >= low) & (sigmas <= high)
                x, y = np.log(sigmas[inside]), np.log(gaps[inside])
                row[name] = math.exp(np.trapezoid(y, x) / (x[-1] - x[0]))
            row["max over 0.1 to 3.2"] = float(gaps[(sigmas >= 0.1) & (sigmas <= 3.2)].max())
            # A control: what is known without measuring anything.
            row["N / images seen"] = row["size"] / row["images_seen"]
            rows.append(row)
    return rows


STATISTICS = [*(f"sigma {s:g}" for s in SINGLE), *RANGES, "max over 0.1 to 3.2", "N / images seen"]


def correlation(rows: list[dict], name: str, *, repeats: int = REPEATS) -> str:
    """Return Spearman's correlation with a 95 % bootstrap interval that draws whole runs."""
    runs: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        runs.setdefault(row["run"], []).append((row[name], row["rate"]))
    groups = [np.array(pairs) for pairs in runs.values()]
    pairs = np.concatenate(groups)
    value = spearmanr(*pairs.T).statistic
    rng = np.random.default_rng(child_seed(0, "bootstrap"))
    found = []
    for _ in range(repeats):
        drawn = np.concatenate([groups[k] for k in rng.integers(len(groups), size=len(groups))])
        if len(np.unique(drawn[:, 1])) > 1:
            found.append(spearmanr(*drawn.T).statistic)
    low, high = np.percentile(found, [2.5, 97.5])
    return f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"


def table(head: list[str], rows: Iterable[list[str]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def samples(rows: list[dict], name: str) -> list[GapRate]:
    """Return rows as what the calibration takes."""
    return [GapRate(row["run"], row[name], row["count"], row["total"]) for row in rows]


def left_out(rows: list[dict], name: str, key: str) -> tuple[float, float, dict[str, float]]:
    """Predict each family (or run) from the others: error (RMS), samples it is worth, bias of each."""
    squares, noise, spread, bias = [], [], [], {}
    for family in sorted({row[key] for row in rows}):
        own = [row for row in rows if row[key] == family]
        others = [row for row in rows if row[key] != family]
        calibration = fit_calibration(samples(others, name), statistic=name, source="")
        errors = [row["rate"] - calibration.rate(row[name]) for row in own]
        bias[family] = float(np.mean(errors))
        squares += [error**2 for error in errors]
        # What the rate's own sampling adds to the error, and what it would be at one sample.
        noise += [row["rate"] * (1 - row["rate"]) / (row["total"] - 1) for row in own]
        spread += [row["rate"] * (1 - row["rate"]) for row in own]
    error = max(float(np.mean(squares) - np.mean(noise)), 1e-12)
    return math.sqrt(error), float(np.mean(spread)) / error, bias


SETTINGS = {
    "digits, width 16, no labels": lambda r: (
        r["data"] == "digits" and r["width"] == 16 and r["family"] in ("width", "ema", "onset")
    ),
    "digits, any width, no labels": lambda r: (
        r["data"] == "digits" and r["family"] in ("width", "ema", "onset")
    ),
    "digits, labels": lambda r: r["data"] == "digits" and r["labels"] != "none",
    "CIFAR-10 at 8x8": lambda r: r["data"] == "cifar10-8",
}


def within(rows: list[dict]) -> None:
    """Predict each run from the other runs of its setting."""
    lines = []
    for setting, belongs in SETTINGS.items():
        own = [row for row in rows if belongs(row)]
        runs = len({row["run"] for row in own})
        for name in ("sigma 0.4", "sigma 0.8", "N / images seen"):
            error, worth, _ = left_out(own, name, "run")
            between = [row for row in own if 0 < row["rate"] < 1]
            cells = [setting, f"{runs}, {len(own)}, {len(between)}", name]
            cells += [correlation(own, name), correlation(between, name)]
            lines.append([*cells, f"{error:.3f}", f"{worth:.1f}"])
    head = ["setting", "runs, snapshots, between", "statistic", "Spearman", "0 < rate < 1"]
    table([*head, "error left out", "samples it is worth"], lines)


def without_sampling(rows: list[dict], name: str) -> None:
    """Compare the EMM of the sweep `ema` from gaps, calibrated on the other digits, with its rates."""
    base = [row for row in rows if SETTINGS["digits, any width, no labels"](row)]
    calibration = fit_calibration(
        samples([row for row in base if row["family"] != "ema"], name), statistic=name, source=""
    )
    last = max(row["images_seen"] for row in base if row["family"] == "ema")
    sweep = [row for row in base if row["family"] == "ema" and row["images_seen"] == last]
    sweep.sort(key=lambda row: row["size"])
    points = [GapPoint(row["size"], row[name], 0.05 * row[name]) for row in sweep]
    print(
        name, emm_from_gap(points, calibration), [(r["size"], round(r["rate"], 3)) for r in sweep]
    )


def onset(folder: Path) -> dict:
    """Return the onset law of the sweep `onset`."""
    runs = []
    for path in sorted(folder.glob("onset-*.json")):
        value = json.loads(path.read_text())
        shots = [
            (s["images_seen"], s["rate"]["count"], s["rate"]["total"]) for s in value["snapshots"]
        ]
        runs.append((value["job"]["size"], shots))
    return onset_json(sorted(runs), budgets=(20_000, 50_000))


def scatter(rows: list[dict]) -> alt.LayerChart | alt.Chart:
    """Draw the rate against the gap at sigma 0.8, one color per kind of run."""
    kinds = {
        "width": "digits, 4 widths",
        "onset": "digits, 4 widths",
        "ema": "digits, 4 widths",
        "decay": "weight decay",
        "dropout": "dropout",
        "labels-true": "true labels",
        "labels-random": "random labels",
        "labels-unique": "unique labels",
    }
    values = [
        {
            "gap": row["sigma 0.8"],
            "rate": row["rate"],
            "kind": kinds.get(row["family"], "CIFAR-10, 4 to 16 px"),
            "weights": row["weights"],
        }
        for row in rows
    ]
    return (
        alt.Chart(alt.Data(values=values))
        .mark_point(filled=True, size=45, opacity=0.7)
        .encode(
            x=alt.X("gap:Q", title="gap at sigma 0.8", scale=alt.Scale(type="log")),
            y=alt.Y("rate:Q", title="memorization rate", scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("kind:N", title="run", scale=alt.Scale(scheme="category10")),
            shape=alt.Shape("kind:N", title="run"),
        )
        .properties(width=620, height=340, background="white")
    )


def main() -> None:
    """Print the tables; write the files if asked."""
    parser = argparse.ArgumentParser()
    parser.add_argument("evidence", type=Path)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    rows = load(asked.evidence)
    ema = [row for row in rows if row["weights"] == "ema"]
    between = [row for row in ema if 0 < row["rate"] < 1]
    print(
        f"{len({r['run'] for r in rows})} runs, {len(ema)} snapshots (EMA), {len(between)} between"
    )
    fits = {
        name: fit_calibration(samples(ema, name), statistic=name, source="") for name in STATISTICS
    }
    lines = []
    for name in STATISTICS:
        error, equivalent, _ = left_out(ema, name, "family")
        fit = fits[name]
        cells = [name, correlation(ema, name), correlation(between, name)]
        cells += [f"{fit.threshold(0.1):.3g}", f"{fit.scatter:.2f}", f"{fit.slope:.1f}"]
        lines.append([*cells, f"{error:.3f}", f"{equivalent:.1f}"])
    head = [
        "statistic",
        "Spearman, all",
        "0 < rate < 1",
        "gap at 90 %",
        "scatter (ln gap)",
        "slope",
    ]
    table([*head, "error left out", "samples it is worth"], lines)

    fit = fits["sigma 0.8"]
    print(fit)
    bias = left_out(ema, "sigma 0.8", "family")[2]
    lines = []
    for family in sorted(bias):
        own = [row for row in ema if row["family"] == family]
        some = [row for row in own if 0 < row["rate"] < 1]
        rank = correlation(own, "sigma 0.8") if len({row["rate"] for row in own}) > 1 else "-"
        # The gap at which this family's runs are at one half: where it lies off the common line.
        shifts = [
            math.log(row["sigma 0.8"])
            - fit.center
            + math.log((row["count"] + 0.5) / (row["total"] - row["count"] + 0.5)) / fit.slope
            for row in some
        ]
        moved = f"{np.mean(shifts):+.2f} ({len(some)})" if some else "-"
        runs = len({row["run"] for row in own})
        lines.append([family, str(runs), str(len(own)), rank, f"{bias[family]:+.3f}", moved])
    table(
        ["family", "runs", "snapshots", "Spearman", "rate - predicted", "shift of ln gap (n)"],
        lines,
    )

    within(ema)
    without_sampling(ema, "sigma 0.4")
    without_sampling(ema, "sigma 0.8")
    raw = {(r["run"], r["images_seen"]): r for r in rows if r["weights"] == "raw"}
    lines = []
    for row in ema:
        other = raw.get((row["run"], row["images_seen"]))
        if other:
            cells = [f"{row['size']}", f"{row['images_seen']:,}", f"{row['sigma 0.8']:.2f}"]
            cells += [f"{row['rate']:.2f}", f"{other['sigma 0.8']:.2f}", f"{other['rate']:.2f}"]
            lines.append(cells)
    table(["N", "images seen", "gap, EMA", "rate, EMA", "gap, raw", "rate, raw"], lines)

    one, many = (np.mean([r[k] for r in ema]) for k in ("seconds_gap", "seconds_sampling"))
    total = np.mean([r["total"] for r in ema])
    print(
        f"CPU seconds: gap at one sigma {one:.3f}, {total:.0f} samples {many:.2f}; ratio of ",
        end="",
    )
    print(f"256 samples {256 * many / total / one:.0f}, of 1,000 {1000 * many / total / one:.0f}")
    law = onset(asked.evidence)
    print(json.dumps(law, indent=1))
    if asked.write:
        with (HERE / "snapshots.csv").open("w", newline="") as handle:
            writer = csv.DictWriter(handle, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            short = lambda v: f"{v:.5g}" if isinstance(v, float) else v  # noqa: E731
            writer.writerows({k: short(v) for k, v in row.items()} for row in rows)
        (HERE / "onset.json").write_text(json.dumps(law, indent=2) + "\n")
        scatter(ema).save(HERE / "scatter.svg")


if __name__ == "__main__":
    main()
