"""Whether the interval of the EMM holds for a model whose EMM is known by quadrature.

    python benchmarks/trainer_coverage.py [--campaigns 200] [--bandwidth 0.1] [--workers 2]

Each campaign searches the EMM of a kernel density estimate (`tests/support/kernel_density.py`) on 3,000
rows of four standard normal columns, through the whole path that any trainer takes, with a seed of its
own. Prints how many of the 95 % intervals hold the EMM of the quadrature, and how many searches ended
without a bracket.
"""

import argparse
import multiprocessing
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from kernel_density import kernel_density, true_emm

import rote
from rote.stats.rates import wilson

SEARCH = {"snapshot": "last", "fresh_samples": 400, "start": 16, "tolerance": 0.5, "max_runs": 16}


def campaign(asked: tuple[int, float]) -> tuple[str, float | None, float | None, int]:
    """Return status, ends and number of runs of one search."""
    seed, bandwidth = asked
    rows = np.random.default_rng(seed).normal(size=(3000, 4)).astype(np.float32)
    config = rote.preset("tiny", kind="vector")
    search = config.search.model_copy(update=SEARCH)
    config = config.model_copy(update={"search": search})
    with tempfile.TemporaryDirectory() as folder:
        found = rote.estimate_emm(
            rote.Dataset(rows),
            config,
            trainer=kernel_density,
            settings={"bandwidth": bandwidth},
            out=Path(folder, "emm"),
            seed=seed,
        )
    return found.status, found.low, found.high, len(found.points)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--campaigns", type=int, default=200)
    parser.add_argument("--bandwidth", type=float, default=0.1)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    truth = true_emm(args.bandwidth, dimension=4, epsilon=0.1)
    print(f"EMM by quadrature, bandwidth {args.bandwidth:g}: {truth:.1f} rows")
    with multiprocessing.get_context("spawn").Pool(args.workers) as pool:
        asked = [(seed, args.bandwidth) for seed in range(args.campaigns)]
        found = pool.map(campaign, asked, chunksize=1)
    held = sum((low or 0) <= truth <= (high or np.inf) for _, low, high, _ in found)
    bracketed = sum(status == "bracketed" for status, *_ in found)
    runs = np.median([count for *_, count in found])
    print(f"held: {held} of {len(found)}, {wilson(held, len(found))}")
    print(f"bracketed: {bracketed} of {len(found)}; median of {runs:g} runs")


if __name__ == "__main__":
    main()
