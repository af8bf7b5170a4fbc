"""What an audit found, in the order in which its page tells it: records and plain sentences.

Audits written by older versions hold fewer keys; what is not there is left out or said to be missing.
"""

from __future__ import annotations

from dataclasses import dataclass

from rote.report.fields import Fields
from rote.report.words import format_interval, format_rate, format_signed, plain
from rote.stats.rates import Difference, Rate

TITLES = {
    "ratio": "Ratio",
    "calibrated": "Calibrated ratio",
    "carlini": "Calibrated L2",
    "tiles": "Tiles",
    "absolute": "Absolute distance",
    "authenticity": "Authenticity",
}
KEPT_VERDICTS = ("memorized", "collapsed", "novel")


@dataclass(frozen=True)
class Criterion:
    """One criterion of an audit; ``rate`` is None where it could not decide."""

    name: str
    title: str
    formula: str
    source: str
    direction: str
    threshold: float | None
    rate: Rate | None
    control: Rate | None
    excess: Difference | None
    unproven: int
    calibration: str  # a sentence, empty where nothing was calibrated


@dataclass(frozen=True)
class Verdicts:
    """How many images were memorized, collapsed and novel under one criterion."""

    title: str
    memorized: int
    collapsed: int | None  # None: the audit did not look for it
    novel: int


def read_criteria(fields: Fields) -> list[Criterion]:
    """Return the criteria of an audit, the ratio first."""
    entries = fields.optional_children("criteria")
    if entries:
        return [_criterion(entry) for entry in entries]
    control = fields.optional_child("control")
    return [
        Criterion(
            name="ratio",
            title=TITLES["ratio"],
            formula="|x - NN1| < c |x - NN2|",
            source="Yoon et al. (2023); Gu et al. (2025)",
            direction="lower is more of a copy",
            threshold=fields.child("criterion").number("ratio_threshold"),
            rate=fields.rate("rate"),
            control=control.rate("rate") if control else None,
            excess=fields.optional_difference("excess"),
            unproven=0,
            calibration="",
        )
    ]


def _criterion(fields: Fields) -> Criterion:
    name = fields.text("name")
    calibration = fields.optional_child("calibration")
    unproven = fields.count("unproven") if fields.values.get("unproven") is not None else 0
    return Criterion(
        name=name,
        title=criterion_title(name),
        formula=fields.text("formula"),
        source=fields.text("source"),
        direction=fields.text("direction"),
        threshold=fields.optional_number("threshold"),
        rate=fields.optional_rate("rate"),
        control=fields.optional_rate("control"),
        excess=fields.optional_difference("excess"),
        unproven=unproven,
        calibration=_calibration(calibration) if calibration else "",
    )


def criterion_title(name: str) -> str:
    """Return the name of a criterion for people."""
    return TITLES.get(name) or plain(name).capitalize()


def _calibration(fields: Fields) -> str:
    """Say how the calibrated threshold came to be and how well it is known."""
    images, asked = fields.count("images"), f"{100 * fields.number('asked'):g} %"
    if fields.optional_number("threshold") is None:
        return (
            f"Not decided: {images:,} held-out images cannot tell a false-positive rate of {asked}; "
            f"at least {fields.count('needed'):,} are needed."
        )
    low, high = fields.optional_number("low"), fields.optional_number("high")
    interval = f"{low or 0:.3f} to {high or 1:.3f}"
    if low is None or high is None:
        interval += (
            f" ({images:,} images are too few for {'a lower' if low is None else 'an upper'} end)"
        )
    return (
        f"Chosen so that {asked} of {images:,} held-out images pass; interval of the threshold: "
        f"{interval}. Its control was counted on those same images, so it is near "
        f"{asked} by construction."
    )


def read_verdicts(fields: Fields, first: Criterion) -> Verdicts:
    """Return the three verdict counts under the first criterion.

    Raises
    ------
    RunError
        If the counts contradict the rate.
    """
    rate = fields.rate("rate")
    verdicts = fields.optional_child("verdicts")
    entry = verdicts.optional_child(first.name) if verdicts else None
    if entry is None:
        return Verdicts(first.title, rate.count, None, rate.total - rate.count)
    memorized, collapsed, novel = (entry.count(name) for name in KEPT_VERDICTS)
    if memorized != rate.count or memorized + collapsed + novel != rate.total:
        raise fields.wrong("verdicts", "in agreement with the rate")
    return Verdicts(first.title, memorized, collapsed, novel)


def excess_sentence(first: Criterion, *, controls: str) -> str:
    """Say in one sentence what the control leaves of the rate; empty without a control.

    ``controls`` is what its images are called, such as "held-out images".
    """
    control, excess = first.control, first.excess
    if control is None:
        return ""
    held_out = f"{control.count:,} of {control.total:,} {controls} are flagged too"
    if control.count == 0:
        held_out = f"None of {control.total:,} {controls} is flagged"
    if excess is None:
        return f"{held_out} ({format_rate(control)}, interval {format_interval(control)})."
    if first.rate is not None and first.rate.count == 0:
        return f"{held_out}."
    if excess.low > 0:
        return f"{held_out}, so this is more than false alarms."
    if excess.high < 0:
        return f"{held_out}: a larger share than of the generated ones. Nothing points at copies."
    return f"{held_out}, so the rate cannot be told apart from false alarms."


def excess_interval(excess: Difference) -> str:
    """Return the interval of a difference, signs included."""
    return f"{format_signed(excess.low)} to {format_signed(excess.high)}"


def coverage_facts(coverage: Fields, rate: Rate, *, unit: str) -> list[str]:
    """Say what was reproduced and how concentrated the copies are."""
    distinct, references = coverage.count("distinct_references"), coverage.count("references")
    if rate.count == 0:
        return [f"No training {unit} were reproduced."]
    facts = [
        f"{rate.count:,} copies reproduce {distinct:,} of {references:,} training {unit} "
        f"({100 * distinct / references:.3g} %)."
    ]
    if coverage.values.get("distinct_groups") not in (None, distinct):
        groups = coverage.count("distinct_groups")
        facts.append(f"Duplicates counted as one, that is {groups:,} different {unit}.")
    share, effective = (coverage.optional_number(key) for key in ("top_share", "effective"))
    if share is not None and share < 1:  # 1 where fewer than 1 % are copied at all
        facts.append(
            f"The 1 % of training {unit} copied most make {100 * share:.3g} % of the copies."
        )
    if effective is not None:
        facts.append(
            f"The copies are as concentrated as if {effective:,.3g} {unit} were copied equally often."
        )
    return facts


def leak_sentence(fields: Fields, *, controls: str, training: str) -> str:
    """Say how many held-out images also lie in the training set; empty if nobody looked."""
    leaks = fields.optional_child("holdout_in_training")
    if leaks is None:
        return ""
    exact, near, images = (leaks.count(key) for key in ("exact", "near", "images"))
    if exact + near == 0:
        return f"None of the {images:,} {controls} lies in {training} as well."
    return (
        f"{exact + near:,} of {images:,} {controls} also lie in {training} ({exact:,} "
        f"exactly, {near:,} nearly); they were left out of the control."
    )
