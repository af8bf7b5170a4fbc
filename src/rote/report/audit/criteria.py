"""What an audit found, in the order in which its page tells it, as plain sentences.

Audits written by older versions hold fewer keys; what is not there is left out or said to be missing.
"""

from __future__ import annotations

from rote.report.words import format_signed, one, percent_of, plain
from rote.results.audit import AuditFile, Coverage, Leaks, Verdicts
from rote.results.criterion import Calibration, Criterion
from rote.stats.rates import Difference, Rate

OLD_TITLES = {
    "ratio": "Ratio",
    "calibrated": "Calibrated ratio",
    "carlini": "Calibrated L2",
    "tiles": "Tiles",
    "absolute": "Absolute distance",
    "authenticity": "Authenticity",
}
"""For files from before criteria told their titles."""


def all_criteria(file: AuditFile) -> tuple[Criterion, ...]:
    """Return the criteria of an audit, the ratio first."""
    return file.criteria or (
        Criterion(
            name="ratio",
            formula="|x - NN1| < c |x - NN2|",
            source="Yoon et al. (2023); Gu et al. (2025)",
            direction="lower is more of a copy",
            threshold=file.criterion.ratio_threshold,
            rate=file.rate,
            control=file.control.rate if file.control else None,
            excess=file.excess,
        ),
    )


def criterion_title(found: Criterion) -> str:
    """Return the name of a criterion for people."""
    return plain(found.title) or OLD_TITLES.get(found.name) or plain(found.name).capitalize()


def titles_of(file: AuditFile) -> dict[str, str]:
    """Return the names of all criteria for people, by their name in the file."""
    every = [*all_criteria(file), *(c for entry in file.spaces for c in entry.criteria)]
    return {found.name: criterion_title(found) for found in every}


def calibration_sentence(found: Calibration) -> str:
    """Say how the calibrated threshold came to be and how well it is known."""
    asked = f"{100 * found.asked:g} %"
    unit = "images" if found.groups is None else "groups"
    if found.threshold is None:
        count = found.images if found.groups is None else found.groups
        return (
            f"Not decided: {count:,} held-out {unit} cannot tell a false-positive rate of "
            f"{asked}; at least {found.needed:,} are needed."
        )
    low, high = found.low, found.high
    interval = f"{low or 0:.3f} to {high or 1:.3f}"
    if low is None or high is None:
        end = "a lower" if low is None else "an upper"
        interval += f" ({found.images:,} images are too few for {end} end)"
    spread = ""
    if found.false_positives is not None:
        least, most = (f"{100 * end:.2g} %" for end in found.false_positives)
        spread = (
            f" That is so on average; in this calibration the rate lies between {least} and {most}."
        )
    if found.groups is not None:
        return (
            f"Chosen so that of images of a new group at most {asked} pass, from {found.images:,} "
            f"held-out ones in {found.groups:,} groups; interval of the threshold: {interval}.{spread}"
        )
    return (
        f"Chosen so that of images like these {found.images:,} held-out ones at most {asked} pass; "
        f"interval of the threshold: {interval}.{spread} Its control was counted on those same "
        f"images, so it is near {asked} or below by construction."
    )


def ratio_verdicts(file: AuditFile) -> Verdicts:
    """Return the verdict counts under the ratio; older audits did not look for collapse."""
    rate = file.rate
    return file.verdicts.get("ratio") or Verdicts(
        memorized=rate.count, collapsed=None, novel=rate.total - rate.count
    )


def excess_sentence(first: Criterion, *, controls: str) -> str:
    """Say what the control leaves of the rate; empty without a control.

    ``controls`` is what its items are, such as "real images not used in training".
    """
    control, excess = first.control, first.excess
    if control is None:
        return ""
    low, high = percent_of(control.low), percent_of(control.high)
    flagged = f"{control.count:,} flagged, so false alarms are probably {low} to {high}"
    if control.count == 0:
        flagged = f"none flagged, so false alarms are probably below {high}"
    told = f"Compared with {control.total:,} {controls} (the control): {flagged}."
    if excess is None or (first.rate is not None and first.rate.count == 0) or excess.low > 0:
        return told
    if excess.high < 0:
        return (
            f"{told} That is a larger share than of the generated ones: nothing points at copies."
        )
    return f"{told} The share above cannot be told apart from that."


def excess_interval(excess: Difference) -> str:
    """Return the interval of a difference, signs included."""
    return f"{format_signed(excess.low)} to {format_signed(excess.high)}"


def coverage_facts(found: Coverage, rate: Rate, *, unit: str) -> list[str]:
    """Say what was reproduced and how concentrated the copies are."""
    distinct, references = found.distinct_references, found.references
    if rate.count == 0:
        return [f"No training {unit} were reproduced."]
    facts = [
        f"{rate.count:,} copies reproduce {distinct:,} of {references:,} training {unit} "
        f"({100 * distinct / references:.3g} %)."
    ]
    if found.distinct_groups not in (None, distinct):
        facts.append(
            f"Duplicates counted as one, that is {found.distinct_groups:,} different {unit}."
        )
    if distinct == rate.count:
        return [*facts, f"No training {one(unit)} was copied more than once."]
    if (
        found.top_share is not None and found.top_share < 1
    ):  # 1 where less than 1 % is copied at all
        facts.append(
            f"The 1 % of training {unit} copied most make {100 * found.top_share:.3g} % of the copies."
        )
    if found.effective is not None:
        facts.append(
            f"The copies are as concentrated as if {found.effective:,.3g} {unit} were copied equally "
            "often."
        )
    return facts


def leak_sentence(leaks: Leaks | None, *, controls: str, training: str) -> str:
    """Say how many held-out images lie in the training set, or near to it; empty if nobody looked."""
    if leaks is None:
        return ""
    found = leaks.exact + leaks.near
    if found == 0:
        return f"None of the {leaks.images:,} {controls} lies in {training} as well."
    if leaks.near_flagged is None:  # of an older version
        return (
            f"{found:,} of {leaks.images:,} {controls} also lie in {training} ({leaks.exact:,} "
            f"exactly, {leaks.near:,} nearly); they were left out of the control."
        )
    told = []
    if leaks.exact:
        told.append(f"{leaks.exact:,} equal one of {training} and were left out of the control")
    if leaks.near:
        told.append(
            f"{leaks.near:,} lie within the radius of near-duplicates of one and stay in it, since a new "
            f"one may lie there, too ({leaks.near_flagged:,} of them are flagged by the ratio)"
        )
    return f"Of {leaks.images:,} {controls}, {'; '.join(told)}."
