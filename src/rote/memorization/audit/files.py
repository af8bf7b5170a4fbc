"""The files of an audit; their formats are told in `docs/reference/files.md`."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.atomic_files import write_lines, write_npz
from rote.core.csv_text import csv_lines
from rote.core.files.saved_together import saved_together
from rote.data.dataset import Dataset
from rote.data.files.faults import check_unchanged
from rote.memorization.alignment import describe_delay, most_moved
from rote.memorization.audit.agreement import Agreement, recall_at_fpr
from rote.memorization.audit.gallery import (
    disputes,
    gallery,
    space_arrays,
    write_large,
)
from rote.memorization.audit.per_space import SpaceResult
from rote.memorization.audit.result import Findings, SupplementaryMetrics
from rote.memorization.captions.rates import csv_rows
from rote.memorization.criteria.verdicts import CriterionResult
from rote.memorization.groups.members import duplicate_rows, members_of
from rote.memorization.invariances import describe, undone
from rote.memorization.summary import VERDICTS, classify, count_verdicts, rates_by
from rote.results.audit import AuditFile
from rote.results.gallery import LARGE_FOLDER
from rote.results.schema import write_result
from rote.results.tables import Pairs, table_arrays
from rote.stats.rates import Rate, newcombe

PAIR_COLUMNS = (
    *("generated", "name", "memorized", "ratio"),
    *("nn1_index", "nn1_name", "nn1_distance"),
    *("nn2_index", "nn2_name", "nn2_distance"),
    *("verdict", "transform", "training_group", "generated_group"),
    *("caption", "nn1_caption"),
)
GROUP_COLUMNS = ("nn1_group", "nn2_group")
FILES = (
    *("audit.json", "neighbors.npz", "pairs.csv", "duplicates.csv", "captions.csv"),
    "groups.csv",
    *("tables.npz", "gallery.npz", LARGE_FOLDER),
    *("spaces.npz", "disputes.npz", "report.html"),  # and the page of an audit that lay here before
)


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
        "tolerance": None if found.tolerance is None else found.tolerance.to_json(),
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
            "most_shift": most_moved(found.training) if settings.invariances.shift else 0,
        },
        "seed": settings.seed,
        "gate": None if found.gate is None else found.gate.to_json(),
        "groups": None if found.reproduced is None else found.reproduced.to_json(),
        **(found.supplement or SupplementaryMetrics()).to_json(),
        "captions": None if found.captions is None else found.captions.to_json(),
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
    told = {
        **dataset.provenance(),
        "unreadable": len(dataset.unreadable),
        "classes": list(dataset.classes),
    }
    # Its digest was taken just now: of a mapped file it is that of what was measured, or nothing is said.
    check_unchanged(dataset.items)
    return told


def save(
    found: Findings,
    folder: Path,
    *,
    labels: npt.NDArray[np.int64] | None,
    spreadsheet: bool,
) -> None:
    """Write `audit.json`, `neighbors.npz`, the tables and `gallery.npz`, all or none of them."""
    labels = found.generated.labels if labels is None else labels
    with saved_together(folder, may_hold=FILES) as out:
        write_npz(out / "neighbors.npz", _arrays(found, labels))
        pairs, members = itertools.chain([_pair_columns(found)], _pairs(found)), members_of(found)
        write_lines(out / "pairs.csv", csv_lines(pairs, spreadsheet=spreadsheet))
        rows = duplicate_rows(found, members)
        write_lines(out / "duplicates.csv", csv_lines(rows, spreadsheet=spreadsheet))
        if found.captions is not None:
            listed = csv_rows(found.captions)
            write_lines(out / "captions.csv", csv_lines(listed, spreadsheet=spreadsheet))
        if found.reproduced is not None:
            rows = found.reproduced.rows(found.generated.names)
            write_lines(out / "groups.csv", csv_lines(rows, spreadsheet=spreadsheet))
        write_npz(out / "tables.npz", table_arrays(_named_pairs(found), members))
        write_npz(out / "gallery.npz", gallery(found, labels))
        write_large(found, out / LARGE_FOLDER)
        if len(found.spaces) > 1:
            agreed = found.agreement
            assert agreed is not None
            write_npz(out / "spaces.npz", space_arrays(found, agreed))
            write_npz(out / "disputes.npz", disputes(found, agreed))
        write_result(out / "audit.json", AuditFile, to_json(found))


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


def _pair_columns(found: Findings) -> tuple[str, ...]:
    return PAIR_COLUMNS if found.training.groups is None else (*PAIR_COLUMNS, *GROUP_COLUMNS)


def _pairs(found: Findings) -> Iterator[list[Any]]:
    groups = found.training.groups
    names, ratio = found.training.names, found.ratio
    transform, series = found.measured.matches.transform, found.training.kind == "series"
    told = functools.partial(describe, invariances=found.settings.invariances)
    words = describe_delay if series else told
    own, trained = found.generated.texts, found.training.texts
    for i in found.by_ratio:
        near, far = int(found.nn1_index[i]), int(found.nn2_index[i])
        nn1, nn2 = math.sqrt(found.nn1_sq[i]), math.sqrt(found.nn2_sq[i])
        verdict = "yes" if found.memorized[i] else "no"
        row = [i, found.generated.names[i], verdict, f"{ratio[i]:.6g}", near, names[near]]
        row += [f"{nn1:.6g}", far, names[far], f"{nn2:.6g}"]
        row += [VERDICTS[found.verdict[i]], words(int(transform[i]))]
        row += [found.groups.group[near], found.collapse.group[i]]
        row += [own[i], trained[near]]
        yield [*row, *([] if groups is None else [groups[near], groups[far]])]


def _named_pairs(found: Findings) -> Pairs:
    """Return what `tables.npz` says of every generated item."""
    names, settings = found.training.names, found.settings
    kinds, kind = np.unique(found.measured.matches.transform, return_inverse=True)
    series = found.training.kind == "series"
    moves = [undone(0 if series else int(number), settings.invariances) for number in kinds]
    texts, captioned = found.training.texts, found.generated.captions or found.training.captions
    return Pairs(
        names=found.generated.names,
        nearest=[names[near] for near in found.nn1_index.tolist()],
        captions=found.generated.texts if captioned else (),
        nearest_captions=[texts[near] for near in found.nn1_index.tolist()] if captioned else (),
        mirrored=np.array([mirrored for mirrored, _ in moves], np.bool_)[kind],
        down=np.array([offset.down for _, offset in moves], np.int8)[kind],
        right=np.array([offset.right for _, offset in moves], np.int8)[kind],
    )


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
