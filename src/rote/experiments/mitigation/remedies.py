"""The remedies by name: each is a function from a model and a setting to what draws samples.

A remedy of sampling returns a sampler; one of data or training returns what to train again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from rote.core.catalog import Catalog
from rote.core.errors import ConfigError
from rote.core.seeds import child_seed
from rote.core.user_module import import_user_module
from rote.diffusion.checkpoint import load_checkpoint
from rote.diffusion.config import SampleConfig
from rote.experiments.mitigation.case import Case, RunCase
from rote.experiments.mitigation.guidance import Away, LateLabels
from rote.experiments.mitigation.pipeline_case import PipelineCase
from rote.experiments.mitigation.pipeline_remedies import TEXT_REMEDIES
from rote.experiments.mitigation.remedy import Applied, Remedy, Retrain, number
from rote.experiments.trainers.config import code_digest
from rote.experiments.trainers.protocol import Sampler
from rote.memorization.dedup.dedup import dedup
from rote.memorization.monitor.monitor import MemorizationMonitor

MONITOR = "monitor"


def _own(case: Case) -> str:
    return "" if case.own else "it needs a model that rote trained"


def _labels(case: Case) -> str:
    if isinstance(case, RunCase) and case.labels_may_be_left_out:
        return ""
    return "it needs a run with labels that was trained with train.label_dropout"


def _own_or_pipeline(case: Case) -> str:
    return "" if isinstance(case, PipelineCase) else _own(case)


def _labels_or_text(case: Case) -> str:
    return "" if isinstance(case, PipelineCase) else _labels(case)


def _trainable(case: Case) -> str:
    if isinstance(case, PipelineCase):
        return "a pipeline is not trained here; a trainer is"
    return "" if case.training.kind == "image" else "it is for images"


def _guidance_settings(case: Case) -> tuple[str, ...]:
    if isinstance(case, PipelineCase):  # without guidance, and half way there
        return "1", f"{(1 + case.how.guidance) / 2:g}"
    return "0", "0.5", "2"


def _steps_settings(case: Case) -> tuple[str, ...]:
    if isinstance(case, PipelineCase):
        return tuple(str(max(1, case.how.steps // part)) for part in (4, 2))
    return "4", "8"


def _run(case: Case) -> RunCase:
    assert isinstance(case, RunCase), "checked by `unfit`"
    return case


def _early_stop(case: Case, setting: str) -> Sampler:
    run = _run(case)
    found = run.snapshots()
    seen = (
        before_copying(run)
        if setting == MONITOR
        else int(number("early-stop", setting, low=1, high=1e15))
    )
    if seen not in found:
        known = ", ".join(map(str, found))
        raise ConfigError(
            f"`remedy` early-stop:{setting}: {run.run} has snapshots of {known} images"
        )

    def sample(num: int, seed: int) -> Any:
        return run.sampler(checkpoint=load_checkpoint(found[seen]))(num, seed)

    return sample


def before_copying(run: RunCase, *, samples: int = 250) -> int:
    """Return the images seen at the last snapshot before the monitor says that copying has begun.

    Raises
    ------
    ConfigError
        If it has begun at the first already.
    """
    found = run.snapshots()
    first = min(found)
    monitor = MemorizationMonitor(
        run.training,
        holdout=run.holdout,
        every_images=first,
        samples=samples,
        seed=child_seed(run.seed, "select"),
        device=run.device,
    )
    last = None
    for seen, path in found.items():
        sampler = run.sampler(checkpoint=load_checkpoint(path))
        monitor(seen, lambda num, seed, draw=sampler: draw(num, seed).items)  # type: ignore[misc]
        if monitor.begun is not None:
            break
        last = seen
    if last is None:
        raise ConfigError(
            f"`remedy` early-stop:{MONITOR}: copying has begun at the first snapshot, {first:,} images; "
            "train with a smaller train.snapshot_images"
        )
    return last


def _away(case: Case, setting: str) -> Sampler:
    strength = number("away", setting, low=0, high=1)
    return _run(case).sampler(change=lambda denoiser: Away(denoiser, case.training, strength))


def _late_labels(case: Case, setting: str) -> Sampler:
    below = number("late-labels", setting, low=0, high=1e6)
    return _run(case).sampler(change=lambda denoiser: LateLabels(denoiser, below))


def _sampling(
    key: str, *, low: float, high: float, kind: type = float
) -> Callable[[Case, str], Sampler]:
    def apply(case: Case, setting: str) -> Sampler:
        value = kind(number(key, setting, low=low, high=high))
        if isinstance(case, PipelineCase):
            return case.sampler(**{key: value})
        return _run(case).sampler(config=SampleConfig.model_validate({key: value}))

    return apply


def _training(part: str, key: str, *, high: float) -> Callable[[Case, str], Retrain]:
    def apply(case: Case, setting: str) -> Retrain:
        value = number(key.replace("_", "-"), setting, low=0, high=high)
        return Retrain(case.training, {part: {key: value}})

    return apply


def _dedup(case: Case, setting: str) -> Retrain:
    radius = None if not setting else number("dedup", setting, low=0, high=255)
    clean = dedup(case.training, duplicate_rms=radius).clean
    return Retrain(clean, distinct=len(clean) / len(case.training))


def _mirror(case: Case, setting: str) -> Retrain:
    if setting:
        raise ConfigError(f"`remedy` mirror:{setting}: it has no settings")
    training = case.training
    if case.own:
        return Retrain(training, {"train": {"mirror": True}}, distinct=2.0)
    every = np.arange(len(training))
    both = training.take(np.concatenate([every, every]))
    items = np.concatenate([training.items, training.items[:, :, ::-1]])
    return Retrain(replace(both, items=items), distinct=2.0)


def _noisy_data(case: Case, setting: str) -> Retrain:
    levels = number("noisy-data", setting, low=0, high=255)
    rng = np.random.default_rng(child_seed(case.seed, "degrade"))
    clean = case.training.items
    noisy = clean + rng.normal(scale=levels, size=clean.shape)
    items = np.clip(np.floor(noisy + 0.5), 0, 255).astype(np.uint8)
    return Retrain(replace(case.training, items=items))


REMEDIES: Catalog[Remedy] = Catalog(
    "`remedy`",
    (
        Remedy(
            "early-stop",
            "sampling",
            "an earlier snapshot: its images seen, or `monitor` for the last before copying begins",
            _early_stop,
            settings=lambda case: [str(seen) for seen in _run(case).snapshots()][:-1],
            unfit=lambda case: (
                _own(case)
                or ("" if len(_run(case).snapshots()) > 1 else "its run has one snapshot alone")
            ),
        ),
        Remedy(
            "away",
            "sampling",
            "keeps predictions away from each training image by this share of its distance to the next",
            _away,
            settings=lambda case: ("0.3", "0.5"),
            unfit=_own,
        ),
        Remedy(
            "guidance",
            "sampling",
            "strength of classifier-free guidance; none is 0 of a run and 1 of a pipeline",
            _sampling("guidance", low=0, high=100),
            settings=_guidance_settings,
            unfit=_labels_or_text,
        ),
        Remedy(
            "late-labels",
            "sampling",
            "tells the label only below this noise level",
            _late_labels,
            settings=lambda case: ("0.5", "1", "2"),
            unfit=_labels,
        ),
        Remedy(
            "churn",
            "sampling",
            "noise added back while sampling (S_churn)",
            _sampling("churn", low=0, high=1000),
            settings=lambda case: ("10", "40"),
            unfit=_own,
        ),
        Remedy(
            "steps",
            "sampling",
            "fewer noise levels (of a run 18 as it is)",
            _sampling("steps", low=1, high=1000, kind=int),
            settings=_steps_settings,
            unfit=_own_or_pipeline,
        ),
        Remedy(
            "dedup",
            "data",
            "trains on one of each group of near-duplicates; a radius in grey levels",
            _dedup,
            unfit=_trainable,
        ),
        Remedy("mirror", "data", "trains on mirrored images too", _mirror, unfit=_trainable),
        Remedy(
            "noisy-data",
            "data",
            "trains on images with noise of this many grey levels, drawn once for each",
            _noisy_data,
            settings=lambda case: ("16",),
            unfit=_trainable,
        ),
        Remedy(
            "weight-decay",
            "training",
            "trains with this weight decay",
            _training("train", "weight_decay", high=1e6),
            settings=lambda case: ("0.01",),
            unfit=_own,
        ),
        Remedy(
            "dropout",
            "training",
            "trains with this share of features dropped",
            _training("model", "dropout", high=0.99),
            settings=lambda case: ("0.2",),
            unfit=_own,
        ),
        *TEXT_REMEDIES,
    ),
)


def remedy_of(text: str) -> tuple[Remedy, tuple[str, ...]]:
    """Return a remedy and the settings that were given: NAME, NAME:SETTING, NAME:SETTING,SETTING.

    A function of one's own is module:function, or module:function:SETTING; it is called with a `Case` and
    the setting.

    Raises
    ------
    ConfigError
        If it is unknown or cannot be imported.
    """
    name, _, given = text.partition(":")
    settings = tuple(part for part in given.split(",") if part)
    if name in REMEDIES or not given:
        return REMEDIES[name], settings
    function, _, rest = given.partition(":")
    try:
        found: Any = getattr(import_user_module(name), function, None)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError(f"`remedy` {text}: importing {name} raised {reason}") from error
    if not callable(found):
        raise ConfigError(f"`remedy` {text}: {name} has no function {function}")
    own = replace(own_remedy(found, f"{name}:{function}"), code=code_digest(found))
    return own, tuple(part for part in rest.split(",") if part)


def own_remedy(function: Callable[[Case, str], Applied], name: str = "") -> Remedy:
    """Return a person's own function as a remedy."""
    name = name or getattr(function, "__name__", type(function).__name__)
    return Remedy(name, "sampling", "a function of one's own", function, code=None)
