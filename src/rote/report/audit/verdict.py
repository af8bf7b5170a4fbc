"""The first screen of an audit: pass or fail, the share in words, the control, what would be missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rote.report.audit.criteria import criterion_title
from rote.report.audit.gallery import data_url, worst_rows
from rote.report.audit.positive_control import Recall, kind_of
from rote.report.audit.read import Audit
from rote.report.words import format_points, join, one, percent_of, plain, short
from rote.results.audit import AuditFile
from rote.results.criterion import Criterion
from rote.results.gallery import EXACT
from rote.stats.rates import Rate

SEEN_BY = {
    "flip": ("invariances", "flip"),
    "shift": ("invariances", "shift"),
    "tone": ("invariances", "tone"),
    "blur": ("space", "lowres"),
    "noise": ("space", "lowres"),
    "resize": ("space", "lowres"),
    "jpeg": ("space", "lowres"),
    "crop": ("space", "lowres"),
    "blur-3d": ("space", "lowres"),
    "shift-3d": ("space", "lowres"),
    "rotation": ("space", "lowres"),
    "left-right": ("invariances", "flip"),
    "delay": ("invariances", "shift"),
    "gain": ("invariances", "gain"),
    "polarity": ("invariances", "polarity"),
}
"""Argument and value that see copies made so, as measured (`spaces.md`, `volumes.md`, `sound.md` of the
results)."""


@dataclass(frozen=True)
class Decision:
    """What a gate says: `pass`, `fail` or `undecided`, and why."""

    word: str
    why: str


@dataclass(frozen=True)
class Missed:
    """Copies that this audit would mostly have missed; the options that would see them, and which."""

    copies: str
    options: tuple[tuple[str, tuple[str, ...], str], ...]  # argument, its values, kinds of copies


@dataclass(frozen=True)
class WorstPair:
    """One of the nearest pairs; pictures are data URLs, empty for other items than images.

    ``told`` is the verdict in words.
    """

    index: int
    nearest: int
    ratio: float
    memorized: bool
    told: str
    own: str
    near: str
    own_name: str
    near_name: str
    moved: str


def decision_of(file: AuditFile, criteria: Sequence[Criterion], *, unit: str) -> Decision | None:
    """Say whether a gate is passed, with the limit and the end of the interval that decided."""
    gate = file.gate
    if gate is None:
        return None
    asked = next((c for c in criteria if c.name == gate.criterion), None)
    by = f" by the {criterion_title(asked).lower()}" if asked and asked is not criteria[0] else ""
    # Where samples come in groups, the gate is held against the wider interval.
    grouped = file.clusters.rates.get(gate.criterion) if file.clusters else None
    rate = grouped or (asked.rate if asked else None)
    limit, told = f"the limit is {percent_of(gate.limit)}", "are copies"
    if gate.unit == "groups" and file.groups is not None:
        rate, unit = file.groups.reproduced[gate.criterion], "groups"
        told = f"of {rate.total:,} groups are reproduced"
    if rate is not None:
        limit = f"{percent_of(rate.value)} {told}{by}, {limit}"
    if gate.decision == "undecided":
        if gate.doubt:
            return Decision("undecided", f"{limit}. The share is doubtful: {plain(gate.doubt)}")
        more = f"; about {gate.more_images:,} more would decide" if gate.more_images else ""
        return Decision("undecided", f"{limit}. These {unit} are too few to decide{more}")
    word = "pass" if gate.decision == "below" else "fail"
    if rate is None:
        return Decision(word, limit)
    end = "at most" if word == "pass" else "at least"
    bound = percent_of(rate.high if word == "pass" else rate.low)
    return Decision(word, f"{limit}. Allowing for chance, the share is {end} {bound}")


def interval_sentence(rate: Rate) -> str:
    """Say in words what the interval of a rate is an interval of."""
    sure = f"{100 * rate.confidence:g} %"
    if rate.count == 0:
        return (
            f"Of many more made the same way, up to {percent_of(rate.high)} may be ({sure} sure)."
        )
    return (
        f"Of many more made the same way, {percent_of(rate.low)} to {percent_of(rate.high)} would be "
        f"({sure} sure)."
    )


def missed_of(file: AuditFile, recall: Recall | None) -> Missed:
    """Return the copies of which the first criterion finds less than half, with a way out.

    No option is named for kinds that another criterion of this audit sees.
    """
    if recall is None or file.positive_control is None:
        return Missed("", ())
    kinds = {kind_of(cell)[1]: cell.corruption for cell in file.positive_control.cells}
    used = {
        "invariances": list(file.invariances.names),
        "space": [plain(entry.space.name) for entry in file.spaces] or [file.criterion.space],
    }
    more: dict[str, list[str]] = {}
    seen: dict[str, list[str]] = {}
    here = {kind for _, kinds, _ in recall.seen for kind in kinds}
    for blind in recall.blind:
        if blind.adjective in here:
            continue
        argument, value = SEEN_BY.get(kinds[blind.adjective], ("", ""))
        if argument and value not in used[argument]:
            seen.setdefault(argument, []).append(blind.adjective)
            values = more.setdefault(argument, list(used[argument]))
            values += [] if value in values else [value]
    if "invariances" in more:  # one list; spaces are given one by one
        more["invariances"] = [",".join(more["invariances"])]
    whole = [blind.adjective for blind in recall.blind if not blind.start]
    strong = [str(blind) for blind in recall.blind if blind.start]
    copies = [f"{join(whole, 'or')} ones"] if whole else []
    copies += [f"strongly changed ones: {join(strong)}"] if strong else []
    options = tuple((name, tuple(more[name]), join(told)) for name, told in seen.items())
    return Missed(", and ".join(copies), options)


def worst_pairs(audit: Audit) -> list[WorstPair]:
    """Return the pairs of lowest ratio that the gallery has, with their pictures."""
    gallery, neighbors = audit.gallery, audit.neighbors
    rows = worst_rows(audit)
    pairs = None if audit.tables is None else audit.tables[0]
    found = []
    for row in rows.tolist():
        index, nearest = int(gallery.index[row]), int(gallery.nearest[row])
        pictured = gallery.generated.ndim == 4
        memorized = bool(neighbors.memorized[index])
        exact = memorized and neighbors.nearest[index] == 0
        moved = ""
        if pairs is not None:
            down, right = int(pairs.down[index]), int(pairs.right[index])
            moved = join(
                [
                    *(["mirrored"] if pairs.mirrored[index] else []),
                    *([f"moved by {abs(down)}, {abs(right)}"] if down or right else []),
                ]
            )
        found.append(
            WorstPair(
                index=index,
                nearest=nearest,
                ratio=float(neighbors.ratios[index]),
                memorized=memorized,
                told="exact copy" if exact else "copy" if memorized else "not flagged",
                own=data_url(gallery.generated[row]) if pictured else "",
                near=data_url(gallery.nn1[row]) if pictured else "",
                own_name=short(pairs.names[index]) if pairs is not None else f"#{index}",
                near_name=short(pairs.nearest[index]) if pairs is not None else f"#{nearest}",
                moved=moved,
            )
        )
    return found


def first_screen(
    audit: Audit, criteria: Sequence[Criterion], recall: Recall | None, *, unit: str
) -> dict[str, Any]:
    """Return what the first screen of an audit says."""
    file, first = audit.file, criteria[0]
    return {
        "decision": decision_of(file, criteria, unit=unit),
        "share": percent_of(file.rate.value),
        "interval": interval_sentence(file.rate),
        "above_control": format_points(first.excess) if first.excess else "",
        "missed": missed_of(file, recall),
        "worst": worst_pairs(audit),
        "crisp": audit.gallery.generated.ndim == 4
        and max(audit.gallery.generated.shape[1:3]) <= EXACT,
        "one": one(unit),
    }
