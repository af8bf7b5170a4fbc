"""Collects what the page of an audit shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rote.report import words
from rote.report.audit.criteria import (
    coverage_facts,
    criterion_title,
    excess_interval,
    excess_sentence,
    leak_sentence,
    read_criteria,
    read_verdicts,
)
from rote.report.audit.duplicates import Duplicates, Group, read_duplicates
from rote.report.audit.gallery import add_rows, all_rows, gallery_data, small_pictures
from rote.report.audit.matches import read_matches
from rote.report.audit.positive_control import read_recall
from rote.report.audit.read import Audit, read_audit
from rote.report.audit.spaces import read_spaces
from rote.report.audit.supplement import read_beside
from rote.report.fields import Fields
from rote.stats.rates import Rate

# A control beyond this says that the measurement itself is in doubt.
HOLDOUT_AT_MOST = 0.01
MOST_CLASSES = 200


def audit_context(folder: Path) -> dict[str, Any]:
    """Read an audit directory and return what its page shows."""
    audit = read_audit(folder)
    fields = audit.fields
    generated, training = fields.child("generated"), fields.child("training")
    unit = words.items_word(generated)
    vector = unit != "images"
    control = fields.optional_child("control")
    rate = control.rate("rate") if control else None
    criteria = read_criteria(fields)
    set_aside = fields.count("set_aside") if fields.values.get("set_aside") else 0
    controls = f"{'set-aside' if set_aside else 'held-out'} {unit}"
    invariances = _invariances(fields)
    gate = fields.optional_child("gate")
    searched = "the rest of the training set" if set_aside else "the training set"
    duplicates = read_duplicates(folder / "duplicates.csv")
    gallery = _gallery(folder, audit, duplicates)
    small = small_pictures(audit.gallery)
    coverage = fields.child("coverage")
    spaces = None if vector else read_spaces(folder, fields)
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
        "beside": read_beside(fields),
        "spaces": spaces,
        "duplicates": fields.child("duplicates"),
        "near": fields.child("duplicates").optional_child("near"),
        "collapse": fields.optional_child("collapse"),
        "groups": _groups(audit, duplicates),
        "leaked": duplicates.leaks,
        "leak_count": _leak_count(fields),
        "controls": controls,
        "coverage": coverage,
        "coverage_facts": coverage_facts(coverage, audit.rate, unit=unit),
        "by_class": _rates_by(fields, "per_class"),
        "by_label": _rates_by(fields, "per_label"),
        "most_classes": MOST_CLASSES,
        "pictured": {key: row for row, key in enumerate(small["keys"])} if small else {},
        "control": control,
        "control_rate": rate,
        "set_aside": set_aside,
        "leaks": leak_sentence(fields, controls=controls, training=searched),
        "holdout_failed": rate is not None and rate.low > HOLDOUT_AT_MOST,
        "invariances": invariances,
        "space": audit.space,
        "seen": _seen(fields),
        "criterion_c": audit.ratio_threshold,
        "source_text": audit.text,
        "source_name": "audit.json",
        "gallery": gallery | {"small": small, "disputed": spaces.pictures if spaces else None},
        "has_labels": any(label >= 0 for label in gallery["sets"][0]["labels"]),
        "charts": _charts(
            audit,
            calibrated=calibrated.threshold if calibrated else None,
            unit=_distance_unit(audit.space, invariances, vector=vector),
            columns=_columns(generated) if audit.space in ("pixel", "columns") else 1,
        ),
    }


def _sides(fields: Fields, generated: Fields, training: Fields) -> list[tuple[str, Fields]]:
    sides = [("Generated", generated), ("Training", training)]
    control = fields.optional_child("control")
    # Older audits say of their control only where it came from.
    if control is not None and {"kind", "count", "digest"} <= set(control.values):
        sides.append(("Held out", control))
    return sides


def _seen(fields: Fields) -> list[tuple[str, str]]:
    """Return what was done to the images before they were measured."""
    ruler = fields.optional_child("ruler")
    if ruler is None:
        return []
    found = []
    if ruler.optional_number("resolution") is not None:
        found.append(("Measured at", "{0} × {0}".format(ruler.positive("resolution"))))
    autoencoder = ruler.optional_child("autoencoder")
    if autoencoder is not None:
        found.append(("Real images through", words.plain(autoencoder.text("name"))))
    return found


def _invariances(fields: Fields) -> list[str]:
    entry = fields.optional_child("invariances")
    names = entry.values.get("names", []) if entry else []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise fields.wrong("invariances.names", "a list of texts")
    return names


def _distance_unit(space: str, invariances: list[str], *, vector: bool) -> str:
    if space == "gower":
        return "Gower's, 0 to 1"
    if vector:
        return "RMS in scaled units"
    if space != "pixel":
        return f"in units of {words.plain(space)}"
    return f"RMS in {'standardized levels' if 'tone' in invariances else 'levels of 255'}"


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


def _gallery(folder: Path, audit: Audit, duplicates: Duplicates) -> dict[str, Any]:
    """Return the gallery's data with all that is known of the images one by one."""
    generated, training = audit.fields.child("generated"), audit.fields.child("training")
    gallery = gallery_data([("generated", audit)], chosen=0, labels=class_names(generated))
    gallery["kinds"] = class_names(training)
    entry = gallery["sets"][0]
    wanted = all_rows(entry, len(audit.ratios))
    matches = read_matches(folder / "pairs.csv", wanted)
    add_rows(entry, audit.rows, wanted, matches, sizes=duplicates.sizes["training"])
    return gallery


def class_names(side: Fields) -> list[str]:
    """Return the names of a side's classes, empty where it has none."""
    values = side.values.get("classes") or []
    if not isinstance(values, list):
        raise side.wrong("classes", "a list")
    return [words.plain(value) for value in values]


def _leak_count(fields: Fields) -> int:
    leaks = fields.optional_child("holdout_in_training")
    return leaks.count("exact") + leaks.count("near") if leaks else 0


def _groups(audit: Audit, duplicates: Duplicates) -> dict[str, list[tuple[Group, int, int]]]:
    """Return the largest groups of each side with the generated images near or in each, and copies."""
    columns = {"training": audit.rows.group, "generated": audit.rows.twin}
    memorized = audit.ratios < audit.ratio_threshold

    def counts(side: str, number: int) -> tuple[int, int]:
        mask = columns[side] == number
        return int(mask.sum()), int((mask & memorized).sum())

    return {
        side: [(group, *counts(side, group.number)) for group in groups]
        for side, groups in duplicates.largest.items()
    }


def _charts(audit: Audit, *, calibrated: float | None, unit: str, columns: int) -> dict[str, Any]:
    from rote.report.charts import audit as charts_audit
    from rote.report.charts import chart as charts

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
