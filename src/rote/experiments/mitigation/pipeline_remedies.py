"""Remedies of text: what a pipeline is asked and told, and what captions are trained with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rote.core.seeds import child_seed
from rote.data.captions.vary import vocabulary, words_of
from rote.diffusion.pipelines.changes import Change, adjusted_text, late_text, noisy_text
from rote.diffusion.pipelines.prompts import Asked
from rote.experiments.mitigation.case import Case
from rote.experiments.mitigation.pipeline_case import PipelineCase
from rote.experiments.mitigation.remedy import Applied, Remedy, Retrain, number
from rote.experiments.trainers.protocol import Sampler


def with_words(text: str, words: tuple[str, ...], count: int, *, seed: int) -> str:
    """Return a text with ``count`` random words put in at random places; 0 leaves it as it is.

    >>> with_words("a red house", ("tree", "blue"), 2, seed=0)
    'tree a tree red house'
    """
    found = text.split(" ")
    rng = np.random.default_rng(child_seed(seed, "captions"))
    for _ in range(count):
        found.insert(int(rng.integers(len(found) + 1)), words[int(rng.integers(len(words)))])
    return " ".join(found)


def _pipeline(case: Case) -> PipelineCase:
    assert isinstance(case, PipelineCase), "checked by `unfit`"
    return case


def of_pipelines(case: Case) -> str:
    """Return why a remedy of a pipeline is nothing for a model."""
    return "" if isinstance(case, PipelineCase) else "it needs a text-to-image pipeline"


def _of_guidance(case: Case) -> str:
    """Return why a remedy that changes what the prompt adds is nothing for a model."""
    if why := of_pipelines(case):
        return why
    return "" if _pipeline(case).how.guidance > 1 else "it needs guidance above 1"


def _with_captions(case: Case) -> str:
    captions = case.training.captions
    if isinstance(case, PipelineCase) or case.own or not any(captions):
        return "it needs a trainer of pictures with captions"
    return "it needs a caption for every picture" if None in captions else ""


def _of_text(
    name: str,
    words: str,
    change: Callable[[float], Change],
    *,
    high: float,
    settings: tuple[str, ...],
) -> Remedy:
    """Return a remedy that changes, by its setting, the text that the network is told."""

    def apply(case: Case, setting: str) -> Sampler:
        strength = number(name, setting, low=0, high=high)
        return _pipeline(case).sampler(change=change(strength))

    return Remedy(
        name, "sampling", words, apply, settings=lambda case: settings, unfit=_of_guidance
    )


def _random_words(case: Case, setting: str) -> Sampler:
    count = int(number("random-words", setting, low=0, high=100))
    pipeline = _pipeline(case)
    words = words_of((*pipeline.prompts, *pipeline.other_prompts))

    def asking(asked: Asked) -> Asked:
        return replace(asked, prompt=with_words(asked.prompt, words, count, seed=asked.seed))

    return pipeline.sampler(asking=asking)


def _caption_words(case: Case, setting: str) -> Applied:
    count = int(number("caption-words", setting, low=0, high=100))
    return _several(case, 1, count)


def _several_captions(case: Case, setting: str) -> Applied:
    return _several(case, int(number("several-captions", setting, low=1, high=1000)), 2)


def _several(case: Case, times: int, count: int) -> Retrain:
    """Return every picture as often as asked, each time with its caption and other random words."""
    training = case.training
    words = vocabulary(training)
    each = training.take(np.tile(np.arange(len(training)), times))
    told = (
        with_words(text, words, count, seed=child_seed(case.seed, "captions", place))
        for place, text in enumerate(tuple(training.texts) * times)
    )
    return Retrain(replace(each, captions=tuple(told)))


TEXT_REMEDIES = (
    Remedy(
        "random-words",
        "sampling",
        "asks with this many random words of other captions put into the prompt",
        _random_words,
        settings=lambda case: ("2", "6"),
        unfit=of_pipelines,
    ),
    _of_text(
        "embedding-noise",
        "adds noise of this strength to the embedded prompt, in units of its own size",
        noisy_text,
        high=100,
        settings=("0.3", "1"),
    ),
    _of_text(
        "late-text",
        "tells the prompt only after this share of the noise levels",
        late_text,
        high=1,
        settings=("0.2", "0.4"),
    ),
    _of_text(
        "prompt-adjustment",
        "adjusts the embedded prompt until it adds this share of what it added to the first step",
        adjusted_text,
        high=1,
        settings=("0.5", "0.25"),
    ),
    Remedy(
        "caption-words",
        "data",
        "trains on captions with this many random words of other captions put in",
        _caption_words,
        settings=lambda case: ("2",),
        unfit=_with_captions,
    ),
    Remedy(
        "several-captions",
        "data",
        "trains on this many captions of each picture, with other random words each",
        _several_captions,
        settings=lambda case: ("4",),
        unfit=_with_captions,
    ),
)
