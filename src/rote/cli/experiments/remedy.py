"""`rote remedy`: which remedies there are, and what each of them does to a model that copies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rote.cli import options
from rote.cli.app import app, command
from rote.cli.command import takes_options
from rote.cli.experiments.trainer_options import TrainerOptions
from rote.cli.model.probe import TheDevice, load_holdout
from rote.cli.names import named, remedy_names
from rote.cli.source import SourceOptions, load
from rote.cli.values import rate
from rote.core.errors import ConfigError
from rote.experiments.mitigation.defaults import COUNT, JUDGES, MARGIN, SELECTION

if TYPE_CHECKING:
    from rote.experiments.mitigation.comparison import Trial
    from rote.experiments.mitigation.tried import Remedies

remedy_app = typer.Typer(
    help="Try what may lower copying, and tell what helps.", rich_markup_mode=None
)
app.add_typer(remedy_app, name="remedy")


@command("list", example="rote remedy list", of=remedy_app)
def list_remedies(json: options.Json = False) -> None:
    """List the remedies: what they change, and what they do."""
    from rote.core.console import print_result, print_text
    from rote.experiments.mitigation.remedies import REMEDIES

    if json:
        rows = [{"name": r.name, "kind": r.kind, "words": r.words} for r in REMEDIES]
        print_result({"remedies": rows})
        return
    for remedy in REMEDIES:
        print_text(f"{remedy.name:14} {remedy.kind:9} {remedy.words}")


@dataclass(frozen=True)
class Judging:
    """How remedies are judged."""

    count: Annotated[
        int, typer.Option("--count", min=1, help="Samples that each verdict is on.")
    ] = COUNT
    selection: Annotated[
        int,
        typer.Option("--selection", min=1, help="Samples of other seeds to choose a setting on."),
    ] = SELECTION
    margin: Annotated[float, rate("--margin", "Most of precision and coverage to lose.")] = MARGIN
    seed: options.Seed = 0

    def trial(self) -> Trial:
        """Return it as the library takes it."""
        from rote.experiments.mitigation.comparison import Trial

        return Trial(self.count, self.selection, self.margin, self.seed)


@command(
    "try", example="rote remedy try runs/mine --remedy early-stop --out remedies", of=remedy_app
)
@takes_options
def try_them(
    *,
    run: Annotated[
        Path | None, typer.Argument(help="The --out of `rote train`; or give --trainer.")
    ] = None,
    training: Annotated[
        str | None,
        typer.Option(
            "--training",
            help="What it was trained on, or is to be. [default: what the run names]",
        ),
    ] = None,
    holdout: Annotated[
        str | None,
        typer.Option(
            "--holdout",
            help="Real images it was not trained on. [default: the rest of the run's source]",
        ),
    ] = None,
    trainer: TrainerOptions,
    remedies: Annotated[
        list[str] | None,
        named(
            "--remedy",
            remedy_names,
            "NAME[:SETTING]",
            "One of `rote remedy list`, with a setting or several to choose from (away:0.3,0.5), or "
            "module:function. Repeatable. [default: all that fit]",
        ),
    ] = None,
    judges: Annotated[
        list[str] | None,
        typer.Option(
            "--judge",
            metavar="CRITERION[@SPACE][+flip,...]",
            help="Definitions of a copy; settings are chosen by the first, and what helps must convince "
            f"the others. Repeatable. [default: {', '.join(JUDGES)}]",
        ),
    ] = None,
    judging: Judging,
    device: TheDevice = None,
    how: SourceOptions,
    out: options.Out,
    json: options.Json = False,
) -> None:
    """Try remedies on a model, and say whether each helps, evades, harms or is undecided.

    The model and every remedy are sampled from equal noise seeds, settings are chosen on others.
    """
    from rote.core.console import print_result, say
    from rote.diffusion.probes.sides import data_of_run
    from rote.experiments.mitigation.try_remedies import try_remedies
    from rote.report import write_report

    chosen = trainer.config()
    if (run is None) == (chosen is None):
        raise ConfigError("give RUN, the --out of `rote train`, or --trainer or --train-command")
    subject = chosen or run
    assert subject is not None
    with options.interruptible():
        trained = None if training is None else load(training, how, flag="--training")
        fresh = None
        if holdout is not None:
            if trained is None and run is None:
                raise ConfigError("a trainer needs data: give --training, too")
            like = data_of_run(run) if trained is None and run is not None else trained
            assert like is not None
            fresh = load_holdout(holdout, like, how)
        found = try_remedies(
            subject,
            out=out,
            remedies=remedies,
            judges=judges or JUDGES,
            training=trained,
            holdout=fresh,
            trial=judging.trial(),
            device=device,
        )
        page = write_report(out)
    if json:
        print_result(found.to_json())
    else:
        _show(found)
    say(f"report: {page}")


def _show(found: Remedies) -> None:
    """Print a row for each remedy: its verdict, the rates by all judges, and quality."""
    from rote.core.console import print_table, say, table
    from rote.experiments.mitigation.tried import label

    judges = found.json["judges"]
    rows = [
        [
            label(tried),
            tried["verdict"],
            *(f"{j['before']['value']:.3f} to {j['after']['value']:.3f}" for j in tried["judged"]),
            *(f"{q['before']['value']:.2f} to {q['after']['value']:.2f}" for q in tried["quality"]),
        ]
        for tried in found.json["tried"]
    ]
    head = ["remedy", "verdict", *judges, "precision", "coverage"]
    print_table(table("before to after, on equal noise seeds", head, rows))
    for tried in found.json["tried"]:
        say(f"{label(tried)} {tried['verdict']}: {tried['why']}")
    for row in found.json["left_out"]:
        say(f"{row['name']} left out: {row['why']}")
