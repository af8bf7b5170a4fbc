"""Reads a finished search for the EMM: `emm.json` and the files of its runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rote.core.atomic_files import read_json
from rote.core.errors import RunError
from rote.core.run_folder import read_metrics
from rote.report.audit.read import Audit, read_audit
from rote.report.fields import Fields
from rote.stats.rates import Rate


@dataclass(frozen=True)
class Interval:
    """An EMM with its interval; None where it reaches beyond the sizes trained."""

    value: float | None
    low: float | None
    high: float | None
    status: str
    confidence: float


@dataclass(frozen=True)
class Triple:
    """A number with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Point:
    """One run of a search, with the audit of its fresh samples.

    ``bound`` is "exact", or "at-least" or "at-most" where its training was ended early; the estimate
    then took ``bound_rate`` as a bound on the rate that it would have had.
    """

    size: int
    replicate: int
    decision: str
    images_seen: int
    images_trained: int
    rate: Rate
    bound: str
    bound_rate: float
    selection: tuple[tuple[int, Rate], ...]
    loss: tuple[tuple[int, float], ...]
    gap: tuple[Fields, ...]
    distinct_references: int
    audit: Audit


@dataclass(frozen=True)
class Round:
    """One round: what was trained and why, and the EMM after it."""

    runs: tuple[tuple[int, int], ...]
    why: str
    after: Interval


@dataclass(frozen=True)
class Curve:
    """The mean rate over the training-set size with its band, and the posterior of the EMM."""

    band: tuple[tuple[float, Triple], ...]
    posterior: tuple[tuple[float, float], ...]
    slope: Triple
    spread: Triple
    confidence: float


@dataclass(frozen=True)
class Search:
    """A finished search for the EMM: `emm.json` and the audits of its runs."""

    text: str
    fields: Fields
    emm: Interval
    sentence: str
    epsilon: float
    ratio_threshold: float
    space: str
    points: tuple[Point, ...]
    curve: Curve
    others: tuple[tuple[float, Interval], ...]
    rounds: tuple[Round, ...]
    stopped: str
    optimum: tuple[int, Rate]
    holdout: tuple[int, Rate] | None
    onset: Fields | None


def read_search(run_dir: Path) -> Search:
    """Read the directory of a finished search.

    Raises
    ------
    RunError
        If a file is missing or damaged, or if the files contradict each other.
    """
    path = run_dir / "emm.json"
    fields = Fields(path, read_json(path))
    fields.one_of("kind", "emm")
    criterion, controls = fields.child("criterion"), fields.child("controls")
    points = tuple(_read_point(run_dir, entry) for entry in fields.children("points"))
    if not points:
        raise fields.wrong("points", "a list with at least one run")
    holdout = controls.optional_child("holdout")
    emm = read_interval(fields.child("emm"))
    return Search(
        text=path.read_text(encoding="utf-8"),
        fields=fields,
        emm=emm,
        sentence=fields.text("sentence"),
        epsilon=fields.number("epsilon"),
        ratio_threshold=criterion.number("ratio_threshold"),
        space=criterion.text("space"),
        points=points,
        curve=_read_curve(fields),
        others=tuple(
            (entry.number("epsilon"), read_interval(entry))
            for entry in fields.children("other_epsilons")
        ),
        rounds=_read_rounds(fields.child("design"), emm),
        stopped=fields.child("design").text("stopped"),
        optimum=_read_control(controls.child("optimum")),
        holdout=_read_control(holdout) if holdout else None,
        onset=fields.optional_child("onset"),
    )


def _read_control(fields: Fields) -> tuple[int, Rate]:
    return fields.count("size"), fields.rate("rate")


def read_interval(fields: Fields) -> Interval:
    """Read an EMM: value, ends and status."""
    status = fields.one_of("status", "bracketed", "above", "below")
    for key in ("value", "low", "high") if status == "bracketed" else ():
        if fields.number(key) <= 0:
            raise fields.wrong(key, "above 0")
    return Interval(
        value=fields.optional_number("value"),
        low=fields.optional_number("low"),
        high=fields.optional_number("high"),
        status=status,
        confidence=fields.number("confidence"),
    )


def _read_triple(fields: Fields, value: str = "value") -> Triple:
    return Triple(fields.number(value), fields.number("low"), fields.number("high"))


def _read_curve(fields: Fields) -> Curve:
    curve = fields.child("curve")
    return Curve(
        band=tuple(
            (row.number("size"), _read_triple(row, "rate")) for row in curve.children("band")
        ),
        posterior=tuple(
            (row.number("size"), row.number("density")) for row in fields.children("posterior")
        ),
        slope=_read_triple(curve.child("logits_per_doubling")),
        spread=_read_triple(curve.child("spread_between_runs")),
        confidence=curve.number("confidence"),
    )


def _read_rounds(design: Fields, emm: Interval) -> tuple[Round, ...]:
    """Read the rounds; the file has the EMM before each, a reader wants it after each."""
    entries = design.children("rounds")
    after = [read_interval(entry.child("emm")) for entry in entries[1:]]
    return tuple(
        Round(
            runs=tuple(
                (run.positive("size"), run.count("replicate")) for run in entry.children("runs")
            ),
            why=entry.text("why"),
            after=interval,
        )
        for entry, interval in zip(entries, [*after, emm], strict=True)
    )


def _read_point(run_dir: Path, fields: Fields) -> Point:
    folder = run_dir / fields.text("run")
    if not folder.resolve().is_relative_to(run_dir.resolve()):
        raise fields.wrong("run", f"a folder inside {run_dir}")
    rate = fields.rate("rate")
    audit = read_audit(folder / "audit")
    if (audit.rate.count, audit.rate.total) != (rate.count, rate.total):
        raise RunError(
            f"{folder / 'audit'} does not belong to {fields.path}: it counts {audit.rate.count} of "
            f"{audit.rate.total}, not {rate.count} of {rate.total}; run `rote emm` again"
        )
    observation = fields.child("observation")
    return Point(
        size=fields.positive("size"),
        replicate=fields.count("replicate"),
        decision=fields.one_of("decision", "at-least", "less", "undecided"),
        images_seen=fields.count("images_seen"),
        images_trained=fields.count("images_trained"),
        rate=rate,
        bound=observation.one_of("bound", "exact", "at-least", "at-most"),
        bound_rate=observation.count("count") / observation.positive("total"),
        selection=tuple(
            (row.count("images_seen"), row.rate("rate")) for row in fields.children("selection")
        ),
        loss=tuple(
            (row["images_seen"], row["loss"]) for row in read_metrics(folder / "metrics.jsonl")
        ),
        gap=tuple(fields.children("gap")),
        distinct_references=fields.child("coverage").count("distinct_references"),
        audit=audit,
    )
