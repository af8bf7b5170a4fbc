"""`rote emm`: search for the effective model memorization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from rote.cli import options
from rote.cli.app import command
from rote.cli.command import takes_options
from rote.cli.experiments.engines import EngineOptions, check_engine
from rote.cli.experiments.through import ThroughAutoencoder, through
from rote.cli.experiments.trainer_options import UNITS, TrainerOptions, amount_of
from rote.cli.source import SourceOptions, load
from rote.cli.values import rate
from rote.core.errors import ConfigError
from rote.core.trackers import check_tracker


@dataclass(frozen=True)
class SearchOptions:
    """What a search asks for; None is what the preset says."""

    epsilon: Annotated[
        float | None,
        rate(
            "--epsilon",
            "The EMM is where the rate falls below 1 - epsilon. [default: the preset's]",
        ),
    ] = None
    tolerance: Annotated[
        float | None,
        rate(
            "--tolerance",
            "How narrow the interval must be, as a share of the EMM to both sides. [default: the "
            "preset's]",
        ),
    ] = None
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            metavar="IMAGES|TIME",
            help="Begin no new round beyond this many training images (2e6), or no run that would not "
            "end within this time (20m, 2h).",
        ),
    ] = None
    replicates: Annotated[
        int | None,
        typer.Option(
            "--replicates",
            min=1,
            help="Fewest runs of the size nearest the EMM. [default: the preset's]",
        ),
    ] = None

    def assignments(self) -> list[str]:
        """Return the options as `--set` would say them.

        Raises
        ------
        ConfigError
            If one of them cannot be.
        """
        if self.epsilon is not None and not 0 < self.epsilon < 1:
            raise ConfigError(
                f"--epsilon is {self.epsilon:g}; it must lie strictly between 0 and 1 (the paper's "
                "is 0.1)"
            )
        if self.tolerance is not None and not 0 < self.tolerance < float("inf"):
            raise ConfigError(
                f"--tolerance is {self.tolerance:g}; it is a share of the EMM, above 0: 0.1 asks for "
                "an interval of a tenth of it to both sides"
            )
        values = {
            "epsilon": self.epsilon,
            "tolerance": self.tolerance,
            "replicates": self.replicates,
        }
        changes = [f"search.{key}={value}" for key, value in values.items() if value is not None]
        return changes + ([] if self.budget is None else [_budget(self.budget)])


def _budget(text: str) -> str:
    """Read a budget: a number of images (2e6), or a number with a unit of time (20m, 1.5h)."""
    value, unit = amount_of(text)
    if not value or (not unit and value < 1):
        raise ConfigError(
            f"--budget {text!r} is no budget; give a number of training images (2e6), or a time "
            "(90s, 20m, 2h, 1d)"
        )
    if unit:
        return f"search.budget_seconds={value * UNITS[unit]}"
    return f"search.budget_images={int(value)}"


@command(example="rote emm digits --preset tiny --workers 2 --out runs/emm")
@takes_options
def emm(
    *,
    out: options.Out,
    data: options.PlacedData = "digits",
    preset: options.Preset = "tiny",
    search: SearchOptions,
    trainer: TrainerOptions,
    engine: EngineOptions,
    how: SourceOptions,
    through_autoencoder: ThroughAutoencoder = None,
    run: options.RunOptions,
    json: options.Json = False,
    dry_run: options.DryRun = False,
) -> None:
    """Find the EMM: the largest training-set size at which a model still only copies.

    Trains models of one configuration at several sizes, several times where it matters, scores fresh
    samples of each against their training images, and stops when the size at which the rate of copies
    falls below 1 - epsilon is known to the tolerance. Writes emm.json and report.html. Run the same
    command again to resume; ask a finished search for another epsilon and it answers at once.
    """
    from rote.core.console import print_result, print_text, say

    check_engine(engine.engine)
    check_tracker(engine.track)
    dataset = through(through_autoencoder, load(data, how))
    config = run.config(
        preset, kind=dataset.kind, changes=search.assignments(), trainer=trainer.config()
    )
    if dry_run:
        from rote.experiments.search.plan import plan_search, time_text, training_text

        plan = plan_search(
            config,
            dataset,
            source=data,
            out=out,
            seed=run.seed,
            side_by_side=engine.resolve(run.device)[0],
        )
        print_result(plan)
        say((plan["time"] is None and training_text(plan)) or time_text(plan["time"]))
        return
    from rote.cli.audit.audit_view import tolerance_line
    from rote.cli.experiments.emm_view import SearchDisplay
    from rote.core.atomic_files import read_json
    from rote.experiments.search.search import estimate_emm
    from rote.report import write_report

    workers, ray, device = engine.resolve(run.device)
    with options.interruptible(), SearchDisplay(config.search) as display:
        found = estimate_emm(
            dataset,
            config,
            out=out,
            seed=run.seed,
            workers=workers,
            ray=ray,
            device=device,
            preset=preset,
            on_view=display.show,
            on_note=say,
            track=engine.track,
        )
    report = write_report(out)
    if json:
        print_result(found.to_json())
    else:
        print_text(found.sentence)
        if found.budget is not None:
            print_text(found.budget.sentence)
        tolerance = found.to_json()["controls"].get("tolerance")
        if tolerance is not None:
            size = found.to_json()["controls"]["optimum"]["size"]
            say(f"at N = {size:,}, {tolerance_line(tolerance, one='item')}")
    searched = read_json(out / "emm.json")["epsilon"]
    if searched != config.search.epsilon:
        say(f"from the runs of a search for epsilon {searched:g}, which {out} and its report keep")
    say(f"report: {report}")
