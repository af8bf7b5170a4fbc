"""The same runs by one local worker, by two, and by two workers of a local Ray.

    python benchmarks/bench_engines.py [--runs 6] [--turns 2]

Runs are those of a study at smoke scale (single-threaded, about four seconds of a core each). All engines
are started and warm before the first turn; in each turn they do the same runs one after the other. The
clock tells the throughput as it was. On a machine with other jobs look at the CPU seconds that a run took
within its worker: with free cores, n workers do n runs in that time. What Ray's own processes take beside
the workers is in the clock alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rote.data.convert import for_models
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.experiments.execution.engine import RayOptions
from rote.experiments.execution.open import open_engine
from rote.experiments.run.run import execute
from rote.experiments.run.spec import RunSpec
from rote.experiments.studies.plan import plan_study, source_of, study_run

ENGINES = {
    "local, 1 worker": (1, None),
    "local, 2 workers": (2, None),
    "ray, 2 workers": (2, RayOptions()),
}
TARGETS = [
    ("local, 2 workers", "local, 1 worker", 1.5),
    ("ray, 2 workers", "local, 2 workers", 0.9),
]


def timed(
    trial: RunSpec,
    dataset: Dataset,
    *,
    should_stop: Callable[[], bool],
) -> float:
    """Do a run; return the CPU seconds it took."""
    begin = time.process_time()
    execute(trial, dataset, should_stop=should_stop)
    return time.process_time() - begin


def trials(count: int, runs: Path, dataset: Dataset) -> list[RunSpec]:
    source = source_of(dataset)
    first = plan_study("labels", source, scale_name="smoke", runs=runs, values=[]).all_trials()[0]
    return [
        study_run(first.setting, first.size, n, source=source, seed=0, runs=runs, device="cpu")
        for n in range(count)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    dataset, _ = for_models(load_images("digits"))
    clock: dict[str, list[float]] = {name: [] for name in ENGINES}
    cpu: dict[str, list[float]] = {name: [] for name in ENGINES}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        engines = {
            name: stack.enter_context(
                open_engine(
                    ray,
                    workers=workers,
                    dataset=dataset,
                    threads=1,
                    on_note=print,
                )
            )
            for name, (workers, ray) in ENGINES.items()
        }
        for turn in range(-1, options.turns):
            for name, engine in engines.items():
                count = 2 if turn < 0 else options.runs
                tasks = trials(count, folder / f"{name} {turn}", dataset)
                begin = time.perf_counter()
                found = engine.run_each(tasks, timed, on_poll=lambda: None)
                seconds = time.perf_counter() - begin
                if turn >= 0:
                    clock[name].append(seconds / count)
                    cpu[name] += found
    print(f"{options.runs} runs, {options.turns} turns; load {os.getloadavg()[0]:.1f}")
    for name, (workers, _) in ENGINES.items():
        print(
            f"{name:18} {60 / statistics.median(clock[name]):6.1f} runs/min by the clock, "
            f"{statistics.median(cpu[name]):6.2f} CPU s a run, "
            f"{60 * workers / statistics.median(cpu[name]):6.1f} runs/min on free cores"
        )
    for name, base, target in TARGETS:
        pairs = zip(clock[base], clock[name], strict=True)
        by_clock = statistics.median(one / other for one, other in pairs)
        free = [ENGINES[n][0] / statistics.median(cpu[n]) for n in (name, base)]
        print(
            f"{name} / {base}: {by_clock:.2f} by the clock, {free[0] / free[1]:.2f} on free cores "
            f"(target {target})"
        )


if __name__ == "__main__":
    main()
