"""Collects what the page of an audit shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rote.report import words
from rote.report.audit import criteria
from rote.report.audit.account import accounts_of
from rote.report.audit.captions import captions_of
from rote.report.audit.duplicates import group_sizes, largest_groups, told
from rote.report.audit.gallery import (
    add_rows,
    all_rows,
    gallery_data,
    large_pictures,
    small_pictures,
    voxel_sheets,
)
from rote.report.audit.listen import heard_pairs
from rote.report.audit.positive_control import recall_of
from rote.report.audit.read import Audit, read_audit
from rote.report.audit.reproduced import groups_of
from rote.report.audit.spaces import spaces_of
from rote.report.audit.supplement import supplement_of
from rote.report.audit.verdict import first_screen
from rote.results.audit import AuditFile, ClassRate, Control
from rote.results.side import Side
from rote.stats.rates import Rate

# A control beyond this says that the measurement itself is in doubt.
HOLDOUT_AT_MOST = 0.01
MOST_CLASSES = 200
MOST_LEAKS = 24


def audit_context(folder: Path) -> dict[str, Any]:
    """Read an audit directory and return what its page shows."""
    audit = read_audit(folder)
    file, space = audit.file, audit.file.criterion.space
    unit = file.generated.items
    vector = unit not in ("images", "volumes")
    rate = file.control.rate if file.control else None
    found = criteria.all_criteria(file)
    controls = f"{'set-aside' if file.set_aside else 'held-out'} {unit}"
    searched = "the rest of the training set" if file.set_aside else "the training set"
    members = None if audit.tables is None else audit.tables[1]
    gallery = _gallery(audit, group_sizes(members))
    entry = gallery["sets"][0]
    large = large_pictures(folder, audit.gallery, entry["index"][: entry["pictures"]])
    if large is not None:
        entry["large"] = large
    _add_voxels(entry, audit)
    small = small_pictures(audit.gallery)
    leaks = file.holdout_in_training
    spaces = spaces_of(folder, file)
    recall = recall_of(file.positive_control, found)
    calibrated = next((c.threshold for c in found if c.name == "calibrated"), None)
    return {
        "template": "audit.html.j2",
        "scripts": ["audit.js"],
        "title": f"Audit: {words.percent_of(file.rate.value)} copies · {file.generated.source}",
        "audit": file,
        "provenance": {} if file.provenance is None else file.provenance.to_json(),
        "held_out": audit.neighbors.held_out,
        "within": audit.neighbors.within,
        "sides": _sides(file),
        "accounts": accounts_of(_sides(file)),
        "unit": unit,
        "vector": vector,
        "criteria": found,
        "titles": criteria.titles_of(file),
        "verdicts": criteria.ratio_verdicts(file),
        "excess": found[0].excess,
        "excess_sentence": criteria.excess_sentence(
            found[0],
            controls=f"training {unit} set aside"
            if file.set_aside
            else f"real {unit} not used in training",
        ),
        "recall": recall,
        "first": first_screen(audit, found, recall, unit=unit),
        "supplement": supplement_of(file),
        "spaces": spaces,
        "people": groups_of(file.groups, found, audit.neighbors.index.tolist()),
        "captions": captions_of(
            file.captions,
            audit.neighbors.index.tolist(),
            None if audit.tables is None else audit.tables[0],
        ),
        "heard": heard_pairs(audit.gallery, audit.neighbors),
        "groups": largest_groups(members, audit.neighbors),
        "leaked": [] if members is None else told(members, members.of("holdout")[:MOST_LEAKS]),
        "leak_count": leaks.exact + leaks.near if leaks else 0,
        "controls": controls,
        "coverage_facts": criteria.coverage_facts(file.coverage, file.rate, unit=unit),
        "by_class": _highest(file.per_class),
        "by_label": _highest(file.per_label),
        "most_classes": MOST_CLASSES,
        "pictured": {key: row for row, key in enumerate(small["keys"])} if small else {},
        "control_rate": rate,
        "leaks": criteria.leak_sentence(leaks, controls=controls, training=searched),
        "holdout_failed": rate is not None and rate.low > HOLDOUT_AT_MOST,
        "seen": _preprocessing(file),
        "source_text": (folder / "audit.json").read_text(encoding="utf-8"),
        "source_name": "audit.json",
        "beside": None if large is None else large["folder"],
        "gallery": gallery | {"small": small, "disputed": spaces.pictures if spaces else None},
        "has_labels": any(label >= 0 for label in gallery["sets"][0]["labels"]),
        "charts": _charts(
            audit,
            calibrated=calibrated,
            unit=_distance_unit(space, file.invariances.names, vector=vector),
            columns=math.prod(file.generated.shape) if space in ("pixel", "columns") else 1,
        ),
    }


def _sides(file: AuditFile) -> list[tuple[str, Side | Control]]:
    sides: list[tuple[str, Side | Control]] = [
        ("Generated", file.generated),
        ("Training", file.training),
    ]
    # Older audits say of their control only where it came from.
    if file.control is not None and file.control.digest is not None:
        sides.append(("Held out", file.control))
    return sides


def _preprocessing(file: AuditFile) -> list[tuple[str, str]]:
    """Return what was done to the images before they were measured."""
    found = []
    if file.ruler is not None and file.ruler.resolution is not None:
        found.append(("Measured at", f"{file.ruler.resolution} × {file.ruler.resolution}"))
    if file.ruler is not None and file.ruler.autoencoder is not None:
        found.append(("Real images through", words.plain(file.ruler.autoencoder.name)))
    return found


def _distance_unit(space: str, invariances: Sequence[str], *, vector: bool) -> str:
    if space == "gower":
        return "Gower's, 0 to 1"
    if vector:
        return "RMS in scaled units"
    if space != "pixel":
        return f"in units of {words.plain(space)}"
    return f"RMS in {'standardized levels' if 'tone' in invariances else 'levels of 255'}"


def _highest(rows: Sequence[ClassRate] | None) -> list[tuple[str, Rate]]:
    """Return a rate per class, the highest first; classes without images are not in the file."""
    named = [(words.plain(row.name), row.rate) for row in rows or ()]
    return sorted(named, key=lambda row: -row[1].value)


def _gallery(audit: Audit, sizes: dict[int, int]) -> dict[str, Any]:
    """Return the gallery's data with all that is known of the images one by one."""
    classes = class_names(audit.file.generated)
    gallery = gallery_data([("generated", audit)], chosen=0, labels=classes)
    gallery["kinds"] = class_names(audit.file.training)
    entry = gallery["sets"][0]
    wanted = all_rows(entry, audit.file.rate.total)
    pairs = None if audit.tables is None else audit.tables[0]
    add_rows(entry, audit.neighbors, wanted, pairs, sizes=sizes)
    return gallery


def class_names(side: Side) -> list[str]:
    """Return the names of a side's classes, empty where it has none."""
    return [words.plain(name) for name in side.classes]


def _add_voxels(entry: dict[str, Any], audit: Audit) -> None:
    """Add the volumes that the page looks through; how pictures were moved says nothing of these."""
    if audit.gallery.voxels is not None:
        entry.pop("moves", None)
        entry["voxels"] = voxel_sheets(audit.gallery, entry["index"][: entry["pictures"]])


def _charts(audit: Audit, *, calibrated: float | None, unit: str, columns: int) -> dict[str, Any]:
    from rote.report.charts import audit as charts_audit
    from rote.report.charts import chart as charts

    lines = charts_audit.threshold_lines(audit, calibrated)
    return charts.on_page(
        {
            "thresholds": charts_audit.thresholds(audit, lines),
            "ratios": charts_audit.ratio_distribution(audit, lines),
            "distances": charts_audit.distance_distribution(audit, columns=columns, unit=unit),
        }
    )
