"""`try_remedies`: a model before and after each remedy, judged on equal noise seeds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rote.core.errors import ConfigError, RunError
from rote.core.memory import keep_freed_memory
from rote.core.progress.display import progress
from rote.core.run_folder import Run
from rote.core.seeds import child_seed
from rote.data.dataset import Dataset
from rote.diffusion.draw import noise_seeds
from rote.experiments.mitigation.case import Case, case_of
from rote.experiments.mitigation.defaults import COUNT, JUDGES, MARGIN, SELECTION
from rote.experiments.mitigation.judges import Bench
from rote.experiments.mitigation.remedies import (
    REMEDIES,
    Applied,
    Remedy,
    Retrain,
    own_remedy,
    remedy_of,
)
from rote.experiments.mitigation.tried import Remedies
from rote.experiments.mitigation.verdict import Judged, verdict_of
from rote.experiments.trainers.config import TrainerConfig
from rote.experiments.trainers.protocol import Sampler, Trainer
from rote.experiments.trainers.samples import as_samples
from rote.memorization.audit.audit import Audit
from rote.metrics.precision_recall import LEAST
from rote.results.mitigation.remedies import RemediesFile
from rote.results.schema import write_result

ALPHA = 0.05
Given = str | Callable[[Case, str], Applied]


@dataclass(frozen=True)
class Trial:
    """How remedies are judged.

    Attributes
    ----------
    count
        Samples of the model and of each remedy that a verdict is on.
    selection
        Samples of each setting, of other seeds, that the best is chosen on.
    margin
        How much of precision and of coverage may be lost.
    seed
        Root seed of the noise; with it `rote sample` draws the same samples of the model.
    """

    count: int = COUNT
    selection: int = SELECTION
    margin: float = MARGIN
    seed: int = 0

    def check(self) -> None:
        """Refuse what is out of range."""
        for name, count in (("count", self.count), ("selection", self.selection)):
            if count < LEAST:
                raise ConfigError(f"`{name}` is {count}; quality needs {LEAST} samples and more")
        if not 0 <= self.margin <= 1:
            raise ConfigError(f"`margin` is {self.margin}; it must lie in [0, 1]")


@dataclass(frozen=True)
class Attempt:
    """One remedy at one setting, ready to be drawn from.

    Attributes
    ----------
    basis
        What is equal of a training; empty of others.
    images
        Images that its training sees, of those of the model; None: it trains nothing.
    """

    remedy: Remedy
    setting: str
    basis: str
    images: float | None
    sampler: Sampler

    @property
    def folder(self) -> str:
        """Its name as that of a folder."""
        return _folder(self.remedy, self.setting, self.basis)


def try_remedies(
    run: str | Path | Trainer | TrainerConfig,
    *,
    out: str | Path,
    remedies: Sequence[Given] | None = None,
    judges: Sequence[str] = JUDGES,
    training: Any = None,
    holdout: Any = None,
    trial: Trial | None = None,
    device: str | None = None,
) -> Remedies:
    """Try remedies on a model that copies, and say of each whether it helps, evades or harms.

    Parameters
    ----------
    run
        The folder of `rote train`, or anyone's trainer: a function of a `rote.TrainingJob`, or its
        configuration. A trainer is trained on the data first, and gets the remedies of the data alone.
    out
        Folder for `remedies.json`, an audit of each remedy, and what was trained.
    remedies
        NAME, NAME:SETTING or NAME:SETTING,SETTING of `rote remedy list`, module:function, or functions of
        a `Case` and a setting, which return ``sample(num, seed)``, a data set to train on, or a
        `Retrain`. None: all that fit.
    judges
        Definitions of a copy, as `rote.experiments.mitigation.judges` reads them; settings are chosen by
        the first, and what helps has to convince the others.
    training, holdout
        What the model was trained on, or the source that it was drawn from, and real items that it was
        not; None: those of the run, and the rest of its source. A trainer needs both.
    trial
        How many samples, and the margin of quality.
    device
        None: that of the run.

    Raises
    ------
    ConfigError
        If a remedy, a judge or a number is unknown or out of range.
    DataError
        If the data are not those of the run, or too few.
    RunError
        If ``out`` holds something else, or two seeds give the same samples.
    """
    trial = trial or Trial()
    trial.check()
    keep_freed_memory()
    chosen = [_remedy(given) for given in (remedies or REMEDIES.names)]
    out = Path(out)
    case, name = case_of(run, out, training, holdout, trial.seed, device)
    bench = Bench(judges, case.training, case.holdout, seed=trial.seed, device=case.device)
    bound = {
        "kind": "remedies",
        "model": case.identity(),
        "training": case.training.digest,
        "holdout": case.holdout.digest,
        "device": case.device,
    }
    with Run(out, bound) as opened, opened.timed("remedies"):
        return _Comparison(case, bench, trial, out, name).of(chosen)


class _Comparison:
    """A model as it is, and what remedies are held against."""

    def __init__(self, case: Case, bench: Bench, trial: Trial, out: Path, name: str) -> None:
        self.case, self.bench, self.trial, self.out, self.name = case, bench, trial, out, name
        self._sampler = case.sampler()

    @cached_property
    def _selection(self) -> Dataset:
        """The samples of the model that settings are chosen on."""
        drawn = self._draw(self._sampler, self.name, selection=True)
        others = self._drawn.items[: len(drawn)]
        if np.array_equal(drawn.items[: len(others)], others):
            raise RunError(
                f"{self.name}: two seeds gave the same samples; let sample(num, seed) use its"
            )
        return drawn

    @cached_property
    def _drawn(self) -> Dataset:
        """The samples of the model that verdicts are on."""
        return self._draw(self._sampler, self.name)

    def of(self, chosen: Sequence[tuple[Remedy, tuple[str, ...]]]) -> Remedies:
        """Try the remedies, and write what was found."""
        before = self.bench.audit(self._drawn)
        folders = self._save(before, "before")
        left_out = []
        results: list[tuple[Attempt, list[Audit], list[dict[str, Any]]]] = []
        with progress("remedies tried", len(chosen)) as report:
            for done, (remedy, settings) in enumerate(chosen):
                report(done, len(chosen))
                if why := remedy.unfit(self.case):
                    left_out.append({"name": remedy.name, "why": why})
                    continue
                setting, table = self._setting(remedy, settings)
                for attempt in self._attempts(remedy, setting):
                    samples = self._draw(attempt.sampler, attempt.folder)
                    results.append((attempt, self.bench.audit(samples), table))
        alpha = ALPHA / max(1, len(results))
        tried = [
            self._told(attempt, before, after, table, alpha) for attempt, after, table in results
        ]
        content = {
            "kind": "remedies",
            "model": self.name,
            "training": self.case.training.describe(),
            "holdout": self.case.holdout.describe(),
            "judges": [judge.text for judge in self.bench.judges],
            "count": self.trial.count,
            "selection": self.trial.selection,
            "margin": self.trial.margin,
            "alpha": alpha,
            "seed": self.trial.seed,
            "before": folders,
            "tried": tried,
            "left_out": left_out,
        }
        write_result(self.out / "remedies.json", RemediesFile, content)
        return Remedies(content)

    def _draw(self, sampler: Sampler, who: str, *, selection: bool = False) -> Dataset:
        """Draw samples in the units of the training set, each with its noise seed."""
        count = self.trial.selection if selection else self.trial.count
        seed = child_seed(self.trial.seed, "select") if selection else self.trial.seed
        given, training = sampler(count, seed), self.case.training
        own = isinstance(given, Dataset) and given.scaling == training.scaling
        found = given if own else as_samples(given, count, like=training, value_range=None, who=who)
        if len(found) != count or found.items.shape[1:] != training.items.shape[1:]:
            raise RunError(
                f"{who}: {found.items.shape} came where {count} of {training.shape} are due"
            )
        seeds = np.array(noise_seeds(count, seed), np.int64)
        labels = given.labels if isinstance(given, Dataset) else None
        classes = given.classes if isinstance(given, Dataset) and labels is not None else ()
        return replace(found, labels=labels, classes=classes, seeds=seeds, source=who)

    def _setting(self, remedy: Remedy, given: tuple[str, ...]) -> tuple[str, list[dict[str, Any]]]:
        """Choose a setting on samples of other seeds: the least loss of those with the lowest rates."""
        settings = given or tuple(remedy.settings(self.case))
        if len(settings) == 1:
            return settings[0], []
        found = []
        for setting in settings:
            attempt = next(self._attempts(remedy, setting))
            drawn = self._draw(attempt.sampler, attempt.folder, selection=True)
            rate, quality = self.bench.rate(drawn), self.bench.quality(self._selection, drawn)
            lost = max(each.loss.value for each in quality.values())
            found.append((setting, rate, quality, lost))
        within = [row for row in found if row[3] <= self.trial.margin]
        lowest = min((row[1] for row in within), default=None)
        # A few copies more or less on so few samples are chance: of these the least loss.
        best = min(
            (row for row in within or found if lowest is None or row[1].low <= lowest.high),
            key=lambda row: row[3],
        )[0]
        table = [
            {"setting": setting, "rate": rate.to_json()}
            | {name: each.after.value for name, each in quality.items()}
            | {"chosen": setting == best}
            for setting, rate, quality, _ in found
        ]
        return best, table

    def _attempts(self, remedy: Remedy, setting: str) -> Iterator[Attempt]:
        """Yield a remedy at a setting, trained at equal images first, then at equal exposures."""
        applied = remedy.apply(self.case, setting)
        if isinstance(applied, Dataset):
            applied = Retrain(applied, distinct=len(applied) / len(self.case.training))
        if not isinstance(applied, Retrain):
            yield Attempt(remedy, setting, "", None, applied)
            return
        bases = {"equal images": 1.0}
        if self.case.own and applied.distinct != 1:
            bases["equal exposures"] = applied.distinct
        for basis, images in bases.items():
            told = basis if self.case.own else ""
            sampler = self.case.trained(
                applied.training,
                _folder(remedy, setting, told),
                images=images,
                changes=applied.changes,
            )
            yield Attempt(remedy, setting, told, images, sampler)

    def _told(
        self,
        attempt: Attempt,
        before: list[Audit],
        after: list[Audit],
        table: list[dict[str, Any]],
        alpha: float,
    ) -> dict[str, Any]:
        """Save the audits of a remedy and return what is told of it."""
        old, new = self.bench.verdicts(before), self.bench.verdicts(after)
        controls = self.bench.controls(before)
        judged = [
            Judged.of(judge.text, old[judge], new[judge], control=controls[judge])
            for judge in self.bench.judges
        ]
        losses = self.bench.quality(self._drawn, after[0].generated)
        verdict, why = verdict_of(judged, losses, margin=self.trial.margin, alpha=alpha)
        return {
            "name": attempt.remedy.name,
            "kind": attempt.remedy.kind,
            "setting": attempt.setting,
            "basis": attempt.basis,
            "images_trained": attempt.images,
            "verdict": verdict,
            "why": why,
            "audits": self._save(after, attempt.folder),
            "judged": [one.to_json() for one in judged],
            "quality": [{"name": name, **asdict(each)} for name, each in losses.items()],
            "settings": table,
        }

    def _save(self, audits: Sequence[Audit], name: str) -> list[str]:
        folders = []
        for number, audit in enumerate(audits):
            folder = f"audits/{name}" if not number else f"audits/{name}-{number + 1}"
            audit.save(self.out / folder)
            folders.append(folder)
        return folders


def _folder(remedy: Remedy, setting: str, basis: str) -> str:
    text = "-".join(part for part in (remedy.name, setting, basis) if part)
    return re.sub(r"[^\w.]+", "-", text)


def _remedy(given: Given) -> tuple[Remedy, tuple[str, ...]]:
    return remedy_of(given) if isinstance(given, str) else (own_remedy(given), ())
