"""The files of an audit; their formats are told in `docs/reference/files.md`."""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.atomic_files import write_lines, write_npz
from rote.core.mapped_pages import release_pages
from rote.data.dataset import Dataset
from rote.data.duplicates import DuplicateGroups
from rote.memorization.audit.agreement import MOST_DISPUTED, Agreement, recall_at_fpr
from rote.memorization.audit.gallery import gallery
from rote.memorization.audit.per_space import CriterionResult, SpaceResult
from rote.memorization.audit.result import Findings, SupplementaryMetrics
from rote.memorization.invariances import MOST_SHIFT, describe
from rote.memorization.summary import VERDICTS, classify, count_verdicts, rates_by
from rote.results.audit import AuditFile
from rote.results.schema import write_result
from rote.spaces.pairwise import GRID, tile_squares
from rote.stats.rates import Rate, newcombe

RELEASE_EVERY = 8192
PAIR_COLUMNS = (
    *("generated", "name", "memorized", "ratio"),
    *("nn1_index", "nn1_name", "nn1_distance"),
    *("nn2_index", "nn2_name", "nn2_distance"),
    *("verdict", "transform", "training_group", "generated_group"),
)
DUPLICATE_COLUMNS = ("side", "group", "size", "index", "name", "rms", "nn1_index", "nn1_name")


def to_json(found: Findings) -> dict[str, Any]:
    """Return the content of `audit.json`."""
    space = found.spaces[0].space["name"]
    ratio, settings = found.criteria[0], found.settings
    control = None
    if found.control is not None and found.holdout is not None:
        control = {"rate": found.control.to_json(), **_side(found.holdout)}
    agreed = found.agreement
    return {
        "kind": "audit",
        "provenance": None if found.provenance is None else found.provenance.to_json(),
        "notices": [notice.to_json() for notice in found.notices],
        "rate": found.rate.to_json(),
        "criterion": {**found.criterion.to_json(), "space": space},
        "generated": _side(found.generated),
        "training": _side(found.training),
        "duplicates": {
            **found.duplicates.to_json(),
            "near": {
                "rms": settings.duplicate_rms,
                "spacing": settings.spacing,
                **found.groups.to_json(),
            },
        },
        "coverage": found.coverage(),
        "control": control,
        "calibrated": next(
            (_criterion_json(c) for c in found.criteria if c.name == "calibrated"), None
        ),
        "excess": _excess(ratio.rate, ratio.control),
        "verdicts": {
            c.name: count_verdicts(classify(c.memorized, found.collapse.repeated))
            for c in found.criteria
            if c.memorized is not None
        },
        "criteria": [_criterion_json(c) for c in found.criteria],
        "collapse": {"rms": settings.duplicate_rms, **found.collapse.to_json()},
        "holdout_in_training": None if found.leaks is None else found.leaks.to_json(),
        "set_aside": settings.set_aside,
        "positive_control": _positive_json(found.spaces[0]),
        "per_class": rates_by(
            None if found.training.labels is None else found.training.labels[found.nn1_index],
            found.training.classes,
            found.memorized,
            confidence=found.rate.confidence,
        ),
        "per_label": rates_by(
            found.generated.labels,
            found.generated.classes,
            found.memorized,
            confidence=found.rate.confidence,
        ),
        "invariances": {
            "names": settings.invariances.names,
            "most_shift": MOST_SHIFT if settings.invariances.shift else 0,
        },
        "seed": settings.seed,
        "gate": None if found.gate is None else found.gate.to_json(),
        **(found.supplement or SupplementaryMetrics()).to_json(),
        **_of_spaces(found, agreed),
    }


def _criterion_json(result: CriterionResult) -> dict[str, Any]:
    """Return what one criterion says, as plain types."""
    return {
        **result.description,
        "rate": None if result.rate is None else result.rate.to_json(),
        "control": None if result.control is None else result.control.to_json(),
        "excess": _excess(result.rate, result.control),
        "unproven": result.unproven,
    }


def _excess(rate: Rate | None, control: Rate | None) -> dict[str, Any] | None:
    return None if rate is None or control is None else newcombe(rate, control).to_json()


def _side(dataset: Dataset) -> dict[str, Any]:
    return {
        **dataset.provenance(),
        "unreadable": len(dataset.unreadable),
        "classes": list(dataset.classes),
    }


