"""Builds finished run directories as docs/reference/files.md describes them, from real digits.

"Generated" images are noisy copies of training digits mixed with noisy digits outside the training
subset; their neighbors are found by int64 brute force, so every number on a page can be recomputed.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from rote.core.atomic_files import write_json
from rote.core.run_folder import versions
from rote.emm.onset import onset_json
from rote.stats.rates import wilson

CRITERION = {"name": "ratio", "ratio_threshold": 1 / 3, "space": "pixel"}
COPIED = {16: 1.0, 32: 0.995, 64: 0.95, 128: 0.62, 256: 0.15}
HOSTILE = "<script>window.hacked=1</script>\"'&\u2028\u202e</pre><img src=x onerror=hacked=2>"


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """All digits as uint8 (N, 8, 8, 1) in one fixed shuffled order, with their labels."""
    data, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(7).permutation(len(data))
    images = (data * 255 / 16).round().astype(np.uint8).reshape(-1, 8, 8, 1)
    return images[order], labels[order].astype(np.int64)


def generate(size: int, count: int, share: float, *, seed: int) -> np.ndarray:
    """Noisy images, ``share`` of them copies of the first ``size`` digits, the rest of others."""
    rng = np.random.default_rng(seed)
    images, _ = digits()
    copied = rng.random(count) < share
    source = np.where(copied, rng.integers(0, size, count), rng.integers(size, len(images), count))
    noise = rng.normal(0, rng.choice([0, 4, 9, 14], (count, 1, 1, 1)), (count, 8, 8, 1))
    return np.clip(images[source] + noise.round(), 0, 255).astype(np.uint8)


def neighbors(queries: np.ndarray, references: np.ndarray) -> dict[str, np.ndarray]:
    """Exact two nearest references in int64 (float64 for vectors); ties go to the lowest index."""
    exact = np.int64 if queries.dtype == np.uint8 else np.float64
    q = queries.reshape(len(queries), -1).astype(exact)
    r = references.reshape(len(references), -1).astype(exact)
    sq = np.stack([((r - row) ** 2).sum(1) for row in q])
    order = np.argsort(sq, axis=1, kind="stable")[:, :2]
    rows = np.arange(len(q))
    nn1, nn2 = sq[rows, order[:, 0]], sq[rows, order[:, 1]]
    return {
        "nn1_index": order[:, 0].astype(np.int64),
        "nn2_index": order[:, 1].astype(np.int64),
        "nn1_sq": nn1,
        "nn2_sq": nn2,
        "memorized": (9 * nn1 < nn2) | ((nn1 == 0) & (nn2 == 0)),
    }


def write_audit(
    out: Path,
    queries: np.ndarray,
    references: np.ndarray,
    *,
    control: tuple[str, np.ndarray] | None = None,
    source: str = "digits",
    labels: np.ndarray | None = None,
) -> dict[str, Any]:
    """Write audit.json, neighbors.npz and gallery.npz; return what audit.json holds."""
    out.mkdir(parents=True, exist_ok=True)
    found = neighbors(queries, references)
    kind = "image" if queries.dtype == np.uint8 else "vector"
    np.savez_compressed(out / "neighbors.npz", **found)
    ratio = np.sqrt(found["nn1_sq"] / np.maximum(found["nn2_sq"], 1e-300))
    order = np.argsort(ratio, kind="stable")
    shown = order[np.unique(np.linspace(0, len(order) - 1, min(200, len(order))).astype(int))]
    asked = np.full(len(queries), -1) if labels is None else labels
    np.savez_compressed(
        out / "gallery.npz",
        generated_index=shown.astype(np.int64),
        generated=queries[shown],
        nn1=references[found["nn1_index"][shown]],
        nn2=references[found["nn2_index"][shown]],
        ratio=ratio[shown],
        memorized=found["memorized"][shown],
        nn1_index=found["nn1_index"][shown],
        labels=asked[shown].astype(np.int64),
    )
    hit, counts = np.unique(found["nn1_index"][found["memorized"]], return_counts=True)
    top = sorted(zip(counts.tolist(), hit.tolist(), strict=True), key=lambda p: (-p[0], p[1]))[:5]
    result = {
        "kind": "audit",
        "rate": wilson(int(found["memorized"].sum()), len(queries)).to_json(),
        "criterion": CRITERION,
        "generated": _side("generated", queries, kind),
        "training": _side(source, references, kind),
        "duplicates": {
            "groups": 0,
            "images": 0,
            "distinct": len(references),
        },
        "coverage": {
            "distinct_references": len(hit),
            "references": len(references),
            "top": [
                {"index": index, "name": f"{source}/{index}", "count": count}
                for count, index in top
            ],
        },
        "control": None
        if control is None
        else {
            "source": control[0],
            "rate": wilson(
                int(neighbors(control[1], references)["memorized"].sum()), len(control[1])
            ).to_json(),
        },
        "calibrated": None,
    }
    write_json(out / "audit.json", result)
    return result


def _side(source: str, images: np.ndarray, kind: str) -> dict[str, Any]:
    digest = "5f3a9c0d" * 8
    shape = list(images.shape[1:])
    return {"source": source, "digest": digest, "count": len(images), "shape": shape, "kind": kind}


def audit_run(out: Path, *, count: int = 600, control: bool = True, source: str = "digits") -> Path:
    """A finished `rote audit`: 400 training digits, a quarter of the generated ones copied."""
    images, _ = digits()
    write_audit(
        out,
        generate(400, count, 0.25, seed=3),
        images[:400],
        control=("held-out digits", images[1000:1400]) if control else None,
        source=source,
    )
    write_json(out / "manifest.json", _manifest())
    return out


def _manifest() -> dict[str, Any]:
    return {
        "versions": versions(),
        "created": "2025-01-02T03:04:05+00:00",
        "device": "cpu",
        "precision": "float32",
        "seconds": {"train": 300.0, "audit": 2.5},
    }


def _gap(images_seen: int, step: int) -> dict[str, Any]:
    """A gap that falls as training goes on; at the largest noise level it says nothing."""
    found = [sigma / step for sigma in (0.1, 0.8)]
    return {
        "images_seen": images_seen,
        "sigmas": [0.1, 0.8, 50.0],
        "gap": [*found, None],
        "low": [*(0.9 * value for value in found), None],
        "high": [*(1.1 * value for value in found), None],
        "points": 512,
        "holdout": 1700,
    }


def _onset(points: list[dict[str, Any]]) -> dict[str, Any]:
    runs = [
        (
            point["size"],
            [
                (s["images_seen"], s["rate"]["count"], s["rate"]["total"])
                for s in point["selection"]
            ],
        )
        for point in points
    ]
    return {"sentence": "Stop early.", **_onset_of(json.dumps(runs))}


@cache
def _onset_of(runs: str) -> dict[str, Any]:
    """Fitting the law takes a second, and many pages are of the same runs."""
    return onset_json(json.loads(runs), control=(0, 500), budgets=[4000])


def _selection(point: np.random.Generator, share: float, total: int) -> list[dict[str, Any]]:
    """Eight snapshots whose rate rises to the point's."""
    rows = []
    for step in range(1, 9):
        expected = share / (1 + np.exp(-(step - 3.5) * 1.6))
        count = int(point.binomial(total, min(1.0, expected)))
        rows.append({"images_seen": 8000 * step, "rate": wilson(count, total).to_json()})
    return rows


