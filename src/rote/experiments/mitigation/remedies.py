"""The remedies by name: each is a function from a model and a setting to what draws samples.

A remedy of sampling returns a sampler; one of data or training returns what to train again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from rote.core.catalog import Catalog
from rote.core.errors import ConfigError
from rote.core.seeds import child_seed
from rote.core.user_module import import_user_module
from rote.data.dataset import Dataset
from rote.diffusion.checkpoint import load_checkpoint
from rote.diffusion.config import SampleConfig
from rote.experiments.mitigation.case import Case, RunCase
from rote.experiments.mitigation.guidance import Away, LateLabels
from rote.experiments.trainers.config import code_digest
from rote.experiments.trainers.protocol import Sampler
from rote.memorization.dedup.dedup import dedup
from rote.memorization.monitor.monitor import MemorizationMonitor

Kind = Literal["sampling", "data", "training"]
MONITOR = "monitor"


@dataclass(frozen=True)
class Retrain:
    """What to train again.

    Attributes
    ----------
    training
        In model units.
    changes
        Of the configuration: "train" and "model".
    distinct
        Distinct images that it shows, for each that the model was shown before: trained for as many
        images each is then seen 1 / distinct times as often, so that is done a second time for as many
        exposures.
    """

    training: Dataset
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    distinct: float = 1.0


Applied = Sampler | Retrain | Dataset


@dataclass(frozen=True)
class Remedy:
    """A remedy.

    Attributes
    ----------
    words
        What it does.
    apply
        From a model and a setting.
    settings
        What is tried where no setting is given; the best is chosen on samples of their own.
    unfit
        Why it is nothing for a model; empty where it is.
    code
        Digest of a person's own function, whose samples are no other one's; None: not known.
    """

    name: str
    kind: Kind
    words: str
    apply: Callable[[Case, str], Applied]
    settings: Callable[[Case], Sequence[str]] = lambda case: ("",)
    unfit: Callable[[Case], str] = lambda case: ""
    code: str | None = ""


def number(name: str, text: str, *, low: float, high: float) -> float:
    """Read a setting that is a number from ``low`` to ``high``.

    Raises
    ------
    ConfigError
        If it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not low <= value <= high:
        raise ConfigError(f"`remedy` {name}:{text}: give a number from {low:g} to {high:g}")
    return value


def _own(case: Case) -> str:
    return "" if case.own else "it needs a model that rote trained"


def _labels(case: Case) -> str:
    if isinstance(case, RunCase) and case.labels_may_be_left_out:
        return ""
    return "it needs a model with labels that was trained with train.label_dropout"


def _run(case: Case) -> RunCase:
    assert isinstance(case, RunCase), "checked by `unfit`"
    return case


def _images(case: Case) -> str:
    return "" if case.training.kind == "image" else "it is for images"


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
    return run.sampler(checkpoint=load_checkpoint(found[seen]))


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
            "strength of classifier-free guidance; 0 leaves the label out",
            _sampling("guidance", low=0, high=100),
            settings=lambda case: ("0", "0.5", "2"),
            unfit=_labels,
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
            "fewer noise levels (18 as it is)",
            _sampling("steps", low=1, high=1000, kind=int),
            settings=lambda case: ("4", "8"),
            unfit=_own,
        ),
        Remedy(
            "dedup",
            "data",
            "trains on one of each group of near-duplicates; a radius in grey levels",
            _dedup,
            unfit=_images,
        ),
        Remedy("mirror", "data", "trains on mirrored images too", _mirror, unfit=_images),
        Remedy(
            "noisy-data",
            "data",
            "trains on images with noise of this many grey levels, drawn once for each",
            _noisy_data,
            settings=lambda case: ("16",),
            unfit=_images,
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
