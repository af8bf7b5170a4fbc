"""`rote remedy`: which remedies there are, and what each of them does to a model that copies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rote.cli import options
from rote.cli.app import app, command
from rote.cli.command import refuse_given, takes_options
from rote.cli.experiments.trainer_options import TrainerOptions
from rote.cli.model.pipeline_options import LoraOptions
from rote.cli.model.probe import TheDevice, load_holdout
from rote.cli.model.sample import REPOSITORY
from rote.cli.names import named, remedy_names
from rote.cli.source import SourceOptions, load
from rote.cli.values import rate
from rote.core.errors import ConfigError
from rote.data.ahead.existing import PIPELINE, near
from rote.experiments.mitigation.defaults import COUNT, JUDGES, MARGIN, SELECTION

if TYPE_CHECKING:
    from rote.data.dataset import Dataset
    from rote.diffusion.pipelines.opened import OpenPipeline
    from rote.experiments.mitigation.comparison import Trial
    from rote.experiments.mitigation.tried import Remedies
    from rote.experiments.trainers.config import TrainerConfig

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


@dataclass(frozen=True)
class DrawingOptions(LoraOptions):
    """How a pipeline draws as it is."""

    guidance: Annotated[
        float | None,
        typer.Option(
            "--guidance",
            min=0,
            help="Of a pipeline: classifier-free guidance. [default: the pipeline's own]",
        ),
    ] = None
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            min=1,
            help="Of a pipeline: denoising steps. [default: the pipeline's own]",
        ),
    ] = None

    def opened_if_pipeline(
        self, run: str, training: str | None, holdout: str | None, *, device: str | None
    ) -> OpenPipeline | Path:
        """Return the pipeline of that name, opened, or the folder of a run."""
        path = Path(run).expanduser()
        meant = "" if path.exists() else near(path)
        of_hub = (
            not path.exists() and not meant and training is not None and REPOSITORY.fullmatch(run)
        )
        if (path / PIPELINE).exists() or of_hub:
            if training is None or holdout is None:
                raise ConfigError(
                    f"{run} is a pipeline: give --training, its pictures with captions, and --holdout"
                )
            self.check()
            return self.opened(run, device=device or "auto")
        if not path.exists():
            raise ConfigError(
                f"{run} does not exist{meant}; give the --out of `rote train`, a pipeline of "
                "diffusers, or --trainer"
            )
        refuse_given(self, f"is for a pipeline of diffusers, and {run} has no {PIPELINE}")
        return path


@command(
    "try", example="rote remedy try runs/mine --remedy early-stop --out remedies", of=remedy_app
)
@takes_options
def try_them(
    *,
    run: Annotated[
        str | None,
        typer.Argument(
            help="The --out of `rote train`, or a pipeline of diffusers (a folder, or a name of the "
            "hub); or give --trainer."
        ),
    ] = None,
    training: Annotated[
        str | None,
        typer.Option(
            "--training",
            help="What it was trained on, or is to be; of a pipeline pictures with their captions. "
            "[default: what the run names]",
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
    drawing: DrawingOptions,
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

    The model and every remedy are sampled from equal noise seeds, settings are chosen on others. Stopped,
    the same command goes on.
    """
    from rote.core.console import print_result, say
    from rote.experiments.mitigation.try_remedies import try_remedies
    from rote.report import write_report

    chosen = trainer.config()
    _check_one(run, chosen, drawing)
    with options.interruptible():
        subject = chosen or drawing.opened_if_pipeline(str(run), training, holdout, device=device)
        trained, fresh = _sides(subject, training, holdout, how)
        found = try_remedies(
            subject,
            out=out,
            remedies=remedies,
            judges=judges or JUDGES,
            training=trained,
            holdout=fresh,
            trial=judging.trial(),
            device=device,
            guidance=drawing.guidance,
            steps=drawing.steps,
        )
        page = write_report(out)
    if json:
        print_result(found.to_json())
    else:
        _show(found)
    say(f"report: {page}")


def _check_one(run: str | None, trainer: TrainerConfig | None, drawing: DrawingOptions) -> None:
    """Refuse a run beside a trainer, neither, and a trainer beside what a pipeline draws with."""
    if (run is None) == (trainer is None):
        raise ConfigError("give RUN, the --out of `rote train`, or --trainer or --train-command")
    if trainer is not None:
        refuse_given(drawing, "is for a pipeline of diffusers; leave it out with a trainer")


def _sides(
    subject: object, training: str | None, holdout: str | None, how: SourceOptions
) -> tuple[Dataset | None, Dataset | str | None]:
    """Load what a model was trained on and what not; None where its run tells."""
    from rote.diffusion.pipelines.opened import OpenPipeline
    from rote.diffusion.probes.sides import data_of_run

    if isinstance(subject, OpenPipeline):
        size = how.resolution or subject.size
        how = replace(how, resolution=size, channels=how.channels or 3)
    trained = None if training is None else load(training, how, flag="--training")
    if holdout is None:
        return trained, None
    like = data_of_run(subject) if trained is None and isinstance(subject, Path) else trained
    if like is None:
        raise ConfigError("a trainer needs data: give --training, too")
    return trained, load_holdout(holdout, like, how)


def _show(found: Remedies) -> None:
    """Print a row for each remedy: its verdict, the rates by all judges, and quality."""
    from rote.core.console import print_table, say, table
    from rote.experiments.mitigation.tried import label

    judges = found.json["judges"]
    shown = []
    for tried in found.json["tried"]:
        cells = {
            one["judge"] + of: f"{one['before']['value']:.3f} to {one['after']['value']:.3f}"
            for of, side in (("", tried["judged"]), (" of other captions", tried["others"][:1]))
            for one in side
        }
        cells |= {
            one["name"]: f"{one['before']['value']:.2f} to {one['after']['value']:.2f}"
            for one in tried["quality"]
        }
        shown.append({"remedy": label(tried), "verdict": tried["verdict"], **cells})
    # A remedy of one's own may know of no other captions.
    head = list(
        dict.fromkeys(["remedy", "verdict", *judges, *(name for row in shown for name in row)])
    )
    rows = [[row.get(name, "") for name in head] for row in shown]
    print_table(table("before to after, on equal noise seeds", head, rows))
    for tried in found.json["tried"]:
        say(f"{label(tried)} {tried['verdict']}: {tried['why']}")
    for row in found.json["left_out"]:
        say(f"{row['name']} left out: {row['why']}")
