"""The memory that an audit takes, added up from above before it begins, and what makes it fit.

The peak is that of the process with Python and its libraries. What is held besides: sides that are not
mapped from files; blocks of items that are copied, made or decoded together, whose size is a choice
(`rote.core.memory.Blocks`); features of every item, by which neighbors and near-duplicates are found;
and copies of the references, unless these are long (`rote.neighbors.numeric.is_long`) or searched block
by block. A test and `benchmarks/audit_memory.py` hold it against the peaks of processes.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from rote.core.errors import ConfigError
from rote.core.mapped_pages import is_mapped
from rote.core.memory import Blocks, held_in, memory_left
from rote.data.dataset import Dataset
from rote.memorization.audit.options import AuditOptions
from rote.memorization.corruptions import default_copies, degradations
from rote.memorization.duplicate_radius import TOGETHER
from rote.neighbors.numeric import LONG
from rote.neighbors.out_of_core.memory_budget import resident_bytes, search_bytes
from rote.spaces.space import PIXEL, Space

SHARE = 0.75
"""Of the memory that the machine has left, where no budget is given."""
LARGEST, SMALLEST = 2**28, 2**22
"""Bytes of a block."""
MARGIN = 1.1
LIBRARIES = 700 * 2**20
"""Python with all that an audit loads, compiled code and what the allocator keeps."""
LONG_FEATURES = 2 * 4 * (512 + 64 + 2) + 64
"""Bytes of the features of a long item, in the order of items and of their leaves."""
FITTING = 160 * 2**20
"""Sketches of a sample of long items, and the directions that are fitted to them."""
GROUPING = 4 * 4 * 129 + 128
"""Bytes that an item takes while near-duplicates are grouped."""
CANDIDATES = 8 * 512 * 8192
"""Bytes that a thread notes of a block of queries."""
WIDTH = 2048
"""Numbers of a row of a network that is not opened yet."""
PRODUCTS = 2**28
"""Bytes of a block of products of a thread, of long items."""


@dataclass(frozen=True)
class PlannedSide:
    """One side of an audit.

    Attributes
    ----------
    name
        generated, training or holdout.
    count
        Of items.
    shape
        Of an item.
    itemsize
        Bytes of one number.
    mapped
        Whether they stay in a file; else all are in memory together.
    """

    name: str
    count: int
    shape: tuple[int, ...]
    itemsize: int = 1
    mapped: bool = False

    @property
    def item_bytes(self) -> int:
        """Bytes of one item."""
        return math.prod(self.shape) * self.itemsize

    @property
    def held(self) -> int:
        """Bytes of the side that are in memory all the time."""
        return 0 if self.mapped else self.count * self.item_bytes


@dataclass(frozen=True)
class Plan:
    """What an audit takes.

    Attributes
    ----------
    memory
        The budget, in bytes.
    held
        Bytes held all the time: Python, its libraries, sides in memory.
    stages
        Bytes that each stage takes besides.
    blocks
        How much is held at a time.
    """

    memory: int
    held: int
    stages: dict[str, int]
    blocks: Blocks

    @property
    def peak(self) -> int:
        """The most bytes at any time."""
        return self.held + max(self.stages.values())


def default_memory() -> int:
    """Return the budget of an audit that is given none: a share of what is left, and what is held."""
    return resident_bytes() + int(SHARE * memory_left())


def plan_audit(
    sides: Sequence[PlannedSide],
    *,
    memory: int | None,
    copies: int,
    widths: Sequence[int] = (),
    loaded: bool = False,
) -> Plan:
    """Choose the largest blocks with which an audit stays within its memory.

    Parameters
    ----------
    sides
        The generated one first, then the training one.
    memory
        The budget of the whole process, in bytes; None: `default_memory`.
    copies
        Training items that the positive control degrades.
    widths
        Numbers of a row in each space of a network.
    loaded
        Whether what is held in memory is there already, libraries and sides.

    Raises
    ------
    ConfigError
        If the smallest blocks do not fit.
    """
    budget = default_memory() if memory is None else memory
    held = sum(side.held for side in sides) + LIBRARIES
    if loaded:
        held = max(resident_bytes(), LIBRARIES)
    block = LARGEST
    while True:
        for in_place in (False, True):
            stages = _stages(sides, block, copies=copies, widths=widths, in_place=in_place)
            references = 0.0 if in_place else math.inf
            plan = Plan(budget, held, stages, Blocks(block, references))
            if plan.peak <= budget:
                return plan
        if block <= SMALLEST:
            break
        block //= 2
    raise ConfigError(
        f"`memory` is {budget / 1e6:,.0f} MB, and this audit needs {-(-plan.peak // 10**7) * 10:,} MB at "
        f"the least ({_largest_part(plan, sides)}); give that much, fewer images, or a smaller "
        "`resolution`"
    )


@contextlib.contextmanager
def within_memory(
    generated: Dataset,
    training: Dataset,
    holdout: Dataset | None,
    options: AuditOptions,
    *,
    memory: int | None,
) -> Iterator[None]:
    """Let an audit of sides that are loaded hold what it needs in blocks that fit.

    Raises
    ------
    ConfigError
        As `plan_audit`.
    """
    given = {"generated": generated, "training": training, "holdout": holdout}
    sides = [
        PlannedSide(
            name, len(side), side.items.shape[1:], side.items.itemsize, mapped=is_mapped(side.items)
        )
        for name, side in given.items()
        if side is not None
    ]
    asked = options.positive_control
    copies = default_copies(training.items[:1].nbytes) if asked is None else asked
    copies = min(copies, len(training))
    widths = [
        (space.width or WIDTH) if isinstance(space, Space) else WIDTH
        for space in options.space
        if space not in (PIXEL, PIXEL.name)
    ]
    plan = plan_audit(sides, memory=memory, copies=copies, widths=widths, loaded=True)
    with held_in(plan.blocks):
        yield


def _largest_part(plan: Plan, sides: Sequence[PlannedSide]) -> str:
    """Say what most of the memory is for."""
    parts = {f"the {side.name} side": side.held for side in sides}
    parts |= {f"the stage {name}": size for name, size in plan.stages.items()}
    name = max(parts, key=lambda part: parts[part])
    return f"{parts[name] / 1e6:,.0f} MB for {name}"


def _stages(
    sides: Sequence[PlannedSide],
    block: int,
    *,
    copies: int,
    widths: Sequence[int],
    in_place: bool,
) -> dict[str, int]:
    generated, training = sides[0], sides[1]
    threads = torch.get_num_threads()
    item = training.item_bytes
    largest = max(side.count for side in sides)
    # What is measured together for the spacing, its pages, and what is multiplied of it.
    long = training.itemsize == 1 and item >= LONG
    spacing = 2 * max(TOGETHER, item) + (threads * PRODUCTS if long else 0)
    grouping = largest * GROUPING + max(FITTING, spacing)
    query = min(max(block, item), max(side.count for side in sides) * item)
    searched = _search_bytes(generated, training, query, threads=threads, in_place=in_place)
    kinds = len(degradations("image"))
    made = 0
    if copies:
        # Each image in all ways, as many as fit into a block; a thread has its noise and some pictures.
        one = kinds * item
        made = min(copies * one, max(block, one)) + threads * 12 * item
    found = {
        "decode": 2 * block + 8 * threads * item,
        "duplicates": grouping,
        "search": query + searched,
        "controls": made + query + searched,
    }
    for width in widths:
        rows = sum(side.count for side in sides) * width * 4
        features = search_bytes(
            queries=min(generated.count, 16384),
            references=training.count,
            dimension=width,
            itemsize=4,
            k=2,
            threads=threads,
        )
        found["features"] = found.get("features", 2**30) + rows
        found["search"] = max(found["search"], features + rows)
    return {name: int(MARGIN * size) for name, size in found.items()}


def _search_bytes(
    generated: PlannedSide, training: PlannedSide, query: int, *, threads: int, in_place: bool
) -> int:
    """Return what a search takes beside its queries."""
    item = training.item_bytes
    if training.itemsize == 1 and item >= LONG:
        return training.count * LONG_FEATURES + FITTING + threads * (CANDIDATES + PRODUCTS)
    references = training.count
    if in_place:
        references = min(references, max(1, query // item))
    return search_bytes(
        queries=max(1, query // item),
        references=references,
        dimension=math.prod(training.shape),
        itemsize=training.itemsize,
        k=4,
        threads=threads,
    )
