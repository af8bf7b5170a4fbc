"""A finished `rote audit` with all that newer versions write, put beside the plain one of report_runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from report_runs import audit_run, digits, neighbors, write_json

from rote.results.tables import Members, Pairs, table_arrays
from rote.stats.rates import newcombe, wilson

STRENGTHS = {"noise": ("levels", (4, 32)), "jpeg": ("quality", (90, 30)), "flip": ("times", (1,))}
FOUND = {
    ("noise", 4): (50, 48),
    ("noise", 32): (50, 20),
    ("jpeg", 90): (50, 50),
    ("jpeg", 30): (40, 3),
    ("flip", 1): (1, 0),
}


def full_audit_run(
    out: Path, *, text: str = "", mirrored: bool = False, holdout: bool = True, aside: int = 0
) -> Path:
    """An audit of 600 generated digits, 12 of them one image; ``text`` goes wherever text can go."""
    audit_run(out, control=holdout)
    audit = json.loads((out / "audit.json").read_text())
    references = digits()[0]
    with np.load(out / "neighbors.npz") as arrays:
        found = dict(arrays)
    group = _repeat(found["memorized"])
    verdict = np.where(found["memorized"], 2, np.bincount(group)[group] > 1).astype(np.int8)
    held_out = neighbors(references[1000:1400], references[:400])
    found |= {"generated_group": group, "verdict": verdict}
    within = neighbors(references[:200], references[200:400])
    found |= {f"training_{k}": within[k] for k in ("nn1_sq", "nn2_sq")}
    if holdout:
        found |= {f"holdout_{k}": held_out[k] for k in ("nn1_sq", "nn2_sq")}
    np.savez_compressed(out / "neighbors.npz", **found)
    _add_small(out, group)
    audit |= _keys(audit, verdict, group, text=text, holdout=holdout, aside=aside)
    write_json(out / "audit.json", audit)
    _write_tables(out, found, group, text=text, mirrored=mirrored)
    return out


def big_audit_run(out: Path, *, text: str) -> Path:
    """The full audit with its 600 images repeated to 10,000, labels and long names."""
    full_audit_run(out, text=text)
    audit = json.loads((out / "audit.json").read_text())
    with np.load(out / "neighbors.npz") as arrays:
        found = {
            name: np.resize(a, 10_000) if len(a) == 600 else a for name, a in dict(arrays).items()
        }
    label = np.arange(10_000) % 10
    found |= {"training_group": found["nn1_index"], "label": label, "nn1_label": label}
    np.savez_compressed(out / "neighbors.npz", **found)
    counts = np.bincount(found["verdict"], minlength=3).tolist()
    rate = wilson(counts[2], 10_000).to_json()
    audit |= {"rate": rate, "excess": None}
    audit["criteria"][0] |= {"rate": rate, "excess": None}
    audit["verdicts"]["ratio"] = dict(zip(("novel", "collapsed", "memorized"), counts, strict=True))
    for side in ("generated", "training"):
        audit[side]["classes"] = [f"class {n}{text}" for n in range(10)]
    write_json(out / "audit.json", audit)
    group = _repeat(found["memorized"])
    _write_tables(out, found, group, text="a" * 100 + text, mirrored=False)
    return out


def _add_small(out: Path, group: np.ndarray) -> None:
    """Small pictures of the first training images and of the group of repeated ones."""
    with np.load(out / "gallery.npz") as arrays:
        found = dict(arrays)
    twin = int(np.bincount(group).argmax())
    side = np.array([1] * 10 + [0], np.int8)
    small = np.concatenate([digits()[0][:10], found["generated"][:1]])
    index = np.array([*range(10), twin], np.int64)
    np.savez_compressed(
        out / "gallery.npz", **found, small=small, small_side=side, small_index=index
    )


def _repeat(memorized: np.ndarray) -> np.ndarray:
    """Twelve images that are no copies form one group; every other one is alone."""
    group = np.arange(len(memorized))
    twins = np.flatnonzero(~memorized)[:12]
    group[twins] = twins[0]
    return group


def _keys(
    audit: dict[str, Any],
    verdict: np.ndarray,
    group: np.ndarray,
    *,
    text: str,
    holdout: bool,
    aside: int,
) -> dict[str, Any]:
    rate = wilson(audit["rate"]["count"], audit["rate"]["total"])
    control = wilson(audit["control"]["rate"]["count"], 400) if holdout else None
    counts = np.bincount(verdict, minlength=3).tolist()
    shared = {
        "direction": "lower is more of a copy",
        "control": control.to_json() if control else None,
        "excess": newcombe(rate, control).to_json() if control else None,
        "unproven": 0,
    }
    ratio = {"name": "ratio", "formula": "|x - NN1| < c |x - NN2|", "source": "Yoon" + text}
    ratio |= {"threshold": 1 / 3, "rate": rate.to_json(), **shared}
    chosen = {"threshold": 0.61, "low": None, "high": 0.7, "asked": 0.005, "images": 400}
    calibrated = ratio | {"name": "calibrated", "threshold": 0.61, "unproven": 7}
    calibrated |= {"rate": wilson(200, 600).to_json(), "calibration": {**chosen, "needed": 199}}
    other = ratio | {"name": "own" + text, "threshold": None, "rate": None, "excess": None}
    classes = [{"class": f"class {n}{text}", "rate": wilson(n, 60).to_json()} for n in range(10)]
    return {
        "excess": shared["excess"],
        "verdicts": {
            "ratio": dict(zip(("novel", "collapsed", "memorized"), counts, strict=True)),
        },
        "criteria": [ratio, calibrated, other],
        "coverage": audit["coverage"]
        | {"distinct_groups": 3, "top_share": 0.25, "effective": 31.4},
        "duplicates": audit["duplicates"]
        | {"near": {"rms": 10.0, "groups": 1, "images": 2, "distinct": 399}},
        "collapse": {"rms": 10.0, "groups": 1, "images": 12, "distinct": 589},
        "holdout_in_training": {"exact": 3, "near": 2, "images": 405} if holdout else None,
        "set_aside": aside,
        "positive_control": {"copies": 50, "cells": _cells(text)},
        "captions": _captions(text),
        "per_class": classes,
        "per_label": None,
        "invariances": {"names": ["flip"], "most_shift": 0},
        "gate": {"criterion": "ratio", "limit": 0.25, "decision": "undecided"}
        | {"more_images": 281, "exit_code": 4},
    }


def _cells(text: str) -> list[dict[str, Any]]:
    return [
        {
            "corruption": kind,
            "strength": strength,
            "unit": unit,
            "found": wilson(FOUND[kind, strength][0], 50).to_json(),
            "recall": {
                "ratio": wilson(FOUND[kind, strength][1], 50).to_json(),
                "calibrated": wilson(FOUND[kind, strength][0], 50).to_json(),
            },
        }
        for kind, (unit, strengths) in STRENGTHS.items()
        for strength in strengths
    ] + [
        {
            "corruption": "new" + text,
            "strength": 0.5,
            "unit": "x" + text,
            "found": wilson(5, 50).to_json(),
            "recall": {"ratio": wilson(25, 50).to_json(), "calibrated": None},
        }
    ]


def _captions(text: str) -> dict[str, Any]:
    """Three prompt sets, two numbers of times in training, and a caption that copied another's image."""
    sets = {"trained": (12, 40, 60, 30), "control": (8, 2, 300, 0), "empty": (1, 0, 240, 0)}
    told = {
        kind: {"captions": captions, "rate": wilson(count, total).to_json(), "own": own}
        for kind, (captions, count, total, own) in sets.items()
    }
    caption = {"rate": wilson(4, 5).to_json(), "own": 1, "times": 3, "example": 5, "training": 7}
    return {
        "training_captions": 12,
        "without": 2,
        "distinct": 21,
        "sets": told,
        "by_times": [{"low": n, "high": n, **told["trained"]} for n in (1, 16)],
        "captions": [{"text": f"a dog{text}", **caption}, {"text": "", **caption}],
    }


