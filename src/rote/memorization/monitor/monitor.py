"""`MemorizationMonitor`: what any training loop calls to know whether copying has begun.

Every so many images seen it draws fresh images from the caller's sampler and puts each into one of three
classes, as an audit does: *memorized* (a copy of a training image), *collapsed* (not memorized, but
nearly equal to another generated image), *novel*. `rote.stats.sequential` says how it decides that
memorization has begun.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rote.core.errors import ConfigError, DataError, RunError
from rote.core.seeds import child_seed
from rote.data.dataset import Dataset
from rote.memorization.differences.image_sample import SIZE, ImageSample
from rote.memorization.monitor.check import Check, near_another, random_state_kept
from rote.memorization.monitor.curve_file import read_curve, write_curve
from rote.memorization.monitor.options import CopyRule, OnsetTest, check_rate
from rote.memorization.monitor.references import References
from rote.memorization.monitor.value_range import Images, ValueRange
from rote.memorization.notice import Notice
from rote.stats.rates import Rate, wilson
from rote.stats.sequential import SPENDING, binomial_p_value, fisher_p_value, spent_alpha

Sampler = Callable[[int, int], Images]
ONLY = "model"


class MemorizationMonitor:
    """Watches a training for memorization: call it with ``images_seen`` and a sampler, at any steps.

    Parameters
    ----------
    training
        All training images, as `MemorizationRate` takes them.
    every_images
        Training images between two checks.
    holdout
        Real images that were not trained on: the control that the rate must exceed. Those that equal a
        training image are taken out. Without and without a ``null_rate`` a rate is assumed, and said.
    samples
        Images drawn for each check of each set of weights.
    batch
        Most images to ask the sampler for at once; None asks for all.
    seed
        Root of the sampler's seeds: each check has fresh ones, the same for all weights.
    stop_at
        When `should_stop` becomes true: "begun", or a rate in [0, 1) that the true rate is shown to
        exceed (the exact test, with the same bound on false alarms). None: never.
    device, value_range
        As for `MemorizationRate`.
    out
        A file that takes one JSON line for each check, replaced atomically. If it exists, its curve is
        continued: checks that it holds are not made again.
    rule
        Which images are memorized and which collapsed.
    test
        How it decides that memorization has begun; ``null_rate`` is for where there is no ``holdout``.

    Raises
    ------
    DataError
        If images cannot be used.
    ConfigError
        If an argument is out of range.
    RunError
        If ``out`` holds the curve of another training set or other settings, or cannot be written.

    >>> from rote import load_images
    >>> digits = load_images("digits")
    >>> training, rest = digits.take(np.arange(100)), digits.take(np.arange(100, 1797))
    >>> def copier(num, seed):
    ...     return training.items[np.random.default_rng(seed).integers(100, size=num)]
    >>> monitor = MemorizationMonitor(training, holdout=rest, every_images=500, samples=50)
    >>> for images_seen in range(100, 1100, 100):
    ...     for check in monitor(images_seen, copier):
    ...         print(check)
    500 images seen, model: memorized 1 [0.9287, 1] (50 of 50), collapsed 0, novel 0
    1,000 images seen, model: memorized 1 [0.9287, 1] (50 of 50), collapsed 0, novel 0
    >>> monitor.begun
    500
    """

    def __init__(
        self,
        training: Dataset | Images,
        *,
        every_images: int,
        holdout: Dataset | Images | None = None,
        samples: int = 1000,
        batch: int | None = None,
        seed: int = 0,
        stop_at: Literal["begun"] | float | None = None,
        device: str = "cpu",
        value_range: ValueRange | None = None,
        out: Path | str | None = None,
        rule: CopyRule | None = None,
        test: OnsetTest | None = None,
    ) -> None:
        for name, value in (("every_images", every_images), ("samples", samples), ("batch", batch)):
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; it must be at least 1")
        check_rate("stop_at", stop_at)
        if isinstance(stop_at, str) and stop_at != "begun":
            raise ConfigError(f'stop_at is "{stop_at}"; "begun" or a rate is expected')
        self._rule, self._test = rule or CopyRule(), test or OnsetTest()
        if holdout is not None and self._test.null_rate is not None:
            raise ConfigError("give holdout or null_rate: the rate to exceed is one of them")
        self._references = References(
            training,
            criterion=self._rule.criterion,
            duplicate_rms=self._rule.duplicate_rms,
            device=device,
            value_range=value_range,
        )
        self.every_images, self._samples, self._batch = every_images, samples, batch
        self._seed, self._stop_at, self._device = seed, stop_at, device
        collapse, near = self._rule.collapse_rms, self._references.duplicate_rms
        self._collapse_rms = near if collapse is None else collapse
        self._assumed = self._test.assumed(controlled=holdout is not None)
        self._excluded = 0
        self.control = None if holdout is None else self._measure_control(holdout)
        self._checks: list[Check] = []
        self._recent: dict[str, npt.NDArray[Any]] = {}
        self._out = None if out is None else Path(out)
        self._resumed = self._out is not None and self._out.exists()
        if self._out is not None and self._resumed:
            self._checks = read_curve(self._out, self._settings())

    def due(self, images_seen: int) -> bool:
        """Return whether a call with ``images_seen`` would make a check."""
        last = self._checks[-1].images_seen if self._checks else 0
        return images_seen // self.every_images > last // self.every_images

    def __call__(
        self, images_seen: int, sampler: Sampler | Mapping[str, Sampler]
    ) -> tuple[Check, ...]:
        """Make a check if one is due.

        Parameters
        ----------
        images_seen
            Training images seen so far.
        sampler
            ``f(num, seed)`` that returns ``num`` images (any form that `MemorizationRate.update`
            takes), or several by the name of their weights: ``{"raw": f, "ema": g}``. torch's random
            state is put back afterwards: training goes on as it would have without the check.

        Returns
        -------
        tuple of Check
            One for each set of weights; empty if no check is due.

        Raises
        ------
        DataError
            If the sampler's images do not fit, or it ignores its seed.
        ConfigError
            If the names of the weights change.
        RunError
            If a training begins again on a file that holds the curve of an earlier one.

        Warns
        -----
        RoteWarning
            Of each silent difference between samples and training images once; see `notices`.

        What the sampler itself raises comes through, with a note that says when.
        """
        if self._resumed and self._checks and images_seen < self._checks[0].images_seen:
            raise RunError(
                f"{self._out} holds checks up to {self._checks[-1].images_seen} images seen, but "
                f"training is at {images_seen}: it began again; delete that file or choose another out"
            )
        self._resumed = False
        if not self.due(images_seen):
            return ()
        samplers = sampler if isinstance(sampler, Mapping) else {ONLY: sampler}
        known = list(dict.fromkeys(check.weights for check in self._checks))
        if not samplers or (known and set(samplers) != set(known)):
            raise ConfigError(
                f"samplers of {list(samplers)} were given, {known or 'at least one'} expected; the "
                "sets of weights share the chance of a false alarm and cannot change"
            )
        look = 1 + len(self._checks) // len(samplers)
        with random_state_kept():
            drawn = {name: self._draw(images_seen, name, f) for name, f in samplers.items()}
        checks = tuple(
            self._check(images_seen, name, look, items, sets=len(samplers))
            for name, items in drawn.items()
        )
        self._checks.extend(checks)
        if self._out is not None:
            write_curve(self._out, self._settings(), self._checks)
        return checks

    @property
    def curve(self) -> tuple[Check, ...]:
        """All checks so far, in the order they were made."""
        return tuple(self._checks)

    @property
    def begun_by(self) -> dict[str, int | None]:
        """For each set of weights: images seen when its test first said "begun", or None."""
        found: dict[str, int | None] = {}
        for check in self._checks:
            if found.get(check.weights) is None:
                found[check.weights] = check.images_seen if check.above_control else None
        return found

    @property
    def begun(self) -> int | None:
        """Images seen at the first check, of any weights, that showed memorization; or None."""
        return min((seen for seen in self.begun_by.values() if seen is not None), default=None)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What the test assumes, and what makes the shares of the last look doubtful; each once.

        A silent difference hides copies: what has `begun` stands, and that nothing has says nothing.
        """
        last = self._checks[-1].look if self._checks else 0
        found = (notice for check in self._checks if check.look == last for notice in check.notices)
        return tuple({notice.text: notice for notice in (*self._assumed, *found)}.values())

    @property
    def should_stop(self) -> bool:
        """Whether what ``stop_at`` names has been shown; stays true."""
        if self._stop_at is None:
            return False
        if isinstance(self._stop_at, str):
            return self.begun is not None
        rate = self._stop_at
        return any(
            binomial_p_value(c.memorized.count, c.memorized.total, rate=rate) <= c.alpha
            for c in self._checks
        )

    def to_json(self) -> dict[str, Any]:
        """Return settings, control, curve and what was found, as plain types."""
        return {
            **self._settings(),
            "begun": self.begun,
            "begun_by": self.begun_by,
            "notices": [notice.to_json() for notice in self.notices],
            "curve": [check.to_json() for check in self._checks],
        }

    def _measure_control(self, holdout: Dataset | Images) -> Rate:
        images = holdout.items if isinstance(holdout, Dataset) else holdout
        guard = self._references.guard()
        items = self._references.accept(images, guard=guard, value_range=None, name="holdout")
        guard.judge("holdout")
        if not len(items):
            raise DataError("holdout has no images; images that were not trained on are needed")
        found = self._references.match(items)
        # Near ones stay: a new sample may lie there, too, and would be counted (decision 24).
        fresh = found.nn1_sq > 0
        self._excluded = len(items) - int(fresh.sum())
        if not fresh.any():
            raise DataError(
                f"holdout has {len(items)} images, all of them equal to a training image; images that "
                "were not trained on are needed"
            )
        flagged = self._references.criterion.memorized(found.nn1_sq[fresh], found.nn2_sq[fresh])
        return wilson(int(flagged.sum()), len(flagged), confidence=self._test.confidence)

    def _draw(self, images_seen: int, name: str, sampler: Sampler) -> npt.NDArray[Any]:
        """Return the check's images, uint8 (samples, H, W, C)."""
        where = f"samples of '{name}' at {images_seen} images seen"
        parts: list[npt.NDArray[Any]] = []
        size, guard = self._batch or self._samples, self._references.guard()
        for number, start in enumerate(range(0, self._samples, size)):
            count = min(size, self._samples - start)
            try:
                images = sampler(count, child_seed(self._seed, "sample", images_seen, number))
            except Exception as error:
                error.add_note(f"raised by the sampler of '{name}' at {images_seen} images seen")
                raise
            part = self._references.accept(images, guard=guard, value_range=None, name=where)
            if len(part) != count:
                raise DataError(f"{where}: {count} images were asked for, {len(part)} came")
            if parts and np.array_equal(part, parts[-1]) and not (part == part[:1]).all():
                raise DataError(
                    f"{where}: two seeds gave the same images; make f(num, seed) use seed"
                )
            parts.append(part)
        guard.judge(where)
        return np.concatenate(parts)

    def _check(
        self, images_seen: int, name: str, look: int, items: npt.NDArray[Any], *, sets: int
    ) -> Check:
        memorized = self._references.memorized(items)
        collapsed = ~memorized & near_another(items, rms=self._collapse_rms, device=self._device)
        counts = [int(memorized.sum()), int(collapsed.sum())]
        counts.append(len(items) - sum(counts))
        rates = [wilson(count, len(items), confidence=self._test.confidence) for count in counts]
        return Check(
            images_seen=images_seen,
            weights=name,
            look=look,
            memorized=rates[0],
            collapsed=rates[1],
            novel=rates[2],
            p_value=self._p_value(counts[0], len(items)),
            alpha=spent_alpha(self._test.alpha, look, sets=sets),
            notices=self._probe(name, items),
        )

    def _probe(self, name: str, items: npt.NDArray[Any]) -> tuple[Notice, ...]:
        """Look for silent differences; checks of few images are looked at with those before them."""
        recent = np.concatenate([self._recent.get(name, items[:0]), items])
        self._recent[name] = recent[-SIZE:]
        sample = ImageSample(seed=self._seed)
        sample.see(recent[-max(SIZE, len(items)) :])
        return self._references.notices(sample, stacklevel=5)

    def _p_value(self, count: int, total: int) -> float:
        if self.control is None:
            return binomial_p_value(count, total, rate=self._test.rate)
        return fisher_p_value(
            count, total, control_count=self.control.count, control_total=self.control.total
        )

    def _settings(self) -> dict[str, Any]:
        rate = self.control
        control = rate and {"rate": rate.to_json(), "excluded": self._excluded}
        return {
            "kind": "monitor",
            "training": self._references.to_json(),
            "control": control,
            "null_rate": None if control else self._test.rate,
            "criterion": self._references.criterion.to_json(),
            "collapse_rms": self._collapse_rms,
            "test": "fisher" if control else "binomial",
            "alpha": self._test.alpha,
            "spending": SPENDING,
            "confidence": self._test.confidence,
            "every_images": self.every_images,
            "samples": self._samples,
            "batch": self._batch,
            "seed": self._seed,
        }
