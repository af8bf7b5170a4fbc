"""What a person sees of an audit: one table of answers, one of the positive control."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rote.cli.audit.spaces_view import show_spaces
from rote.core.console import console, say, table
from rote.data.messages import shown
from rote.results.side import items_word

if TYPE_CHECKING:
    from rich.table import Table

    from rote.memorization.audit.audit import Audit
    from rote.memorization.controls import Recall
    from rote.memorization.groups.reproduced import ReproducedGroups
    from rote.stats.rates import Rate


def show_audit(found: Audit) -> None:
    """Print the audit for people."""
    for notice in found.notices:
        say(f"{'doubtful' if notice.doubtful else 'note'}: {notice.text}")
    title = f"{len(found.generated):,} generated against {len(found.training):,} training"
    columns = ["memorized by", f"generated, of {found.rate.total:,}"]
    if found.control is not None:
        columns.append(f"held out, of {found.control.total:,}")
    console.print(table(title, columns, _rate_rows(found)))
    for line in _sentences(found):
        say(line)
    if found.positive:
        console.print(_recall_table(found))
    if len(found.spaces) > 1:
        show_spaces(found)
    if found.supplement is not None:
        from rote.cli.audit.supplement_view import show_supplement

        show_supplement(found.supplement)
    if found.captions is not None:
        from rote.cli.audit.captions_view import show_captions

        show_captions(found.captions)


def show_timings(seconds: dict[str, float]) -> None:
    """Print the seconds of every stage."""
    rows = [[name, f"{value:.2f}"] for name, value in seconds.items()]
    console.print(
        table("seconds", ["stage", "s"], [*rows, ["all", f"{sum(seconds.values()):.2f}"]])
    )


def _rate_rows(found: Audit) -> list[list[str]]:
    from rote.stats.rates import newcombe

    rows = []
    for result in found.criteria:
        rate, control = result.rate, result.control
        row = [result.description["label"], _text(rate)]
        if found.control is None:
            rows.append(row)
            continue
        rows.append([*row, _text(control)])
        if rate is not None and control is not None:
            more = newcombe(rate, control)
            excess = f"{more.value:+.3g} [{more.low:+.2g}, {more.high:+.2g}]"
            rows.append(["  excess", excess, ""])
    return rows


def _text(rate: Rate | None) -> str:
    if rate is None:
        return "not known"
    return f"{rate.count:,}: {rate.value:.3g} [{rate.low:.2g}, {rate.high:.2g}]"


def _sentences(found: Audit) -> list[str]:
    """Say in words what the numbers rest on; only what applies."""
    from rote.memorization.audit.checks import spacing_words
    from rote.memorization.summary import count_verdicts

    counts, coverage = count_verdicts(found.verdict), found.coverage()
    item, items = _words(found)
    lines = [
        f"{counts['memorized']:,} memorized, {counts['collapsed']:,} collapsed (near another generated "
        f"{item}, not near training), {counts['novel']:,} novel"
    ]
    if counts["memorized"]:
        often = f"the most copied 1 % make {100 * coverage['top_share']:.0f} % of the copies"
        if coverage["distinct_references"] == counts["memorized"]:
            often = "none more than once"
        lines.append(
            f"{coverage['distinct_references']:,} of {coverage['references']:,} training {items} "
            f"reproduced; {often}"
        )
    if found.reproduced is not None:
        lines += groups_lines(found.reproduced)
    exact, near = found.duplicates.to_json(), found.groups.to_json()
    rms = found.settings.duplicate_rms
    unit = " levels" if found.training.in_levels else ""
    within = f", {near['images']:,} in {near['groups']:,} within {rms:g}{unit}" if rms else ""
    spacing = found.settings.spacing
    if rms and spacing:
        within += f" ({spacing_words(found.training, spacing)})"
    lines.append(
        f"duplicates in training: {exact['images']:,} exact in {exact['groups']:,} groups{within}"
    )
    lines += _ruler_sentences(found)
    lines += _control_sentences(found)
    if found.tolerance is not None:
        lines.append(tolerance_line(found.tolerance.to_json(), one=item))
    for result in found.criteria:
        if result.unproven:
            lines.append(
                f"{result.name}: {result.unproven:,} verdicts are not proven beyond the nearest "
                f"training {items} that were looked at"
            )
    return lines


def tolerance_line(found: dict[str, Any], *, one: str) -> str:
    """Say how far from its source a copy may lie; ``one`` is what an item is called."""
    from rote.results.criterion import Tolerance

    told = Tolerance.model_validate(found)
    return (
        f"tolerance: the ratio flags a copy of a typical training {one} up to an error of "
        f"{told.in_words()}"
    )


def groups_lines(found: ReproducedGroups) -> list[str]:
    """Say how many groups were reproduced, and which most."""
    rate = found.reproduced["ratio"]
    lines = [
        f"groups reproduced: {rate.count:,} of {rate.total:,} [{rate.low:.2g}, {rate.high:.2g}]"
        + "".join(
            f"; by {name} {other.count:,}"
            for name, other in found.reproduced.items()
            if name != "ratio"
        )
    ]
    most = [row for row in found.by_copies[:3].tolist() if found.copies["ratio"][row]]
    if most:
        named = ", ".join(
            f"{shown(found.names[row])} ({found.copies['ratio'][row]:,} copies)" for row in most
        )
        lines[0] += f"; most of all {named}"
    if found.holdout is not None and found.flagged:
        other = found.flagged["ratio"]
        lines.append(f"held-out groups with an item flagged: {other.count:,} of {other.total:,}")
    return lines


def _words(found: Audit) -> tuple[str, str]:
    """Return what one item is called, and several."""
    flat = found.training.kind == "vector"  # of a table or not: each is a row for people
    items = "rows" if flat else items_word(found.training.kind, ())
    return (items if items == "series" else items.removesuffix("s")), items


def _ruler_sentences(found: Audit) -> list[str]:
    """Say what was done to the images before they were measured."""
    done, lines = found.preprocessing, []
    if done is not None and done.resolution is not None:
        height, width = done.given[1:]
        lines.append(
            f"measured at {done.resolution}x{done.resolution} (images of {width}x{height})"
        )
    if done is not None and done.autoencoder is not None:
        lines.append(
            f"real images went through the autoencoder {done.autoencoder['name']} "
            f"(SHA-256 {done.autoencoder['weights_sha256'][:12]}) before they were measured"
        )
    return lines


def _control_sentences(found: Audit) -> list[str]:
    _, items = _words(found)
    if found.holdout is None:
        return [
            "no control: give --holdout, or --set-aside N, to see what this rule flags among real "
            f"{items}"
        ]
    lines = []
    if found.settings.set_aside:
        lines.append(
            f"control: {found.settings.set_aside:,} training {items} were set aside; copies of them "
            "are missed"
        )
    leaks = found.leaks
    if leaks is not None and leaks.exact + leaks.near:
        lines.append(
            f"of {leaks.images:,} held-out {items} {leaks.exact:,} equal a training one and are left out "
            f"of the control, {leaks.near:,} lie nearly there and stay ({leaks.near_flagged:,} flagged)"
        )
    for result in found.criteria:
        calibration = result.description.get("calibration")
        if calibration and calibration["threshold"] is None:
            count, unit = calibration["images"], items
            if calibration["groups"] is not None:
                count, unit = calibration["groups"], "groups"
            lines.append(
                f"not calibrated: {count:,} held-out {unit} are too few for {calibration['asked']:g}, "
                f"which needs {calibration['needed']:,}; --false-positive-rate {1 / (count + 1):.2g} "
                "is the smallest that they allow"
            )
        elif calibration:
            low, high = calibration["false_positives"]
            lines.append(
                f"calibrated: ratio < {calibration['threshold']:.4g}; false positives are at most "
                f"{calibration['asked']:g} in the mean, and between {low:.2g} and {high:.2g} in this one "
                "calibration"
            )
    return lines


def _recall_table(found: Audit) -> Table:
    """Return the recall of every corruption, a column per strength, mild to strong."""
    names = list(found.positive[0].recall)
    by_kind: dict[str, list[Recall]] = {}
    for cell in found.positive:
        by_kind.setdefault(cell.kind.name, []).append(cell)
    rows = []
    predicted = all(cell.predicted is not None for cell in found.positive)
    for kind, cells in by_kind.items():
        strengths = " ".join(f"{cell.kind.strength:g}" for cell in cells) if len(cells) > 1 else ""
        shown = [" ".join(_short(cell.recall[name].value) for cell in cells) for name in names]
        if predicted:
            shown.append(" ".join(_short(cell.predicted.value) for cell in cells if cell.predicted))
        rows.append([f"{kind} {strengths}", *shown])
    copies = found.positive[0].found.total
    title = f"what this audit would have seen: recall of {copies} copies per kind and strength"
    columns = ["copies made by", *names, *(["within tolerance"] if predicted else [])]
    return table(title, columns, rows)


def _short(value: float) -> str:
    """Return a share with two decimals and no leading zero: .96, 1.00."""
    return f"{value:.2f}".removeprefix("0")
