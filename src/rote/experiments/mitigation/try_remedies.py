"""`try_remedies`: a model before and after each remedy, judged on equal noise seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rote.core.memory import keep_freed_memory
from rote.core.run_folder import Run
from rote.experiments.mitigation.attempt import Given, wanted
from rote.experiments.mitigation.cases import Model, case_of, pipeline_of
from rote.experiments.mitigation.comparison import Comparison, Trial
from rote.experiments.mitigation.defaults import JUDGES
from rote.experiments.mitigation.judges import Bench
from rote.experiments.mitigation.tried import Remedies


def try_remedies(
    run: Model,
    *,
    out: str | Path,
    remedies: Sequence[Given] | None = None,
    judges: Sequence[str] = JUDGES,
    training: Any = None,
    holdout: Any = None,
    trial: Trial | None = None,
    device: str | None = None,
    guidance: float | None = None,
    steps: int | None = None,
) -> Remedies:
    """Try remedies on a model that copies, and say of each whether it helps, evades or harms.

    The same call goes on where it was stopped: what was drawn, trained and measured is kept in ``out``,
    and a remedy that is added finds it there. Remedies that are given as functions are drawn anew: what
    such a function holds beside its source is not known.

    Parameters
    ----------
    run
        The folder of `rote train`; a pipeline of diffusers (its folder, or what `rote.open_pipeline`
        returned); or anyone's trainer: a function of a `rote.TrainingJob`, or its configuration. A
        trainer is trained on the data first, and gets the remedies of the data alone.
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
        not; None: those of the run, and the rest of its source. A trainer needs both, and so does a
        pipeline, with captions: it is asked for those of ``training``, and beside that for those of
        ``holdout``. Both sides go through its autoencoder.
    trial
        How many samples, and the margin of quality.
    device
        None: that of the run.
    guidance, steps
        How a pipeline draws as it is; None: what it takes itself.

    Raises
    ------
    ConfigError
        If a remedy, a judge or a number is unknown, out of range or given twice.
    DataError
        If the data are not those of the run, or too few.
    RunError
        If ``out`` holds something else, or two seeds give the same samples.
    """
    trial = trial or Trial()
    trial.check()
    keep_freed_memory()
    chosen = wanted(remedies)
    out = Path(out)
    run = pipeline_of(run, device=device)
    case, name = case_of(
        run,
        out,
        training,
        holdout,
        seed=trial.seed,
        device=device,
        guidance=guidance,
        steps=steps,
    )
    bench = Bench(judges, case.training, case.holdout, seed=trial.seed, device=case.device)
    bound = {
        "kind": "remedies",
        "model": case.identity(),
        "training": case.training.digest,
        "holdout": case.holdout.digest,
        "device": case.device,
    }
    if captions := case.training.captions_digest:  # a trainer may read them
        bound["captions"] = captions
    with Run(out, bound) as opened, opened.timed("remedies"):
        return Comparison(case, bench, trial, out, name).of(chosen)
