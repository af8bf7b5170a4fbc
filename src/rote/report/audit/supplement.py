"""What stands beside the rates of an audit: quality, whole-set definitions, rates per caption."""

from __future__ import annotations

from dataclasses import dataclass

from rote.report.words import plain
from rote.results.audit import AuditFile
from rote.results.supplement import Clusters, Population, Quality
from rote.stats.clustered import ClusteredRate
from rote.stats.jackknife import Estimate
from rote.stats.rates import Rate

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
class Supplement:
    """Each None where the audit did not have it."""

    quality: Table | None
    population: Table | None
    groups: Groups | None


def supplement_of(file: AuditFile) -> Supplement | None:
    """Return what an audit has beside its rates; None where it has nothing."""
    if file.quality is None and file.population is None and file.clusters is None:
        return None
    return Supplement(
        quality=_quality(file.quality) if file.quality else None,
        population=_population(file.population) if file.population else None,
        groups=_groups(file.clusters) if file.clusters else None,
    )


def _quality(found: Quality) -> Table:
    count, holdout = f"{found.count:,}", found.against == "holdout"
    lead = (
        f"Against {count} {'held-out' if holdout else 'training'} items, {count} of each side, in the "
        f"space {plain(found.space)}."
    )
    if not holdout:
        lead += " A copier matches its training set best: held-out items would make this quality."
    source = {"training": "training items", "holdout": "further held-out items", None: ""}
    control = found.control
    return Table(
        lead=lead,
        control=source[found.control_of] if control else "",
        lines=tuple(
            Line(
                name,
                meaning,
                _text(getattr(found.generated, key)),
                _text(getattr(control, key)) if control else "",
            )
            for key, (name, meaning) in NAMES.items()
        ),
    )


def _population(found: Population) -> Table:
    lines = []
    test, gap, accuracy = found.three_sample, found.likelihood_gap, found.accuracy
    if test is not None:
        control = "" if test.control is None else f"{test.control:.3g}"
        lines += [
            Line("C_T, three-sample test", "far below 0: copying", _text(test.statistic), control),
            Line(
                "Nearer to the training set than held-out",
                "0.5: no copying",
                _text(test.nearer),
                "0.5",
            ),
        ]
    if gap is not None:
        name, meaning = "Likelihood gap, less that of held-out items", "below 0: copying"
        lines.append(Line(name, meaning, _text(gap.excess) if gap.excess else "not known", "0"))
    if accuracy is not None:
        control = _text(found.accuracy_control.accuracy) if found.accuracy_control else ""
        name, meaning = "1-nearest-neighbor accuracy", "below 0.5: copying"
        lines.append(Line(name, meaning, _text(accuracy.accuracy), control))
    used = found.compared
    lead = f"One number for the whole set, in the space {plain(found.space)}."
    if accuracy is not None and used.count < used.training:
        lead += (
            f" The accuracies took {used.count:,} of {used.training:,} training items: "
            "copies of the rest look fresh to them."
        )
    if accuracy is not None and accuracy.count and accuracy.distinct:
        made, real = accuracy.distinct
        if min(made, real) < accuracy.count:
            lead += (
                f" Of {accuracy.count:,} items of each side in them {made:,} generated and {real:,} "
                "training ones are distinct: a repeat is its own nearest, which draws them to 1."
            )
    return Table(lead=lead, control="held-out items", lines=tuple(lines))


def _groups(found: Clusters) -> Groups:
    return Groups(
        by=plain(found.by),
        lines=tuple(
            (plain(name), _share(rate), f"{rate.design_effect:.3g}")
            for name, rate in found.rates.items()
        ),
        top=tuple(
            (plain(group.name), _share(group.rate), f"{group.rate.count:,} of {group.rate.total:,}")
            for group in found.groups[:MOST_GROUPS]
        ),
        total=len(found.groups),
    )


def _text(found: Estimate) -> str:
    return f"{found.value:.3g} ({found.low:.3g} to {found.high:.3g})"


def _share(rate: Rate | ClusteredRate) -> str:
    return f"{rate.value:.3f} ({rate.low:.3f} to {rate.high:.3f})"