def _write_tables(
    out: Path, found: dict[str, np.ndarray], group: np.ndarray, *, text: str, mirrored: bool
) -> None:
    near = found["nn1_index"].tolist()
    total = len(near)
    pairs = Pairs(
        names=[f"made/{row}.png{text}" for row in range(total)],
        nearest=[f"seen/{n}.png{text}" for n in near],
        mirrored=np.full(total, mirrored),
        down=np.full(total, -1 if mirrored else 0, np.int8),
        right=np.full(total, 2 if mirrored else 0, np.int8),
        captions=[f"a dog{text}"] * total,
        nearest_captions=[f"a cat {n}{text}" for n in near],
    )
    twins = np.flatnonzero(np.bincount(group)[group] > 1).tolist()
    rows = [(1, 4, n, 3.5 * (n > 4), -1, f"seen/{n}.png{text}", "") for n in (4, 9)]
    rows += [(0, group[n], n, 0.0, -1, f"made/{n}.png{text}", "") for n in twins]
    rows += [
        (2, n, n, 2.5 * (n > 2), n, f"real/{n}.png{text}", f"seen/{n}.png{text}") for n in range(5)
    ]
    side, groups, index, rms, nearest, names, nearest_names = zip(*rows, strict=True)
    members = Members(
        side=np.array(side, np.int8),
        group=np.array(groups, np.int64),
        index=np.array(index, np.int64),
        rms=np.array(rms, np.float64),
        nearest_index=np.array(nearest, np.int64),
        names=names,
        nearest=nearest_names,
    )
    np.savez_compressed(out / "tables.npz", **table_arrays(pairs, members))
