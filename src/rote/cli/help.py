"""Help as a person reads it: what is read, made, measured and written, how fast, and an example to type.

Every option stands in one group, mostly the same in all commands (``sample:label`` is of one command);
`tests/architecture/test_help.py` holds that.
Some texts name what is in the catalogs, to which extensions add; so help has gaps, ``{criteria}`` and
``{spaces}``, that are filled when it is asked for.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

from rote.cli.command import places_of
from rote.cli.names import criterion_names, space_names

OTHER = "Before the command"
GROUPS = {
    "What is read": "generated training holdout data second size first stratify resolution channels "
    "resize alpha exif frames window axes spacing crop slices seconds include exclude "
    "skip-unreadable categorical label ignore captions run pipeline search sources source folder verify",
    "What is made": "name preset set scale value sizes seeds trainer train-command sample-command layout "
    "prompts control-prompts empty-prompt per-caption lora lora-scale dtype "
    "by-caption count weights guidance steps solver churn remedy selection sample:label seed",
    "What is measured": "space criterion ratio-threshold false-positive-rate fail-above invariances "
    "duplicate-rms positive-control set-aside ruler-resolution through-autoencoder quality population "
    "group-by fail-above-groups "
    "cluster-by judge margin paired epsilon tolerance replicates gap points draws sigmas k audit:seed "
    "gap:seed membership:seed gap:weights membership:weights "
    "prompts:prompts prompts:control-prompts",
    "What is written": "out keep undo json spreadsheet summary-md junit track shard-size clear help",
    "How fast": "device workers engine ray-address gpus-per-run gpu threads memory no-cache budget "
    "time-limit timings dry-run",
}
COMMANDS = {
    "Measure images that are there": {
        "audit": "which generated images are copies, and what share",
        "compare": "the difference of two audits",
        "neighbors": "the exact nearest training images, past one memory",
    },
    "Train, search, study": {
        "train": "one diffusion model",
        "emm": "the largest training set that a model learns by rote",
        "study": "what changes how much a model memorizes",
        "rescore": "a search or study again, under other definitions of a copy",
        "remedy": "what helps against copying, and what only hides it",
    },
    "Look into one model": {
        "sample": "draw from it, or from a text-to-image pipeline",
        "optimum": "draw from what it would be if it could only copy",
        "gap": "how far it is from that, without sampling",
        "prompts": "which prompts a pipeline knows, without training data",
        "membership": "does its loss tell training from held-out images?",
    },
    "Data and pages": {
        "data": "named sets, a look into any source, shards, the cache",
        "dedup": "a source without its near-duplicates",
        "report": "write the page of a finished run again",
    },
}


def group_of(command: str | None, parameter: Any) -> str:
    """Return the title under which a parameter of a command stands."""
    long = next((name for name in parameter.opts if name.startswith("--")), parameter.name)
    name = long.removeprefix("--")
    for wanted in (f"{command}:{name}", name):
        for title, names in GROUPS.items():
            if wanted in names.split():
                return title
    return OTHER


def sections(command: Any, ctx: Any) -> dict[str, list[tuple[str, str]]]:
    """Return (how it is given, what it is) of every option of a command, by their groups."""
    rows: dict[str, list[tuple[str, str]]] = {title: [] for title in (*GROUPS, OTHER)}
    places = places_of(command)
    for parameter in command.get_params(ctx):
        if (record := parameter.get_help_record(ctx)) is None:
            continue
        flags, text = record[0].replace(" range>", ">"), record[1]
        if parameter.name in places:
            flags = f"{places[parameter.name].metavar}, {flags}"
        elif parameter.param_type_name == "argument":
            flags = parameter.metavar or parameter.name.upper()
        rows[group_of(command.name, parameter)].append((flags, text))
    return {title: each for title, each in rows.items() if each}


class Command(TyperCommand):
    """A command with its options in groups, and its epilog for an example."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what stands behind the command's name: what goes without a flag, in its order."""
        pieces = []
        must = {place.metavar for place in places_of(self).values() if place.required}
        for parameter in self.get_params(ctx):
            if parameter.param_type_name == "argument":
                shown = (parameter.metavar or parameter.name.upper()) + "..." * (
                    parameter.nargs == -1
                )
                needed = parameter.required or parameter.metavar in must
                pieces.append(shown if needed else f"[{shown}]")
        return [*pieces, "[OPTIONS]"]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options in their groups."""
        for title, each in sections(self, ctx).items():
            with formatter.section(title):
                formatter.write_dl(each)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the example, each line as it is typed."""
        if self.epilog:
            with formatter.section("For example"):
                for line in self.epilog.splitlines():
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Fill the gaps, then write the help."""
        texts: list[tuple[Any, str]] = [(p, getattr(p, "help", "") or "") for p in self.params]
        gapped = [p for p, text in texts if "{criteria}" in text or "{spaces}" in text]
        if gapped:
            for parameter in gapped:
                filled = parameter.help.replace("{criteria}", ", ".join(criterion_names()))
                parameter.help = filled.replace("{spaces}", ", ".join(space_names()))
        super().format_help(ctx, formatter)


class Commands(TyperGroup):
    """The commands of rote by what they are for."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write what each command is for, in groups, and what goes before all of them."""
        for title, commands in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))
        records = [parameter.get_help_record(ctx) for parameter in self.get_params(ctx)]
        with formatter.section(OTHER):
            formatter.write_dl([record for record in records if record is not None])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the example, each line as it is typed."""
        Command.format_epilog(self, ctx, formatter)  # type: ignore[arg-type]