def save(found: Findings, folder: Path, *, labels: npt.NDArray[np.int64] | None) -> None:
    """Write `neighbors.npz`, the tables, `gallery.npz` and, last, `audit.json`."""
    labels = found.generated.labels if labels is None else labels
    write_npz(folder / "neighbors.npz", _arrays(found, labels))
    write_lines(folder / "pairs.csv", _csv(PAIR_COLUMNS, _pairs(found)))
    write_lines(folder / "duplicates.csv", _csv(DUPLICATE_COLUMNS, _duplicates(found)))
    write_npz(folder / "gallery.npz", gallery(found, labels))
    if len(found.spaces) > 1:
        agreed = found.agreement
        assert agreed is not None
        write_npz(folder / "spaces.npz", _space_arrays(found, agreed))
        write_npz(folder / "disputes.npz", _dispute_arrays(found, agreed))
    else:
        for name in ("spaces.npz", "disputes.npz"):  # of an earlier audit in this folder
            (folder / name).unlink(missing_ok=True)
    write_result(folder / "audit.json", AuditFile, to_json(found))


def _arrays(found: Findings, labels: npt.NDArray[np.int64] | None) -> dict[str, npt.NDArray[Any]]:
    matches = found.measured.matches
    arrays: dict[str, npt.NDArray[Any]] = {
        "nn1_index": found.nn1_index,
        "nn2_index": found.nn2_index,
        "nn1_sq": found.nn1_sq,
        "nn2_sq": found.nn2_sq,
        "memorized": found.memorized,
        "verdict": found.verdict,
        "transform": matches.transform,
        "training_group": found.groups.group[found.nn1_index],
        "generated_group": found.collapse.group,
    }
    for result in found.criteria:
        if result.memorized is not None:
            arrays[f"memorized_{result.name}"] = result.memorized
    for name, score in found.measured.scores.items():
        arrays[f"score_{name}"] = score
    if found.generated.seeds is not None:
        arrays["seeds"] = found.generated.seeds
    if labels is not None:
        arrays["label"] = labels
    if found.training.labels is not None:
        arrays["nn1_label"] = found.training.labels[found.nn1_index]
    if found.held_out is not None:
        arrays["holdout_nn1_sq"] = found.held_out.matches.nn1_sq
        arrays["holdout_nn2_sq"] = found.held_out.matches.nn2_sq
    if found.within is not None:
        arrays["training_nn1_sq"] = found.within.nn1_sq
        arrays["training_nn2_sq"] = found.within.nn2_sq
    return arrays


def _by_ratio(found: Findings) -> npt.NDArray[np.int64]:
    """Positions of the generated items, lowest ratio first, ties by position."""
    return np.argsort(found.ratio, kind="stable")


