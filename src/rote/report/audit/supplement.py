"""Reads what stands beside the rates of an audit: quality, whole-set definitions, rates per caption."""

from __future__ import annotations

from dataclasses import dataclass

from rote.report.fields import Fields
from rote.report.words import plain

MOST_GROUPS = 20
NAMES = {
    "frechet": ("Fréchet distance", "less is better"),
    "precision": ("Precision", "generated inside the real manifold"),
    "recall": ("Recall", "real inside the generated manifold"),
    "density": ("Density", "1 for equal distributions"),
    "coverage": ("Coverage", "real with a generated neighbor"),
}


@dataclass(frozen=True)
class Line:
    """A statistic as texts: its name, what it means, and its value of either side."""

    name: str
    meaning: str
    generated: str
    control: str


@dataclass(frozen=True)
class Table:
    """One table with the sentence above it."""

    lead: str
    control: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Groups:
    """Rates with the caption as the unit, and the groups copied most: name, rate, counts."""

    by: str
    lines: tuple[tuple[str, str, str], ...]
    top: tuple[tuple[str, str, str], ...]
    total: int


@dataclass(frozen=True)
class BesideRates:
    """Each None where the audit did not have it."""

    quality: Table | None
    population: Table | None
    groups: Groups | None


def read_beside(fields: Fields) -> BesideRates | None:
    """Read what an audit has beside its rates; None where it has nothing."""
    parts = [
        fields.optional_child(key) if key in fields.values else None
        for key in ("quality", "population", "clusters")
    ]
    quality, population, clusters = parts
    if quality is None and population is None and clusters is None:
        return None
    return BesideRates(
        quality=_quality(quality) if quality else None,
        population=_population(population) if population else None,
        groups=_groups(clusters) if clusters else None,
    )


def _quality(fields: Fields) -> Table:
    found, control = fields.child("generated"), fields.optional_child("control")
    count = f"{fields.positive('count'):,}"
    holdout = fields.one_of("against", "holdout", "training") == "holdout"
    lead = (
        f"Against {count} {'held-out' if holdout else 'training'} items, {count} of each side, in the "
        f"space {plain(fields.text('space'))}."
    )
    if not holdout:
        lead += " A copier matches its training set best: held-out items would make this quality."
    source = {"training": "training items", "holdout": "further held-out items"}
    return Table(
        lead=lead,
        control=source[fields.one_of("control_of", *source)] if control else "",
        lines=tuple(
            Line(
                name,
                meaning,
                _estimate(found.child(key)),
                _estimate(control.child(key)) if control else "",
            )
            for key, (name, meaning) in NAMES.items()
        ),
    )


def _population(fields: Fields) -> Table:
    lines = []
    test = fields.optional_child("three_sample")
    if test is not None:
        control = test.optional_number("control")
        lines += [
            Line(
                "C_T, three-sample test",
                "far below 0: copying",
                _estimate(test.child("statistic")),
                "" if control is None else f"{control:.3g}",
            ),
            Line(
                "Nearer to the training set than held-out",
                "0.5: no copying",
                _estimate(test.child("nearer")),
                "0.5",
            ),
        ]
    gap = fields.optional_child("likelihood_gap")
    if gap is not None:
        lines.append(
            Line(
                "Likelihood gap",
                "below its control: copying",
                _estimate(gap.child("gap")),
                _estimate(gap.child("control")),
            )
        )
    accuracy, control_of = (fields.optional_child(key) for key in ("accuracy", "accuracy_control"))
    if accuracy is not None:
        lines.append(
            Line(
                "1-nearest-neighbor accuracy",
                "below 0.5: copying",
                _estimate(accuracy.child("accuracy")),
                _estimate(control_of.child("accuracy")) if control_of else "",
            )
        )
    used = fields.child("compared")
    lead = f"One number for the whole set, in the space {plain(fields.text('space'))}."
    if accuracy is not None and used.count("count") < used.count("training"):
        lead += (
            f" The accuracies took {used.count('count'):,} of {used.count('training'):,} training items: "
            "copies of the rest look fresh to them."
        )
    return Table(lead=lead, control="held-out items", lines=tuple(lines))


def _groups(fields: Fields) -> Groups:
    rates = fields.child("rates")
    lines = []
    for name in rates.values:
        rate = rates.child(name)
        lines.append(
            (
                plain(name),
                f"{rate.number('value'):.3f} ({rate.number('low'):.3f} to {rate.number('high'):.3f})",
                f"{rate.number('design_effect'):.3g}",
            )
        )
    groups = fields.children("groups")
    top = []
    for entry in groups[:MOST_GROUPS]:
        own = entry.rate("rate")
        top.append(
            (
                plain(entry.text("name")),
                f"{own.value:.3f} ({own.low:.3f} to {own.high:.3f})",
                f"{own.count:,} of {own.total:,}",
            )
        )
    return Groups(plain(fields.text("by")), tuple(lines), tuple(top), len(groups))


def _estimate(fields: Fields) -> str:
    value, low, high = (fields.number(key) for key in ("value", "low", "high"))
    return f"{value:.3g} ({low:.3g} to {high:.3g})"
