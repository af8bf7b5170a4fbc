"""Collects what the page of an audit shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rote.core.stats import Rate
from rote.report import words
from rote.report.fields import Fields
from rote.report.gallery import gallery_data
from rote.report.groups import read_groups
from rote.report.outcome import (
    coverage_facts,
    criterion_title,
    excess_interval,
    excess_sentence,
    leak_sentence,
    read_criteria,
    read_verdicts,
)
from rote.report.pairs import read_matches
from rote.report.read import Audit, read_audit
from rote.report.recall import read_recall

# A control beyond this says that the measurement itself is in doubt.
HOLDOUT_AT_MOST = 0.01
MOST_CLASSES = 200


def audit_context(folder: Path) -> dict[str, Any]:
    """Read an audit directory and return what its page shows."""
    audit = read_audit(folder)
    fields = audit.fields
    generated, training = fields.child("generated"), fields.child("training")
    vector = generated.one_of("kind", "image", "vector") == "vector"
    unit = "vectors" if vector else "images"
    control = fields.optional_child("control")
    rate = control.rate("rate") if control else None
    criteria = read_criteria(fields)
    set_aside = fields.count("set_aside") if fields.values.get("set_aside") else 0
    controls = f"{'set-aside' if set_aside else 'held-out'} {unit}"
    invariances = _invariances(fields)
    gate = fields.optional_child("gate")
    searched = "the rest of the training set" if set_aside else "the training set"
    matches = read_matches(folder / "pairs.csv", audit.gallery.generated_index.tolist())
    gallery = gallery_data([("generated", audit)], chosen=0, labels=[], matches=matches)
    coverage = fields.child("coverage")
    calibrated = next((c for c in criteria if c.name == "calibrated"), None)
    return {
        "template": "audit.html.j2",
        "scripts": ["audit.js"],
        "title": f"Audit {words.format_rate(audit.rate)} · {generated.text('source')}",
        "audit": audit,
        "sides": _sides(fields, generated, training),
        "unit": unit,
        "vector": vector,
        "criteria": criteria,
        "verdicts": read_verdicts(fields, criteria[0]),
        "excess": criteria[0].excess,
        "excess_text": excess_interval,
        "excess_sentence": excess_sentence(criteria[0], controls=controls),
        "gate": gate,
        "gate_title": criterion_title(gate.text("criterion")) if gate else "",
        "recall": read_recall(fields, criteria),
        "duplicates": fields.child("duplicates"),
        "near": fields.child("duplicates").optional_child("near"),
        "collapse": fields.optional_child("collapse"),
        "groups": read_groups(folder / "duplicates.csv"),
        "coverage": coverage,
        "coverage_facts": coverage_facts(coverage, audit.rate, unit=unit),
        "by_class": _rates_by(fields, "per_class"),
        "by_label": _rates_by(fields, "per_label"),
        "most_classes": MOST_CLASSES,
        "thumbs": _thumbs(gallery),
        "control": control,
        "control_rate": rate,
        "set_aside": set_aside,
        "leaks": leak_sentence(fields, controls=controls, training=searched),
        "holdout_failed": rate is not None and rate.low > HOLDOUT_AT_MOST,
        "invariances": invariances,
        "space": audit.space,
        "criterion_c": audit.ratio_threshold,
        "source_text": audit.text,
        "source_name": "audit.json",
        "gallery": gallery,
        "charts": _charts(
            audit,
            calibrated=calibrated.threshold if calibrated else None,
            unit="scaled units" if vector else _pixel_unit(invariances),
            columns=_columns(generated),
        ),
    }


def _sides(fields: Fields, generated: Fields, training: Fields) -> list[tuple[str, Fields]]:
    sides = [("Generated", generated), ("Training", training)]
    control = fields.optional_child("control")
    # Older audits say of their control only where it came from.
    if control is not None and {"kind", "count", "digest"} <= set(control.values):
        sides.append(("Held out", control))
    return sides


def _invariances(fields: Fields) -> list[str]:
    entry = fields.optional_child("invariances")
    names = entry.values.get("names", []) if entry else []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise fields.wrong("invariances.names", "a list of texts")
    return names


def _pixel_unit(invariances: list[str]) -> str:
    return "standardized levels" if "tone" in invariances else "levels of 255"


def _columns(generated: Fields) -> int:
    """Return how many values one generated image has."""
    shape = generated.values.get("shape")
    if not isinstance(shape, list) or not all(isinstance(n, int) and n >= 1 for n in shape):
        raise generated.wrong("shape", "a list of sizes")
    return int(np.prod(shape))


def _rates_by(fields: Fields, key: str) -> list[tuple[str, Rate]]:
    """Return a rate per class, the highest first; classes without images are not in the file."""
    rows = [
        (words.plain(entry.values.get("class", "")), entry.rate("rate"))
        for entry in fields.optional_children(key)
    ]
    return sorted(rows, key=lambda row: -row[1].value)


def _thumbs(gallery: dict[str, Any]) -> dict[str, dict[int, int]]:
    """Return the row of the gallery that holds the picture of an image, by side and index."""
    entry = gallery["sets"][0]
    if "sprite" not in entry:
        return {"training": {}, "generated": {}}
    nearest: dict[int, int] = {}
    # Pictures beside which a mirrored or moved copy lies are still those of the training image.
    for row, index in enumerate(entry["nearest"]):
        nearest.setdefault(index, row)
    return {
        "training": nearest,
        "generated": {index: row for row, index in enumerate(entry["index"])},
    }


def _charts(audit: Audit, *, calibrated: float | None, unit: str, columns: int) -> dict[str, Any]:
    from rote.report import charts, charts_audit

    lines = charts_audit.threshold_lines(audit, calibrated)
    return {
        "light": charts.theme(dark=False),
        "dark": charts.theme(dark=True),
        "specs": {
            "thresholds": charts_audit.thresholds(audit, lines),
            "ratios": charts_audit.ratio_distribution(audit, lines),
            "distances": charts_audit.distance_distribution(audit, columns=columns, unit=unit),
        },
    }