def emm_run(
    out: Path,
    *,
    sizes: tuple[int, ...] = (16, 32, 64, 128, 256),
    fresh: int = 500,
    kind: str = "image",
    holdout: bool = True,
    source: str = "digits",
    classes: list[str] | None = None,
    optimum_count: int = 500,
    holdout_count: int = 0,
    repeats: int | None = 4,
) -> Path:
    """A finished `rote emm`, whose status follows from the sizes it was given."""
    points = [_write_point(out, size, fresh, kind=kind) for size in sizes]
    emm, sentence = _emm(points)
    write_json(
        out / "emm.json",
        {
            "kind": "emm",
            "emm": emm,
            "sentence": sentence,
            "epsilon": 0.1,
            "confidence": 0.95,
            "estimand": {"text": "The largest N at which the expected rate is at least 0.9."},
            "criterion": CRITERION,
            "data": {
                "source": source,
                "digest": "0a1b2c3d" * 8,
                "count": 1797,
                "shape": [1, 8, 8] if kind == "image" else [8],
                "kind": kind,
                "classes": classes or [str(n) for n in range(10)],
            },
            "preset": "tiny",
            "seed": 0,
            "points": points,
            **_curve(sizes, emm),
            "onset": _onset(points),
            "other_epsilons": [{"epsilon": 0.2, **emm}, {"epsilon": 0.5, **emm}],
            "without_sampling": {"emm": {**emm, "value": 77.0, "low": 66.0, "high": 88.0}}
            if emm["status"] == "bracketed"
            else {"emm": None, "reason": "no copies"},
            "design": {
                "rounds": [
                    {"runs": [{"size": size, "replicate": 0}], "why": why, "emm": before}
                    for size, why, before in zip(
                        sizes,
                        ["the first sizes", *["a" + source] * (len(sizes) - 1)],
                        [None, *[emm] * (len(sizes) - 1)],
                        strict=True,
                    )
                ],
                "stopped": "the interval is as narrow as asked for",
            },
            "controls": {
                "optimum": {"size": 64, "rate": wilson(optimum_count, 500).to_json()},
                "holdout": {"size": 64, "rate": wilson(holdout_count, 500).to_json()}
                if holdout
                else None,
            },
            "config": {
                "model": {"channels": 16, "multipliers": [1, 2], "blocks": 1, "dropout": 0.0},
                "train": {"batch": 64, "learning_rate": 0.001, "images": 64000, "loss": "edm"},
                "sample": {"steps": 18, "solver": "heun", "sigma_max": 80.0},
                "search": {"sizes": None, "low": 16, "high": 256, "fresh": fresh, "select": 200},
            },
            "cost": {
                "images_trained": 60000 * len(sizes),
                "images_sampled": 7000,
                "whole": {"images_trained": 64000 * len(sizes), "images_sampled": 9000},
                "fixed_grid": {
                    "sizes": [16, 32, 64, 128, 256],
                    "repeats": repeats,
                    "runs": repeats and 5 * repeats,
                    "images_trained": repeats and 5 * repeats * 64000,
                }
                if emm["status"] == "bracketed"
                else None,
                "seconds": 312.4,
            },
        },
    )
    write_json(out / "manifest.json", _manifest())
    return out


