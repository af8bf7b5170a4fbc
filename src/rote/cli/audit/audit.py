"""`rote audit`: two sources of images in, the rate of copies out."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rote.cli import options
from rote.cli.app import command
from rote.cli.audit.audit_options import AuditFlags
from rote.cli.audit.audit_outputs import AuditOutputs
from rote.cli.audit.audit_plan import Ahead, Room, print_plan, say_sizes
from rote.cli.catalogs import say_code
from rote.cli.command import Place, takes_options
from rote.cli.source import check_sources, load

if TYPE_CHECKING:
    from rote.data.dataset import Dataset
    from rote.memorization.audit.audit import Audit
    from rote.memorization.audit.options import AuditOptions


@command(example="rote audit samples/ train/ --holdout test/ --out audit --fail-above 1%")
@takes_options
@options.answers_in_time
def audit(
    *,
    generated: Annotated[
        str,
        typer.Option(
            "--generated",
            help="The images a model made: any source, a run directory of `rote train`, a point of "
            "`rote emm`, or module:function, a function of (num, seed).",
        ),
        Place("GENERATED"),
    ],
    training: Annotated[
        str, typer.Option("--training", help="The images it was trained on."), Place("TRAINING")
    ],
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
    flags: AuditFlags,
    outputs: AuditOutputs,
    timings: Annotated[
        bool, typer.Option("--timings", help="Print the seconds of every stage.")
    ] = False,
    room: Room,
    json: options.Json = False,
) -> None:
    """Find which generated images are copies of training images, and what share."""
    sides = {"generated": generated, "training": training}
    sides |= {} if holdout is None else {"holdout": holdout}
    outputs.check(gate=flags.fail_above is not None or flags.fail_above_groups is not None)
    with outputs.errors_told():
        check_sources(sides)
    from rote.cli.audit.audit_view import show_audit, show_timings
    from rote.core.console import print_result, print_text, say
    from rote.core.memory import held_in
    from rote.core.progress.display import showing
    from rote.memorization.audit.checks import check_options

    with outputs.errors_told(), contextlib.ExitStack() as opened:
        check_options(flags.asked())
        ahead = room.ahead(sides, flags, opened)
        if room.dry_run:
            print_plan(ahead, json=json)
            return
        with showing(), held_in(ahead.blocks):
            found, seconds = _found(ahead, count=count, outputs=outputs)
    outputs.tell(found)
    if json:
        print_result(found.to_json())
    else:
        show_audit(found)
        print_text(f"memorization rate {found.rate}")
    if timings:
        show_timings(seconds)
    if found.gate is not None:
        say(f"gate: {found.gate.sentence}")
        raise typer.Exit(found.gate.exit_code)


def _found(
    ahead: Ahead, *, count: int | None, outputs: AuditOutputs
) -> tuple[Audit, dict[str, float]]:
    """Load the sides, audit and save; return the audit and the seconds of all that."""
    import time

    from rote.cli.audit.generated import load_generated

    start = time.perf_counter()
    asked, decoded, sources = ahead.asked, ahead.decoded, ahead.sources
    say_sizes(ahead)
    # Of tables the training side says what the columns are.
    trained = load(
        sources["training"],
        ahead.how("training"),
        flag="--training",
        decoded=decoded,
        listing=ahead.listing("training"),
        groups=asked.group_by,
    )
    made = load_generated(
        sources["generated"],
        how=ahead.how("generated"),
        like=trained,
        count=count,
        seed=asked.seed,
        decoded=decoded,
        device=asked.device,
        listing=ahead.listing("generated"),
        groups=asked.cluster_by,
    )
    fresh = None
    if "holdout" in sources:
        how = ahead.how("holdout")
        fresh = load(
            sources["holdout"],
            how,
            flag="--holdout",
            like=trained,
            decoded=decoded,
            listing=ahead.listing("holdout"),
            groups=asked.group_by,
        )
    seconds = {"decode": time.perf_counter() - start}
    found = _measure(
        made, trained, fresh, asked, decoded=decoded, memory=ahead.memory, outputs=outputs
    )
    seconds.update(found.seconds)
    if outputs.out is not None:
        seconds["report"] = outputs.save(found)
    return found, seconds


def _measure(
    generated: Dataset,
    training: Dataset,
    holdout: Dataset | None,
    asked: AuditOptions,
    *,
    decoded: Path | None,
    memory: int | None,
    outputs: AuditOutputs,
) -> Audit:
    """Run the audit; where what stands beside the rates fails, the rates are saved all the same."""
    from rote.core.errors import RoteError
    from rote.memorization.audit.audit import run_audit
    from rote.memorization.plan import within_memory

    say_code(asked.space)
    rates: list[Audit] = []
    try:
        with within_memory(generated, training, holdout, asked, memory=memory):
            return run_audit(
                generated,
                training,
                asked,
                holdout=holdout,
                command=tuple(sys.argv),
                features_folder=decoded,
                on_rates=rates.append,
            )
    except RoteError:
        if rates:
            outputs.save(rates[0])
        raise
