"""What `rote audit` does before anything is decoded: sizes made equal, memory planned, `--dry-run`."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rote.cli.data.shard import show_bytes
from rote.cli.source import SourceOptions, named

if TYPE_CHECKING:
    from rote.data.probe import Probe
    from rote.memorization.audit.options import AuditOptions
    from rote.memorization.audit.plan import Plan, PlannedSide

PASSES, COPIES_MADE, PRODUCTS = 150e6, 40e6, 1e11
"""Bytes of sides, bytes of degraded copies, products of a search: what two cores do in a second."""
START_SECONDS = 8.0


@dataclass(frozen=True)
class Look:
    """What was seen of the sides, by name; None of a source that is no folder or archive of images."""

    sides: dict[str, Probe | None]
    sources: dict[str, str]

    def options_of(self, name: str, how: SourceOptions) -> SourceOptions:
        """Return how a side is read: of the size of the generated images, where it has another."""
        made, own = self.sides["generated"], self.sides.get(name)
        if how.resolution is not None or not made or not own or name == "generated":
            return how
        (width, height), _ = made.sizes[0]
        if len(made.sizes) > 1 or width != height or own.sizes == made.sizes:
            return how
        if len(own.sizes) == 1 and own.sizes[0][0] == (width, height):
            return how
        return replace(how, resolution=width)


def look_at(sources: dict[str, str], how: SourceOptions, *, timed: bool) -> Look:
    """Open some files of each side; ``sources`` are the sides by name, the generated one first."""
    from rote.data.named.scikit_learn import DESCRIPTIONS
    from rote.data.probe import probe

    found: dict[str, Probe | None] = {}
    for name, source in sources.items():
        with named(f"--{name}"):
            known = source in DESCRIPTIONS
            found[name] = None if known else probe(source, how.read(), timed=timed)
    return Look(found, sources)


def say_sizes(look: Look, how: SourceOptions) -> None:
    """Say of each side whose images are brought to the size of the generated ones, and how."""
    from rote.core.console import say

    for name, own in look.sides.items():
        asked = look.options_of(name, how)
        if own is None or asked is how:
            continue
        side = asked.resolution
        sizes = ", ".join(f"{w}x{h}" for (w, h), _ in own.sizes[:3])
        more = f" and {len(own.sizes) - 3:,} more" if len(own.sizes) > 3 else ""
        say(
            f"--{name}: images of {sizes}{more} are brought to {side}x{side}, as the generated ones are "
            f"(--resize {how.resize}; give what the trainer of the model did: crop, squeeze or pad)"
        )


def plan_of(
    look: Look, how: SourceOptions, asked: AuditOptions, *, memory: int | None, cached: bool
) -> Plan | None:
    """Plan the memory, where both sides are folders or archives of images.

    Raises
    ------
    ConfigError
        If it does not fit.
    """
    from rote.memorization.audit.plan import plan_audit

    sides = sides_of(look, how, cached=cached)
    if len(sides) < 2 or sides[1].name != "training":
        return None
    return plan_audit(sides, memory=memory, copies=copies_of(asked, sides[1]))


def copies_of(asked: AuditOptions, training: PlannedSide) -> int:
    """Return how many training images the positive control degrades."""
    from rote.memorization.controls import COPIES

    return min(COPIES if asked.positive_control is None else asked.positive_control, training.count)


def sides_of(look: Look, how: SourceOptions, *, cached: bool) -> list[PlannedSide]:
    """Return what the sides become."""
    from rote.data.files.decoded_cache import CACHE_FROM
    from rote.memorization.audit.plan import PlannedSide

    found = []
    for name, own in look.sides.items():
        if own is not None:
            shape = own.shape(look.options_of(name, how).read())
            mapped = cached and own.files >= CACHE_FROM
            found.append(PlannedSide(name, own.files, shape, mapped=mapped))
    return found


def plan_to_json(
    look: Look, plan: Plan, sides: list[PlannedSide], *, copies: int
) -> dict[str, Any]:
    """Return what `--dry-run` prints."""
    from rote.memorization.corruptions import degradations

    generated, training = sides[0], sides[1]
    item = training.item_bytes
    decode = sum(own.files * own.seconds for own in look.sides.values() if own is not None)
    made = copies * len(degradations("image"))
    searched = generated.count + made + sum(side.count for side in sides[2:]) + 1000
    numbers = min(item, 512) if item >= 2**14 else item
    measure = sum(side.count * side.item_bytes for side in sides) / PASSES
    measure += made * item / COPIES_MADE + searched * training.count * numbers / PRODUCTS
    return {
        "sides": {
            side.name: {
                "source": look.sources[side.name],
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


def print_plan(
    look: Look,
    plan: Plan | None,
    how: SourceOptions,
    asked: AuditOptions,
    *,
    cached: bool,
    json: bool,
) -> None:
    """Print what an audit would take.

    Raises
    ------
    ConfigError
        If a side is no folder or archive of images.
    """
    from rote.core.console import print_result
    from rote.core.errors import ConfigError

    if plan is None:
        name = next(name for name, own in look.sides.items() if own is None)
        raise ConfigError(
            f"--dry-run looks at folders and archives of images, and --{name} {look.sources[name]} is "
            "none; leave --dry-run out"
        )
    say_sizes(look, how)
    sides = sides_of(look, how, cached=cached)
    told = plan_to_json(look, plan, sides, copies=copies_of(asked, sides[1]))
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