def _emm(points: list[dict[str, Any]]) -> tuple[dict[str, Any], str]:
    """The EMM between the largest size at the line and the smallest below it, and a sentence."""
    at_least = [p["size"] for p in points if p["decision"] == "at-least"]
    less = [p["size"] for p in points if p["decision"] == "less"]
    emm: dict[str, Any] = {"value": None, "low": None, "high": None, "status": "bracketed"}
    if at_least:
        emm["low"] = max(at_least)
    if less:
        emm["high"] = min(less)
    if not less:
        emm |= {"status": "above", "high": None}
        sentence = f"The EMM is at least {emm['low']} training images."
    elif not at_least:
        emm |= {"status": "below", "low": None}
        sentence = f"The EMM is at most {emm['high']} training images."
    else:
        rates = {p["size"]: p["rate"]["value"] for p in points}
        low, high = emm["low"], emm["high"]
        part = (rates[low] - 0.9) / (rates[low] - rates[high])
        emm["value"] = float(low * (high / low) ** part)
        sentence = f"The EMM is {emm['value']:.0f}, between {emm['low']} and {emm['high']} images."
    return emm | {"confidence": 0.95}, sentence


def _curve(sizes: tuple[int, ...], emm: dict[str, Any]) -> dict[str, Any]:
    """A logistic curve through 0.9 at the EMM, with a band, and a posterior around it."""
    center = emm["value"] or emm["low"] or emm["high"] or sizes[0]
    at = np.geomspace(min(sizes) / 1.5, max(sizes) * 1.5, 61)
    rate = 1 / (1 + (at / center) ** 3 / 9)
    density = np.exp(-0.5 * (np.log(at / center) / 0.2) ** 2)
    return {
        "curve": {
            "runs": len(sizes),
            "confidence": 0.95,
            "logits_per_doubling": {"value": 2.08, "low": 1.5, "high": 2.7},
            "spread_between_runs": {"value": 0.31, "low": 0.05, "high": 0.9},
            "band": [
                {"size": n, "rate": r, "low": 0.9 * r, "high": r + 0.1 * (1 - r)}
                for n, r in zip(at.tolist(), rate.tolist(), strict=True)
            ],
        },
        "posterior": [
            {"size": n, "density": d} for n, d in zip(at.tolist(), density.tolist(), strict=True)
        ],
    }


def _write_point(out: Path, size: int, fresh: int, *, kind: str) -> dict[str, Any]:
    images, labels = digits()
    run = f"points/size-{size:06d}-run-00"
    queries, references = generate(size, fresh, COPIED[size], seed=size), images[:size]
    if kind == "vector":
        scale = np.float32(1 / 128)
        queries, references = (
            (a.reshape(len(a), -1)[:, 24:32] * scale - 1).astype(np.float32)
            for a in (queries, references)
        )
    asked = labels[np.arange(fresh) % len(labels)]
    audit = write_audit(out / run / "audit", queries, references, labels=asked)
    rate = audit["rate"]
    decided = "at-least" if rate["low"] >= 0.9 else "less" if rate["high"] < 0.9 else "undecided"
    coverage = {k: audit["coverage"][k] for k in ("distinct_references", "references")}
    bound = {16: "at-least", 256: "at-most"}.get(size, "exact")
    (out / run / "metrics.jsonl").write_text(
        "".join(
            json.dumps({"images_seen": 640 * n, "loss": 0.1 + 0.9 / n}) + "\n"
            for n in range(1, 101)
        )
    )
    return {
        "size": size,
        "replicate": 0,
        "images_seen": 64000,
        "images_trained": 64000,
        "rate": rate,
        "observation": {"bound": bound, "count": rate["count"], "total": fresh, "error": 0.0},
        "selection": _selection(np.random.default_rng(size), COPIED[size], 200),
        "gap": [_gap(8000 * step, step) for step in (2, 5, 8)],
        "coverage": coverage,
        "run": run,
        "decision": decided,
    }
