"""What `rote audit` does before anything is decoded: sizes made equal, memory planned, `--dry-run`."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rote.cli.audit.audit_options import AuditFlags
from rote.cli.data.shard import parse_bytes, show_bytes
from rote.cli.source import SourceOptions
from rote.core.memory import Blocks
from rote.data.groups.words import column_of

if TYPE_CHECKING:
    from rote.data.ahead.probe import Probe
    from rote.data.files.listing import Listing
    from rote.memorization.audit.options import AuditOptions
    from rote.memorization.plan import Plan, PlannedSide

PASSES, COPIES_MADE, PRODUCTS = 150e6, 40e6, 1e11
"""Bytes of sides, bytes of degraded copies, products of a search: a second of two cores, guessed."""
START_SECONDS = 8.0


@dataclass(frozen=True)
class Ahead:
    """What is known of an audit before anything is decoded.

    Attributes
    ----------
    sources
        The sides by name, the generated one first.
    seen
        What was seen of each; None of a source that is no folder or archive of images.
    asked, flags
        What is asked for, and how sources are read.
    memory
        The budget in bytes, where one is given.
    decoded
        Where decoded images are kept.
    """

    sources: dict[str, str]
    seen: dict[str, Probe | None]
    asked: AuditOptions
    flags: AuditFlags
    memory: int | None
    decoded: Path | None
    plan: Plan | None = None

    @property
    def blocks(self) -> Blocks:
        """How much is held at a time."""
        return Blocks() if self.plan is None else self.plan.blocks

    def listing(self, name: str) -> Listing | None:
        """Return the files of a side that is a folder or an archive of images."""
        own = self.seen[name]
        return None if own is None else own.listing

    @property
    def one_size(self) -> bool:
        """Whether all generated images have one size, and are squares."""
        made = self.seen["generated"]
        return made is not None and len(made.sizes) == 1 and len(set(made.sizes[0][0])) == 1

    def how(self, name: str) -> SourceOptions:
        """Return how a side is read: where sizes differ, as squares that the generated images hold."""
        how = self.flags.how
        if name == "generated" and (column := column_of(self.flags.group_by)):
            how = replace(how, ignore=[*(how.ignore or ()), column])  # of the real sides alone
        made, own = self.seen["generated"], self.seen[name]
        if how.resolution is not None or not made or not own:
            return how
        sides = [one.sizes for one in self.seen.values() if one is not None]
        shortest = min(min(size) for size, _ in made.sizes)
        alike = len({size for sizes in sides for size, _ in sizes}) == 1
        if alike or [size for size, _ in own.sizes] == [(shortest, shortest)]:
            return how
        return replace(how, resolution=shortest)

    def sides(self) -> list[PlannedSide]:
        """Return what the sides become that are folders or archives of images."""
        from rote.data.files.decoded_cache import is_worth_keeping
        from rote.memorization.plan import PlannedSide

        found = []
        for name, own in self.seen.items():
            if own is not None:
                shape = own.shape(self.how(name).read())
                kept = is_worth_keeping(own.files, math.prod(shape))
                mapped = self.decoded is not None and kept
                found.append(PlannedSide(name, own.files, shape, mapped=mapped))
        return found


@dataclass(frozen=True)
class Room:
    """What an audit may take."""

    memory: Annotated[
        str | None,
        typer.Option(
            "--memory",
            help="Peak memory of the whole process, such as 4GB. [default: 3/4 of what is left]",
        ),
    ] = None
    no_cache: Annotated[
        bool,
        typer.Option(
            "--no-cache",
            help="Decode into memory, and keep no decoded images (see `rote data cache`).",
        ),
    ] = False
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print sizes, memory, disk and time of folders of images, and stop."
        ),
    ] = False

    def ahead(
        self, sources: dict[str, str], flags: AuditFlags, opened: contextlib.ExitStack
    ) -> Ahead:
        """Look at the sides, and plan the memory where both are folders or archives of images.

        ``opened`` keeps archives open for whoever loads them.

        Raises
        ------
        ConfigError
            If it does not fit.
        """
        from rote.data.ahead.probe import probe
        from rote.data.named.names import EMBEDDED
        from rote.memorization.plan import plan_audit

        memory = None if self.memory is None else parse_bytes(self.memory, flag="--memory")
        read = flags.how.read()
        seen = {
            name: None
            if source in EMBEDDED
            else probe(source, read, opened=opened, timed=self.dry_run)
            for name, source in sources.items()
        }
        decoded = None if self.no_cache else _kept_in()
        ahead = Ahead(sources, seen, flags.asked(), flags, memory, decoded)
        if seen["generated"] is None or seen["training"] is None:
            return ahead
        sides = ahead.sides()
        copies = copies_of(ahead.asked, sides[1])
        return replace(ahead, plan=plan_audit(sides, memory=memory, copies=copies))


def _kept_in() -> Path | None:
    """Return where decoded images are kept; nowhere for a user without a home folder."""
    from rote.core.console import say
    from rote.core.errors import RunError
    from rote.data.files.decoded_cache import decoded_folder

    try:
        return decoded_folder()
    except RunError as error:
        say(f"no decoded images are kept: {error}")
        return None


def say_sizes(ahead: Ahead) -> None:
    """Say of each side whose images are brought to the size of the generated ones, and how."""
    from rote.core.console import say

    for name, own in ahead.seen.items():
        how = ahead.how(name)
        if own is None or how.resolution == ahead.flags.how.resolution:
            continue
        side = how.resolution
        sizes = ", ".join(f"{w}x{h}" for (w, h), _ in own.sizes[:3])
        more = f" and {len(own.sizes) - 3:,} more sizes" if len(own.sizes) > 3 else ""
        why = "as the generated ones are"
        if not ahead.one_size:
            why = "the largest square that all generated ones hold"
        say(
            f"--{name}: images of {sizes}{more} are brought to {side}x{side}, {why} "
            f"(--resize {how.resize}; give what the trainer of the model did: crop, squeeze or pad)"
        )


def copies_of(asked: AuditOptions, training: PlannedSide) -> int:
    """Return how many training images the positive control degrades."""
    from rote.memorization.corruptions import default_copies

    copies = asked.positive_control
    return min(default_copies(training.item_bytes) if copies is None else copies, training.count)


def plan_to_json(ahead: Ahead, plan: Plan) -> dict[str, Any]:
    """Return what `--dry-run` prints."""
    from rote.memorization.corruptions import degradations

    sides = ahead.sides()
    generated, training = sides[0], sides[1]
    copies = copies_of(ahead.asked, training)
    item = training.item_bytes
    decode = sum(own.files * own.seconds for own in ahead.seen.values() if own is not None)
    made = copies * len(degradations("image"))
    searched = generated.count + made + sum(side.count for side in sides[2:]) + 1000
    numbers = min(item, 512) if item >= 2**14 else item
    measure = sum(side.count * side.item_bytes for side in sides) / PASSES
    measure += made * item / COPIES_MADE + searched * training.count * numbers / PRODUCTS
    return {
        "sides": {
            side.name: {
                "source": ahead.sources[side.name],
                "images": side.count,
                "shape": [side.shape[2], *side.shape[:2]],
                "bytes": side.count * side.item_bytes,
                "kept": "mapped from the cache" if side.mapped else "in memory",
            }
            for side in sides
        },
        "memory": plan.memory,
        "peak": plan.peak,
        "held": plan.held,
        "stages": plan.stages,
        "block": plan.blocks.block,
        "by_blocks": not math.isinf(plan.blocks.references),
        "cache": sum(side.count * side.item_bytes for side in sides if side.mapped),
        "seconds": {"decode": decode, "measure": START_SECONDS + measure},
    }


def print_plan(ahead: Ahead, *, json: bool) -> None:
    """Print what an audit would take.

    Raises
    ------
    ConfigError
        If a side is no folder or archive of images.
    """
    from rote.core.console import print_result
    from rote.core.errors import ConfigError

    if ahead.plan is None:
        name = next(name for name, own in ahead.seen.items() if own is None)
        raise ConfigError(
            f"--dry-run looks at folders and archives of images, and --{name} {ahead.sources[name]} is "
            "none; leave --dry-run out"
        )
    say_sizes(ahead)
    told = plan_to_json(ahead, ahead.plan)
    if json:
        print_result(told)
    else:
        show_plan(told)


def show_plan(told: dict[str, Any]) -> None:
    """Print a plan for people."""
    from rote.core.console import print_table, print_text, table

    rows = [
        [
            name,
            f"{side['images']:,}",
            " x ".join(map(str, side["shape"])),
            show_bytes(side["bytes"]),
            side["kept"],
        ]
        for name, side in told["sides"].items()
    ]
    print_table(table("sides", ["side", "images", "C x H x W", "decoded", "held"], rows))
    rows = [[name, show_bytes(size)] for name, size in told["stages"].items()]
    print_table(table("memory of each stage", ["stage", "beside what is held"], rows))
    print_text(
        f"peak memory {show_bytes(told['peak'])} of {show_bytes(told['memory'])}, "
        f"{show_bytes(told['held'])} of it all the time; blocks of {show_bytes(told['block'])}"
        + ("; the references are searched block by block" if told["by_blocks"] else "")
    )
    print_text(f"disk for decoded images {show_bytes(told['cache'])}")
    seconds = told["seconds"]
    print_text(
        f"about {seconds['decode']:,.0f} s to decode (a few files were timed, none is kept) and "
        f"{seconds['measure']:,.0f} s to measure (by rates of two cores)"
    )
