"""`rote membership`: can the loss tell training images from held-out ones?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rote.cli import options
from rote.cli.app import command
from rote.cli.command import takes_options
from rote.cli.model.probe import ProbeOptions, TheDevice, TheRun, TheSeed
from rote.cli.values import rate


@command(example="rote membership runs/mine")
@takes_options
def membership(
    *,
    run: TheRun,
    probe: ProbeOptions,
    draws: Annotated[
        int, typer.Option("--draws", min=1, help="Noises per image and noise level.")
    ] = 4,
    false_positive_rate: Annotated[
        float,
        rate("--false-positive-rate", "At which the recall of members is taken."),
    ] = 0.01,
    seed: TheSeed = None,
    device: TheDevice = None,
    json: options.Json = False,
) -> None:
    """Compare the denoising loss of training and held-out images at each noise level.

    AUC and the recall at 1 % false positives of the loss as a test of membership, for the newest
    snapshot, into membership.json.
    """
    from rote.core.console import print_result, print_text
    from rote.diffusion.probes.membership_of_run import level_text
    from rote.diffusion.probes.membership_of_run import membership as measure

    levels = probe.levels()
    with options.interruptible():
        found = measure(
            run,
            **probe.sides(run),
            weights=probe.weights,
            sigmas=levels,
            draws=draws,
            false_positive_rate=false_positive_rate,
            seed=seed,
            device=device,
        ).to_json()
    if json:
        print_result(found)
        return
    show_table(found)
    for level in found["levels"]:
        print_text(level_text(level))


def show_table(found: dict[str, Any]) -> None:
    """Print all noise levels to stderr."""
    from rote.core.console import console, say, table

    rows = []
    for level in found["levels"]:
        roc = level["roc"]
        recall = "too few held-out images"
        if roc["tpr"] is not None:
            recall = f"{roc['tpr']:.3g} [{roc['tpr_low']:.3g}, {roc['tpr_high']:.3g}]"
        rows.append(
            [
                f"{level['sigma']:g}",
                f"{level['member_loss']:.4g}",
                f"{level['other_loss']:.4g}",
                f"{roc['auc']:.4g} [{roc['auc_low']:.4g}, {roc['auc_high']:.4g}]",
                recall,
            ]
        )
    columns = ["sigma", "loss, training", "loss, held out", "AUC", f"recall at {found['fpr']:g}"]
    title = f"membership by the loss after {found['images_seen']:,} images seen (AUC 0.5: not told apart)"
    console.print(table(title, columns, rows))
    say(
        f"{found['training']['count']:,} training and {found['holdout']['count']:,} held-out images, "
        f"{found['draws']} draws each"
    )
