"""The small pictures of a run: its loss and the rates of its snapshots, as plain SVG.

Dozens of runs fit on a page as small multiples; they need no script, and take the colors of the theme
from the style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rote.report import words
from rote.report.emm.read import Run, Search
from rote.results.emm import EmmFile, SearchPoint
from rote.results.gap import GapSnapshot
from rote.stats.rates import Rate

WIDTH, HEIGHT = 280.0, 64.0
MARGIN = 6.0
MOST_POINTS = 120
GAP_SIGMA = 0.8  # where the gap goes best with the rate of copies


@dataclass(frozen=True)
class Dot:
    """A snapshot's rate: where it is, the ends of its interval, and whether it was the one chosen."""

    x: float
    y: float
    low: float
    high: float
    chosen: bool


@dataclass(frozen=True)
class Card:
    """What the card of one run shows; coordinates are within WIDTH x HEIGHT."""

    number: int
    name: str
    point: SearchPoint
    note: str
    loss_path: str
    loss_text: str
    gap_text: str
    """The gap at each snapshot, at the noise level nearest GAP_SIGMA; empty where it was not measured."""
    rate_path: str
    dots: tuple[Dot, ...]
    line: float
    """Height of 1 - epsilon."""


def run_cards(search: Search) -> list[Card]:
    """Return a card for every run, all on the same scales."""
    last = max(point.images_trained for point in search.file.points)
    losses = [loss for run in search.runs for _, loss in run.loss if loss > 0]
    lowest, highest = (min(losses), max(losses)) if losses else (0.1, 1.0)
    return [
        _card(number, run, search.file, last=last, lowest=lowest, highest=highest)
        for number, run in enumerate(search.runs)
    ]


def point_name(file: EmmFile, point: SearchPoint) -> str:
    """Name a run by its size, and by its number where the size has several."""
    several = sum(other.size == point.size for other in file.points) > 1
    return f"{point.size:,}" + (f" · run {point.replicate}" if several else "")


def _card(
    number: int, run: Run, file: EmmFile, *, last: int, lowest: float, highest: float
) -> Card:
    point = run.point

    def across(seen: float) -> float:
        return MARGIN + (WIDTH - 2 * MARGIN) * seen / last

    def loss_height(loss: float) -> float:
        if highest <= lowest:
            return HEIGHT / 2
        share = math.log(highest / max(loss, lowest)) / math.log(highest / lowest)
        return MARGIN + (HEIGHT - 2 * MARGIN) * share

    dots = tuple(
        Dot(
            across(scored.images_seen),
            *_heights(scored.rate),
            chosen=scored.images_seen == point.images_seen,
        )
        for scored in (point.selection if several_snapshots(file) else ())
    )
    loss = [(across(seen), loss_height(value)) for seen, value in _thinned(run.loss)]
    return Card(
        number=number,
        name=point_name(file, point),
        point=point,
        note=_note(run, file.data.items),
        loss_path=_path(loss),
        loss_text=f"{run.loss[0][1]:.3g} to {run.loss[-1][1]:.3g}" if run.loss else "",
        gap_text=_gap_text(point.gap),
        rate_path=_path([(dot.x, dot.y) for dot in dots]),
        dots=dots,
        line=_height(1 - file.epsilon),
    )


def several_snapshots(file: EmmFile) -> bool:
    """Say whether any run was scored at more than one moment: else there is no course to show."""
    return any(len(point.selection) > 1 for point in file.points)


def _height(rate: float) -> float:
    return MARGIN + (HEIGHT - 2 * MARGIN) * (1 - rate)


def _heights(rate: Rate) -> tuple[float, float, float]:
    return _height(rate.value), _height(rate.low), _height(rate.high)


def _thinned(rows: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return at most MOST_POINTS rows, each the mean of a block: a line needs no more."""
    size = -(-len(rows) // MOST_POINTS)
    blocks = [rows[start : start + size] for start in range(0, len(rows), max(size, 1))]
    return [(block[-1][0], sum(loss for _, loss in block) / len(block)) for block in blocks]


def _path(places: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places) if places else ""


def _note(run: Run, items: str) -> str:
    """Say how the training ended."""
    point, bound = run.point, run.point.observation.bound
    trained = f"{point.images_trained:,} {items} seen"
    if bound == "at-least":
        return (
            f"Ended early, after {trained}: surely a memorizer, so the rest could only confirm it."
        )
    if bound == "at-most":
        most = words.format_share(run.bound_rate)
        return f"Ended early, after {trained}: by its end it would not have passed {most}."
    if point.selection and point.images_seen != point.images_trained:
        return f"Trained to the end, {trained}; best at {point.images_seen:,}."
    return f"Trained to the end, {trained}."


def _gap_text(snapshots: Sequence[GapSnapshot]) -> str:
    """Say how the gap to the optimum fell."""
    if not snapshots:
        return ""
    found, sigma = [], GAP_SIGMA
    for entry in snapshots:
        place = min(range(len(entry.sigmas)), key=lambda n: abs(entry.sigmas[n] - GAP_SIGMA))
        sigma, gap = entry.sigmas[place], entry.gap[place]
        found.append("none" if gap is None else f"{gap:.2g}")
    return f"{words.join(found, 'then')}, at σ = {sigma:g}"
