"""A model as it is, and what each remedy makes of it: drawn, measured and told, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rote.core.errors import ConfigError, RunError
from rote.core.progress.display import progress
from rote.core.seeds import child_seed
from rote.data.dataset import Dataset
from rote.diffusion.draw import noise_seeds
from rote.experiments.mitigation.attempt import Attempt, Wanted, attempts
from rote.experiments.mitigation.case import Case
from rote.experiments.mitigation.choice import Candidate, least_loss
from rote.experiments.mitigation.defaults import COUNT, MARGIN, SELECTION
from rote.experiments.mitigation.judges import Bench, Judge, Seen
from rote.experiments.mitigation.remedy import Remedy
from rote.experiments.mitigation.stages import kept_measures, kept_samples
from rote.experiments.mitigation.tried import Remedies
from rote.experiments.mitigation.verdict import Judged, verdict_of
from rote.experiments.trainers.function import said
from rote.experiments.trainers.protocol import Sampler
from rote.experiments.trainers.samples import as_samples
from rote.metrics.precision_recall import LEAST, Paired
from rote.results.mitigation.remedies import MeasuredFile, RemediesFile
from rote.results.schema import write_result

ALPHA = 0.05
BEFORE = "before"
Part = Literal["", "-selection", "-others"]
SELECT: Part = "-selection"
OTHERS: Part = "-others"
"""Which samples: those that a verdict is on, that a setting is chosen on, of captions not trained on."""


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


class Comparison:
    """A model as it is, and what remedies are held against."""

    def __init__(self, case: Case, bench: Bench, trial: Trial, out: Path, name: str) -> None:
        self.case, self.bench, self.trial, self.out, self.name = case, bench, trial, out, name

    def of(self, chosen: Sequence[Wanted]) -> Remedies:
        """Try the remedies that fit the model, and write what was found."""
        unfit = {remedy.name: remedy.unfit(self.case) for remedy, _ in chosen}
        left_out = [{"name": name, "why": why} for name, why in unfit.items() if why]
        fits = [(remedy, settings) for remedy, settings in chosen if not unfit[remedy.name]]
        if not fits:
            told = "; ".join(f"{one['name']}: {one['why']}" for one in left_out)
            raise ConfigError(
                f"no `remedy` fits {self.name} ({told}); `rote remedy list` says what there is"
            )
        found = []
        _ = self._before
        with progress("remedies tried", len(fits)) as report:
            for done, (remedy, settings) in enumerate(fits):
                report(done, len(fits))
                ready, table = self._chosen(remedy, settings)
                found += [(attempt, self._measured(attempt), table) for attempt in ready]
        alpha = ALPHA / max(1, len(found))
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
            "before": self.bench.folders(BEFORE),
            "tried": [self._told(*one, alpha) for one in found],
            "left_out": left_out,
        }
        write_result(self.out / "remedies.json", RemediesFile, content)
        return Remedies(content)

    @cached_property
    def _drawn(self) -> Dataset:
        """The samples of the model that verdicts are on."""
        return self._samples(None)

    @cached_property
    def _selection(self) -> Dataset:
        """The samples of the model that settings are chosen on."""
        drawn = self._samples(None, SELECT)
        others = self._drawn.items[: len(drawn)]
        if np.array_equal(drawn.items[: len(others)], others):
            raise RunError(
                f"{self.name}: two seeds gave the same samples; let sample(num, seed) use its"
            )
        return drawn

    @cached_property
    def _drawn_others(self) -> Dataset:
        """The images of captions that were not trained on."""
        return self._samples(None, OTHERS)

    @cached_property
    def _before(self) -> dict[Judge, Seen]:
        """What the judges say of the model."""
        return self._seen(BEFORE, self._drawn)

    @cached_property
    def _before_others(self) -> dict[Judge, Seen]:
        return self._seen(f"{BEFORE}{OTHERS}", self._drawn_others)

    def _seen(self, name: str, drawn: Dataset) -> dict[Judge, Seen]:
        """Return what the judges say of samples of the model."""

        def audit() -> dict[str, Any]:
            self.bench.audit(drawn, self.out, name)
            return {}

        kept_measures(self.out / "measured" / f"{name}.json", self._of(drawn), audit)
        return self.bench.seen(self.out, name)

    def _of(self, *sides: Dataset) -> tuple[str, ...]:
        """Return what a measure depends on beside the data that the folder is bound to."""
        digests = (side.digest for side in sides)
        return (*digests, *(judge.text for judge in self.bench.judges))

    def _samples(self, attempt: Attempt | None, part: Part = "") -> Dataset:
        """Draw samples of a remedy, or of the model, unless they are there."""
        selection = part == SELECT
        count = self.trial.selection if selection else self.trial.count
        seed = child_seed(self.trial.seed, "select") if selection else self.trial.seed
        name = BEFORE if attempt is None else attempt.folder
        made_by = {} if attempt is None else attempt.made_by()

        def draw() -> Dataset:
            sampler: Any = self.case.sampler() if attempt is None else attempt.sampler
            drawing = sampler.others if part == OTHERS else sampler
            return self._draw(drawing, count, seed, self.name if attempt is None else name)

        return kept_samples(
            self.out / "samples" / f"{name}{part}.npz",
            None if made_by is None else made_by | {"count": count, "seed": seed},
            draw,
            like=self.case.training,
        )

    def _draw(self, sampler: Sampler, count: int, seed: int, who: str) -> Dataset:
        """Draw samples in the units of the training set, each with its noise seed."""
        training = self.case.training
        with said(self.out, who):
            given = sampler(count, seed)
        own = isinstance(given, Dataset) and given.scaling == training.scaling
        found = given if own else as_samples(given, count, like=training, value_range=None, who=who)
        if len(found) != count or found.items.shape[1:] != training.items.shape[1:]:
            raise RunError(
                f"{who}: {found.items.shape} came where {count} of {training.shape} are due"
            )
        seeds = np.array(noise_seeds(count, seed), np.int64)
        if not isinstance(given, Dataset):
            return replace(found, seeds=seeds)
        return replace(
            found,
            labels=given.labels,
            classes=() if given.labels is None else given.classes,
            captions=given.captions,
            seeds=seeds if given.seeds is None else given.seeds,
        )

    def _chosen(
        self, remedy: Remedy, given: tuple[str, ...]
    ) -> tuple[list[Attempt], list[dict[str, Any]]]:
        """Choose a setting on samples of other seeds; return its attempts, and all in a table."""
        settings = tuple(dict.fromkeys(given or remedy.settings(self.case)))
        ready = {setting: list(attempts(self.case, remedy, setting)) for setting in settings}
        if len(settings) == 1:
            return ready[settings[0]], []
        found = {setting: self._tried_out(ready[setting][0]) for setting in settings}
        candidates = []
        for setting, measured in found.items():
            assert measured.rate is not None
            lost = max(each.loss.value for each in measured.quality)
            candidates.append(Candidate(setting, measured.rate, lost))
        best = least_loss(candidates, margin=self.trial.margin)
        table = [
            {"setting": one.setting, "rate": one.rate.to_json()}
            | {each.name: each.after.value for each in found[one.setting].quality}
            | {"chosen": one is best}
            for one in candidates
        ]
        return ready[best.setting], table

    def _tried_out(self, attempt: Attempt) -> MeasuredFile:
        """Measure a setting on the samples that settings are chosen on."""
        drawn = self._samples(attempt, SELECT)

        def measure() -> dict[str, Any]:
            quality = self.bench.quality(self._selection, drawn)
            return {"rate": self.bench.rate(drawn).to_json(), "quality": _losses(quality)}

        path = self.out / "measured" / f"{attempt.folder}{SELECT}.json"
        return kept_measures(path, self._of(self._selection, drawn), measure)

    def _measured(self, attempt: Attempt) -> MeasuredFile:
        """Measure a remedy on the samples that its verdict is on."""
        drawn, sides = self._samples(attempt), [self._drawn]
        others = None
        if self.case.other_captions and hasattr(attempt.sampler, "others"):
            others = self._samples(attempt, OTHERS)
            sides += [self._drawn_others, others]

        def measure() -> dict[str, Any]:
            found = self._against(self._before, self._drawn, drawn, attempt.folder)
            if others is None:
                return found
            name = f"{attempt.folder}{OTHERS}"
            more = self._against(self._before_others, self._drawn_others, others, name)
            named = [one | {"name": f"{one['name']} of other captions"} for one in more["quality"]]
            return found | {"others": more["judged"], "quality": found["quality"] + named}

        path = self.out / "measured" / f"{attempt.folder}.json"
        return kept_measures(path, self._of(drawn, *sides), measure)

    def _against(
        self, before: dict[Judge, Seen], old: Dataset, new: Dataset, name: str
    ) -> dict[str, Any]:
        """Audit samples; hold them against those of the model."""
        self.bench.audit(new, self.out, name)
        judged = [
            Judged.of(
                judge.text, before[judge].memorized, after.memorized, control=before[judge].control
            )
            for judge, after in self.bench.seen(self.out, name).items()
        ]
        quality = _losses(self.bench.quality(old, new))
        return {"judged": [one.to_json() for one in judged], "quality": quality}

    def _told(
        self,
        attempt: Attempt,
        measured: MeasuredFile,
        table: list[dict[str, Any]],
        alpha: float,
    ) -> dict[str, Any]:
        """Return what is told of a remedy."""
        judged = [Judged.read(one) for one in measured.judged]
        losses = {one.name: Paired(one.before, one.after, one.loss) for one in measured.quality}
        verdict, why = verdict_of(judged, losses, margin=self.trial.margin, alpha=alpha)
        return {
            "name": attempt.remedy.name,
            "kind": attempt.remedy.kind,
            "setting": attempt.setting,
            "basis": attempt.basis,
            "images_trained": attempt.images,
            "verdict": verdict,
            "why": why,
            "audits": self.bench.folders(attempt.folder),
            **measured.model_dump(mode="json", include={"judged", "others", "quality"}),
            "settings": table,
        }


def _losses(quality: Mapping[str, Paired]) -> list[dict[str, Any]]:
    return [{"name": name, **asdict(each)} for name, each in quality.items()]
