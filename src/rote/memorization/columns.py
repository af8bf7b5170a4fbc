"""Columns that count for nothing, that decide alone what is near, or that have other units on each side.

All are sentences with the numbers that they rest on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.seeds import child_seed
from rote.data.dataset import Dataset
from rote.data.messages import shown
from rote.data.sampling import drawn_by_content
from rote.data.scaling import VECTOR_STD
from rote.memorization.corruptions.numbers import measured_columns
from rote.memorization.defaults import RATIO_THRESHOLD
from rote.memorization.differences.silent_differences import makes_copies
from rote.neighbors.search import nearest_neighbors
from rote.spaces.gower import Gower

FEW_COLUMNS = 0.05
"""Share of the columns, or one, that may not hold half of all distance between neighbors."""
FAR_OUT = 10
"""Spreads that generated values lie from the mean, where a column is beyond training."""
MOST_LOOKED_AT = 1000
MOST_CHANGED = 128
"""Items looked at under every change."""

SLACK = 0.01
"""How far scaling back may miss the ends of a range."""

Finding = tuple[str, dict[str, Any]]
"""A sentence and the numbers that it rests on."""


def constant_columns(training: Dataset, generated: Dataset) -> Finding | None:
    """Return which columns or channels do not vary in training, and how many generated items leave them.

    Parameters
    ----------
    training
        The training side as it is measured.
    generated
        The generated side as it was given; in its own units where it was scaled by the audit.
    """
    scaling, schema = training.scaling, training.schema
    if scaling is None or not len(scaling.constant):
        return None
    all_of_it = scaling.scale == 0
    if schema is not None:
        all_of_it = np.array([all_of_it[part].all() for _, part in schema.parts()])
    if not all_of_it.any():
        return None
    first, count = int(np.argmax(all_of_it)), int(all_of_it.sum())
    numbers: dict[str, Any] = {"constant": count, "columns": len(all_of_it), "first": first}
    text = (
        f"{count:,} of {len(all_of_it):,} {_columns_word(training)} are constant in training "
        f"(the first is {_column_name(training, first)}) and left out of every distance"
    )
    if generated.scaling is None:
        values = generated.items[..., scaling.constant].astype(np.float64)
        constant = scaling.shift[scaling.constant]
        away = np.abs(values - constant) > 1e-5 * np.abs(constant)
        leaving = int(away.reshape(len(values), -1).any(axis=1).sum())
        numbers["leaving"] = leaving
        if leaving:
            text += (
                f"; {leaving:,} of {len(generated):,} generated items hold other values there, as no "
                "training item does, which counts for nothing"
            )
    return text, numbers


def blanked_columns(training: Dataset, generated: Dataset) -> Finding | None:
    """Return how many generated rows miss values in columns in which no training row does.

    Both sides are as they were given: the generated one has a place for such cells where it needs one
    (`rote.data.tables.align`).
    """
    ours, theirs = generated.schema, training.schema
    if ours is None or theirs is None or generated.scaling or ours.names != theirs.names:
        return None
    found = {
        column.name: column.empty(generated.items[:, part])
        for (column, part), known in zip(ours.parts(), theirs.columns, strict=True)
        if column.gaps and not known.gaps
    }
    found = {name: empty for name, empty in found.items() if empty.any()}
    if not found:
        return None
    first = next(iter(found))
    rows = int(np.logical_or.reduce(list(found.values())).sum())
    text = (
        f"{rows:,} of {len(generated):,} generated rows miss values in {len(found):,} of "
        f"{len(ours.columns):,} columns in which no training row does ('{shown(first)}' first): such a "
        "cell differs from that of every training row, so copies with blanked cells may be missed; leave "
        "such columns out, or fill the cells in"
    )
    return text, {"rows": rows, "columns": len(found), "first": ours.names.index(first)}


def deciding_columns(
    generated: Dataset, training: Dataset, nearest: npt.NDArray[np.int64], *, gower: bool
) -> Finding | None:
    """Return whether few columns, or such as generated items leave far, decide what is near.

    Parameters
    ----------
    generated, training
        The sides as they are measured.
    nearest
        int64: the training item nearest to each generated one.
    gower
        Whether the distance is Gower's; else it is L2.
    """
    if training.scaling is None:
        return None
    rows = np.linspace(0, len(generated) - 1, min(len(generated), MOST_LOOKED_AT)).astype(np.int64)
    ours = generated.items[rows].astype(np.float64)
    theirs = training.items[nearest[rows]]
    square = (ours - theirs) ** 2
    beyond = (ours**2).reshape(-1, ours.shape[-1]).mean(axis=0) > (FAR_OUT * VECTOR_STD) ** 2
    if training.schema is not None:
        parts = [part for _, part in training.schema.parts()]
        apart = [square[:, part].sum(axis=1) for part in parts]
        square = np.stack(apart, axis=1)
        if gower:
            square = Gower.of(training).by_column(ours, theirs, training.schema)
        beyond = np.array([beyond[part].any() for part in parts])
    parts_of_all = square.reshape(-1, square.shape[-1]).mean(axis=0)
    columns, total = len(parts_of_all), float(parts_of_all.sum())
    if columns < 5 or total == 0:
        return None
    share = parts_of_all / total
    order = np.argsort(-share, kind="stable")
    few = int(np.searchsorted(np.cumsum(share[order]), 0.5)) + 1
    if few > max(1, FEW_COLUMNS * columns):
        few = int(beyond.sum())
        order = np.argsort(-(share * beyond), kind="stable")
    held = float(share[order[:few]].sum())
    if held <= 0.5:
        return None
    word, name = _columns_word(training), _column_name(training, int(order[0]))
    numbers = {"columns": columns, "few": few, "first": int(order[0]), "share": held}
    text = (
        f"{few:,} of {columns:,} {word} ({name} first) hold "
        f"{held:.0%} of the distance between generated items and their nearest: what is near is "
        "decided there, and copies in all other columns may be missed; bring them to one unit, or leave "
        "them out"
    )
    return text, numbers


def other_units(
    generated: Dataset, training: Dataset, positions: npt.NDArray[np.int64], *, seed: int
) -> Finding | None:
    """Return whether a simple change of all values makes generated vectors, rows or series copies.

    A copy in other units, standardized, on a logarithmic scale or with its columns in another order is
    missed, and the rate of 0 looks like any other. So a sample is searched once more under a list of such
    changes, and one is named where it makes copies of items that are none as they are.

    Parameters
    ----------
    generated, training
        The sides as they are measured, scaled by the training side.
    positions
        int64: the training items to compare with, exact duplicates once.
    seed
        Of the sample, which depends on what the items hold and not on their order.
    """
    if training.scaling is None or not len(generated):
        return None
    drawn = drawn_by_content(
        generated.items, np.arange(len(generated)), seed=child_seed(seed, "probe")
    )
    sample, references = generated.items[drawn[:MOST_CHANGED]], training.items[positions]
    before = _copies(sample, references)
    best: Finding | None = None
    most = int(before.sum())
    for name, words, values in _changed(sample, training, references):
        after = _copies(values.astype(np.float32), references)
        if after.sum() <= most or not makes_copies(before, after):
            continue
        most = int(after.sum())
        text = (
            f"of {len(sample)} generated items looked at, {most} are copies of training items {words}, "
            f"and {before.sum()} as they are; are both sides prepared alike?"
        )
        best = (
            text,
            {
                "name": name,
                "words": words,
                "sampled": len(sample),
                "copies": int(before.sum()),
                "copies_changed": most,
            },
        )
    return best


def _copies(
    sample: npt.NDArray[np.float32], references: npt.NDArray[np.float32]
) -> npt.NDArray[np.bool_]:
    """Return which items are copies by the ratio, bool (N,)."""
    flat = [side.reshape(len(side), -1) for side in (sample, references)]
    sq = nearest_neighbors(flat[0], flat[1], k=2).sq_distances.astype(np.float64)
    return np.asarray(sq[:, 0] < RATIO_THRESHOLD**2 * sq[:, 1])


def _changed(
    sample: npt.NDArray[np.float32], training: Dataset, references: npt.NDArray[np.float32]
) -> Iterator[tuple[str, str, npt.NDArray[np.float64]]]:
    """Yield a name, words, and the sample as it is under each change that it may have gone through."""
    scaling = training.scaling
    assert scaling is not None
    measured = measured_columns(training)[1]
    scale, shift = scaling.scale, scaling.shift
    raw = np.divide(sample, scale, out=np.zeros(sample.shape), where=scale != 0) + shift
    for column, part in training.schema.parts() if training.schema else ():
        raw[column.empty(raw[:, part]) if column.missing else [], part.start] = np.nan
    own = raw[np.isfinite(raw) & measured]
    axes = tuple(range(sample.ndim - 1))
    low, high = references.min(axis=axes), references.max(axis=axes)

    def kept(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Leave categories, marks and constant columns as they are."""
        return np.where(measured & np.isfinite(values), values, sample)

    yield "standardized", "with every column standardized", kept(raw * VECTOR_STD)
    if own.size and own.max() <= 1 + SLACK and own.min() >= -1 - SLACK:
        share = raw if own.min() >= -SLACK else (raw + 1) / 2
        ends = "0 to 1" if own.min() >= -SLACK else "-1 to 1"
        yield "range", f"with every column in the range {ends}", kept(low + share * (high - low))
    with np.errstate(all="ignore"):
        spread = np.ma.masked_invalid(raw).std(axis=axes).filled(0)
        ratio = VECTOR_STD / (scale * spread)
        tens = 10.0 ** np.rint(np.log10(np.where(measured & (ratio > 0), ratio, 1)))
        if (np.isfinite(tens) & (tens != 1)).any():
            words = "in units of another power of ten"
            yield "units", words, kept((raw * tens - shift) * scale)
        if own.size and own.max() < 80:
            yield "logarithms", "as logarithms (of 1 + x)", kept((np.expm1(raw) - shift) * scale)
        if own.size and own.min() >= 0:
            yield "powers", "as powers (e^x - 1)", kept((np.log1p(raw) - shift) * scale)
    yield "negated", "with all signs changed", kept((-raw - shift) * scale)
    if training.schema is None and sample.shape[-1] > 1:
        word = f"with their {_columns_word(training)} in reverse order"
        yield "reversed", word, (raw[..., ::-1] - shift) * scale
    if training.kind == "series":
        yield "time", "with their times in reverse order", sample[:, ::-1].astype(np.float64)


def _columns_word(training: Dataset) -> str:
    return "channels" if training.kind == "series" else "columns"


def _column_name(training: Dataset, number: int) -> str:
    """Name a column of a table, by its place among its columns, a number of a vector, or a channel."""
    schema = training.schema
    return f"number {number + 1}" if schema is None else f"'{shown(schema.names[number])}'"
