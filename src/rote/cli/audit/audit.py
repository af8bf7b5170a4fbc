"""`rote audit`: two sources of images in, the rate of copies out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rote.cli import options
from rote.cli.app import app
from rote.cli.command import takes_options
from rote.cli.source import SourceOptions, load

if TYPE_CHECKING:
    from rote.memorization.audit.audit import Audit

TRAINING_SAMPLE = 1000


@app.command()
@takes_options
def audit(
    *,
    generated: Annotated[
        str,
        typer.Option(
            "--generated",
            help="The images a model made: any source, a run directory of `rote train`, a point of "
            "`rote emm`, or module:function, a function of (num, seed).",
        ),
    ],
    training: Annotated[str, typer.Option("--training", help="The images it was trained on.")],
    holdout: Annotated[
        str | None,
        typer.Option("--holdout", help="Real images it was not trained on, as a control."),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            "--count",
            min=1,
            help="How many samples to draw of a run directory or a module:function. [default: 1000]",
        ),
    ] = None,
    set_aside: Annotated[
        int,
        typer.Option(
            "--set-aside",
            help="Without --holdout: take this many random training images out of the references "
            "and use them as the control (copies of them are then missed).",
        ),
    ] = 0,
    criterion: Annotated[
        list[str] | None,
        typer.Option(
            "--criterion",
            help="ratio (always there), calibrated, carlini, tiles, absolute or authenticity; may be "
            "given several times. "
            "The gate is held against the first. A threshold of your own: absolute=NUMBER, or "
            "absolute:SPACE=NUMBER with several spaces.",
        ),
    ] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            "--space",
            help="Where distances are taken: pixel (the default), lowres, imgsim, "
            "efficientnet-lite0, ..., of tables gower (the default where columns are mixed) or columns; "
            "may be given several times. Rate and gate are those of the first.",
        ),
    ] = None,
    ruler_resolution: Annotated[
        int | None,
        typer.Option(
            "--ruler-resolution",
            min=1,
            help="Bring all images to this height and width before they are measured.",
        ),
    ] = None,
    through_autoencoder: Annotated[
        str | None,
        typer.Option(
            "--through-autoencoder",
            help="For latent models: a diffusers AutoencoderKL (folder or repository) that training "
            "and held-out images go through first.",
        ),
    ] = None,
    ratio_threshold: Annotated[
        float, typer.Option("--ratio-threshold", help="Memorized: nn1 < threshold * nn2.")
    ] = 1 / 3,
    false_positive_rate: Annotated[
        float,
        typer.Option("--false-positive-rate", help="What the calibrated ratio is set to."),
    ] = 0.005,
    duplicate_rms: Annotated[
        float | None,
        typer.Option(
            "--duplicate-rms",
            help="Images this near to each other (RMS difference, in 8-bit levels) are duplicates; "
            "0: exact ones only. [default: 10 for images, 0 for vectors]",
        ),
    ] = None,
    invariances: Annotated[
        str,
        typer.Option(
            "--invariances",
            help="Match over flip,shift,tone or some of them; shift takes 25 searches.",
        ),
    ] = "",
    positive_control: Annotated[
        int | None,
        typer.Option(
            "--positive-control",
            help="Training images to degrade per corruption and strength; 0: none. [default: 100, "
            "or all where there are fewer; 0 for vectors]",
        ),
    ] = None,
    fail_above: Annotated[
        float | None,
        typer.Option(
            "--fail-above",
            help="Exit 3 if the whole interval lies above this rate, 4 if it cannot be decided.",
        ),
    ] = None,
    seed: options.Seed = 0,
    how: SourceOptions,
    device: options.SearchDevice = "auto",
    quality: Annotated[
        bool,
        typer.Option(
            "--quality",
            help="Fréchet distance, precision, recall, density and coverage beside the rates.",
        ),
    ] = False,
    population: Annotated[
        bool,
        typer.Option(
            "--population", help="Definitions over whole sets, too; they need held-out images."
        ),
    ] = False,
    cluster_by: Annotated[
        str | None,
        typer.Option(
            "--cluster-by",
            help="caption or label: rates of each, and intervals (and the gate) with it as the unit.",
        ),
    ] = None,
    captions: Annotated[
        Path | None,
        typer.Option(
            "--captions",
            help="For --cluster-by caption: rows of file_name and text. [default: metadata.jsonl or "
            "metadata.csv in --generated]",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for audit.json, its tables and the report.")
    ] = None,
    no_cache: Annotated[
        bool,
        typer.Option(
            "--no-cache",
            help="Decode into memory, and keep no decoded images (see `rote data cache`).",
        ),
    ] = False,
    timings: Annotated[
        bool, typer.Option("--timings", help="Print the seconds of every stage.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Find which generated images are copies of training images, and what share."""
    import time

    from rote.cli.audit.audit_view import show_audit, show_timings
    from rote.cli.audit.generated import load_generated
    from rote.cli.audit.supplement_view import clusters_of
    from rote.core.console import print_result, print_text, progress, say
    from rote.data.files.decoded_cache import decoded_folder
    from rote.memorization.criteria import RatioCriterion

    ratio = RatioCriterion(ratio_threshold)
    if out is not None:
        options.check_folder(out)
    start = time.perf_counter()
    decoded = None if no_cache else decoded_folder()
    # Of tables the training side says what the columns are.
    trained = load(training, how, flag="--training", decoded=decoded)
    made = load_generated(
        generated, how=how, like=trained, count=count, seed=seed, decoded=decoded, device=device
    )
    sides = [made, trained]
    if holdout is not None:
        sides.append(load(holdout, how, flag="--holdout", like=trained, decoded=decoded))

    from rote.data.scaling import Scaling
    from rote.memorization.audit.audit import audit as run_audit
    from rote.memorization.audit.supplement import check_more
    from rote.memorization.duplicates import DUPLICATE_RMS
    from rote.memorization.invariances import Invariances
    from rote.spaces import open_space

    device = options.resolve_device(device)
    if all(side.kind != "image" and side.shape == sides[1].shape for side in sides):
        scaling = Scaling.fit(trained.items, trained.schema)
        sides = [side.scaled(scaling) for side in sides]
    if duplicate_rms is None:
        duplicate_rms = DUPLICATE_RMS if sides[1].kind == "image" else 0.0
    seconds = {"decode": time.perf_counter() - start}
    groups = clusters_of(cluster_by, captions, generated, made)
    check_more(
        made,
        trained,
        sides[2] if holdout is not None else None,
        set_aside=set_aside,
        quality=quality,
        population=population,
        clusters=groups,
    )
    with options.interruptible(), progress() as bar:
        task = bar.add_task("duplicates", total=len(sides[0]))
        found = run_audit(
            sides[0],
            sides[1],
            holdout=sides[2] if holdout is not None else None,
            criterion=ratio,
            criteria=criterion or None,
            spaces=space or ["pixel"],
            ruler_resolution=ruler_resolution,
            through_autoencoder=through_autoencoder,
            duplicate_rms=duplicate_rms,
            invariances=Invariances.parse(invariances),
            false_positive_rate=false_positive_rate,
            set_aside=set_aside,
            positive_control_copies=positive_control,
            training_sample=TRAINING_SAMPLE,
            fail_above=fail_above,
            seed=seed,
            device=device,
            features_folder=decoded,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
            on_stage=lambda name: bar.update(task, description=name),
        )
        if quality or population or groups is not None:
            bar.update(task, description="beside")
            found = _with_more(
                found,
                out,
                quality=quality,
                population=population,
                clusters=groups,
                space=open_space(space[0], device=device) if space else None,
                folder=decoded,
                device=device,
            )
    seconds.update(found.seconds)
    if out is not None:
        seconds["report"] = _write(found, out)
    if json:
        value: dict[str, Any] = found.to_json()
        print_result(value)
    else:
        show_audit(found)
        print_text(f"memorization rate {found.rate}")
    if timings:
        show_timings(seconds)
    if found.gate is not None:
        say(f"gate: {found.gate.sentence}")
        if found.gate.exit_code:
            raise typer.Exit(found.gate.exit_code)


def _with_more(found: Audit, out: Path | None, **more: Any) -> Audit:
    """Measure what may stand beside the rates; where that fails, the audit is saved all the same."""
    from rote.core.errors import RoteError
    from rote.memorization.audit.supplement import with_more

    try:
        return with_more(found, **more)
    except RoteError:
        if out is not None:
            _write(found, out)
        raise


def _write(found: Audit, out: Path) -> float:
    """Save the audit with its report and return the seconds that took."""
    import time

    from rote.core.console import say
    from rote.report import write_report

    start = time.perf_counter()
    found.save(out)
    say(f"report: {write_report(out)}")
    return time.perf_counter() - start