def _csv(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Yield the lines of a table, so that of a million rows one is in memory at a time."""
    line = io.StringIO(newline="")
    writer = csv.writer(line, lineterminator="\n")
    for row in itertools.chain([header], rows):
        writer.writerow(row)
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _pairs(found: Findings) -> Iterator[list[Any]]:
    names, ratio = found.training.names, found.ratio
    transform, invariances = found.measured.matches.transform, found.settings.invariances
    for i in _by_ratio(found):
        near, far = int(found.nn1_index[i]), int(found.nn2_index[i])
        nn1, nn2 = math.sqrt(found.nn1_sq[i]), math.sqrt(found.nn2_sq[i])
        verdict = "yes" if found.memorized[i] else "no"
        row = [i, found.generated.names[i], verdict, f"{ratio[i]:.6g}", near, names[near]]
        row += [f"{nn1:.6g}", far, names[far], f"{nn2:.6g}"]
        row += [VERDICTS[found.verdict[i]], describe(int(transform[i]), invariances)]
        yield [*row, found.groups.group[near], found.collapse.group[i]]


def _duplicates(found: Findings) -> Iterator[list[Any]]:
    yield from _group_rows("training", found.training, found.groups)
    yield from _group_rows("generated", found.generated, found.collapse)
    yield from _leak_rows(found)


def _group_rows(name: str, side: Dataset, groups: DuplicateGroups) -> Iterator[list[Any]]:
    """Yield the members of all groups of two and more, by group, then position."""
    members = np.flatnonzero(groups.repeated)
    members = members[np.argsort(groups.group[members], kind="stable")]
    sizes = groups.sizes
    for number, i in enumerate(members):
        if number % RELEASE_EVERY == 0:
            release_pages(side.items)
        group = int(groups.group[i])
        first = side.items[groups.representative[group]].astype(np.float64)
        rms = float(np.sqrt(np.square(side.items[i] - first).mean()))
        yield [name, group, int(sizes[group]), int(i), side.names[i], f"{rms:.4g}", "", ""]


def _leak_rows(found: Findings) -> list[list[Any]]:
    """Return the held-out items that lie in the training set, with the group that they lie in."""
    if found.leaks is None or found.holdout is None:
        return []
    values = int(np.prod(found.training.items.shape[1:]))
    sizes, rows = found.groups.sizes, []
    for i, near, sq in zip(found.leaks.index, found.leaks.nn1_index, found.leaks.sq, strict=True):
        group = int(found.groups.group[near])
        row = ["holdout", group, int(sizes[group]), int(i), found.holdout.names[i]]
        rows.append([*row, f"{float(np.sqrt(sq / values)):.4g}", near, found.training.names[near]])
    return rows


def _of_spaces(found: Findings, agreed: Agreement | None) -> dict[str, Any]:
    """Return the keys of `audit.json` that tell of all spaces."""
    seen = recall_at_fpr(
        found.spaces,
        false_positive_rate=found.settings.false_positive_rate,
        confidence=found.settings.confidence,
    )
    return {
        "ruler": None if found.preprocessing is None else found.preprocessing.to_json(),
        "spaces": [_space(result) for result in found.spaces],
        "agreement": None if agreed is None else agreed.to_json(),
        "recall_at_rate": None if seen is None else seen.to_json(),
    }


def _space(result: SpaceResult) -> dict[str, Any]:
    return {
        "space": result.space,
        "criteria": [_criterion_json(criterion) for criterion in result.criteria],
        "positive_control": _positive_json(result),
    }


def _positive_json(result: SpaceResult) -> dict[str, Any] | None:
    """Return the positive control of one space."""
    if not result.positive:
        return None
    return {
        "copies": result.positive[0].found.total,
        "cells": [cell.to_json() for cell in result.positive],
    }


def _space_arrays(found: Findings, agreed: Agreement | None) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of `spaces.npz`: a row per space, or per ruler, a column per image."""
    matches = [result.measured.matches for result in found.spaces]
    arrays: dict[str, npt.NDArray[Any]] = {
        name: np.stack([getattr(match, name) for match in matches])
        for name in ("nn1_index", "nn2_index")
    }
    for name in ("nn1_sq", "nn2_sq"):
        arrays[name] = np.stack([getattr(match, name).astype(np.float64) for match in matches])
    if agreed is not None:
        arrays["memorized"] = np.stack([ruler.memorized for ruler in agreed.rulers])
        arrays["score"] = np.stack([ruler.score for ruler in agreed.rulers])
    return arrays


def _dispute_arrays(found: Findings, agreed: Agreement) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of `disputes.npz`: pictures of the images that divide the rulers most."""
    chosen = agreed.disputed[:MOST_DISPUTED]
    nearest = np.stack([r.measured.matches.nn1_index[chosen] for r in found.spaces], axis=1)
    shape = (*nearest.shape, *found.training.items.shape[1:])
    pictures = np.asarray(found.training.items[nearest.ravel()]).reshape(shape)
    generated = np.asarray(found.generated.items[chosen])
    return {
        "generated_index": chosen,
        "generated": generated,
        "nearest_index": nearest,
        "nearest": pictures,
        "memorized": np.stack([r.memorized[chosen] for r in agreed.rulers], axis=1),
        "score": np.stack([r.score[chosen] for r in agreed.rulers], axis=1),
        **_tiles(found, generated, pictures),
    }


def _tiles(
    found: Findings, generated: npt.NDArray[np.uint8], nearest: npt.NDArray[np.uint8]
) -> dict[str, npt.NDArray[Any]]:
    """Return where the copy is: how far each tile lies from the nearest image under `patch`."""
    names = [result.space["name"] for result in found.spaces]
    if "patch" not in names or not len(generated):
        return {}
    squares = tile_squares(generated, nearest[:, names.index("patch")], grid=GRID)
    return {"tiles": np.sqrt(squares).astype(np.float32)}
