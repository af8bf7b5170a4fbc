"""The audit: which generated items are copies of training items, what share, how sure.

`run_audit` is the workflow; `rote audit` and `audit` both call it with options of `AuditOptions`:

    prepare       options read, sides checked and brought to one form, spaces opened      prepare.py
    duplicates    grouped on both sides; one reference of each exact group                prepare.py
    notices       what may make every rate doubtful: said before any rate                 notices.py
    controls      held-out items in the training set; degraded copies                     per_space.py
    spaces        each: calibrated, generated items and copies measured, verdicts         per_space.py
    gate          the rate held against a limit                                           gate.py
    supplement    quality, definitions over whole sets, rates per group                   supplement.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rote.core.progress.display import showing
from rote.data.dataset import Dataset
from rote.data.files.faults import check_unchanged
from rote.data.sides import as_sides, with_labels
from rote.memorization.audit.finished import Audit
from rote.memorization.audit.notices import (
    check_sources,
    of_columns,
    of_distance,
    of_leaks,
    of_sides,
)
from rote.memorization.audit.options import AuditOptions
from rote.memorization.audit.per_space import SpaceAudit, make_controls
from rote.memorization.audit.prepare import find_duplicates, prepare
from rote.memorization.audit.provenance import Stages, no_stage, provenance_of
from rote.memorization.audit.result import gate_of
from rote.memorization.audit.supplement import with_supplement
from rote.memorization.groups.of_audit import groups_reproduced, within_training
from rote.memorization.groups.strict import of_threshold
from rote.memorization.invariances import Invariances
from rote.memorization.matching import Progress, no_progress
from rote.memorization.notice import Notice
from rote.memorization.plan import within_memory
from rote.memorization.summary import classify
from rote.spaces.space import Space

__all__ = ["Audit", "AuditOptions", "audit", "run_audit"]


def audit(
    generated: Any,
    training: Any,
    *,
    holdout: Any = None,
    labels: Any = None,
    space: str | Space | Sequence[str | Space] = AuditOptions.space,
    criterion: str | Sequence[str] | None = AuditOptions.criterion,
    ratio_threshold: float = AuditOptions.ratio_threshold,
    false_positive_rate: float = AuditOptions.false_positive_rate,
    duplicate_rms: float | None = AuditOptions.duplicate_rms,
    invariances: str | Invariances = AuditOptions.invariances,
    set_aside: int = AuditOptions.set_aside,
    positive_control: int | None = AuditOptions.positive_control,
    training_sample: int | None = AuditOptions.training_sample,
    ruler_resolution: int | None = AuditOptions.ruler_resolution,
    through_autoencoder: str | None = AuditOptions.through_autoencoder,
    fail_above: float | None = AuditOptions.fail_above,
    quality: bool = AuditOptions.quality,
    population: bool = AuditOptions.population,
    group_by: str | None = AuditOptions.group_by,
    fail_above_groups: float | None = AuditOptions.fail_above_groups,
    cluster_by: str | None = AuditOptions.cluster_by,
    captions: str | Path | None = AuditOptions.captions,
    seed: int = AuditOptions.seed,
    confidence: float = AuditOptions.confidence,
    device: str = AuditOptions.device,
    out: str | Path | None = None,
    features_folder: Path | None = None,
    memory: int | None = None,
    on_progress: Progress = no_progress,
    on_stage: Callable[[str], None] = no_stage,
) -> Audit:
    """Find which generated items are copies of training items.

    The options are those of `rote audit`, with the same names and defaults.

    Parameters
    ----------
    generated, training
        The queries and the references: paths, arrays, tensors, frames, lists or data sets, as
        `rote.load_images` takes them. Images of one size and channel count, or vectors or series in the
        same units. These are brought into units of the spread of each training column, unless the
        training side has a `Dataset.scaling` already.
    holdout
        Real items that were not trained on, scored as if they had been generated: the control.
    labels
        What each generated item was asked for: integers or text (N,); None: as the source tells.
    space
        Where distances are taken: names as `rote.spaces.catalog` lists them, or spaces; one or several.
        "pixel" stands for the space of the data's own kind (`own_space`). Rate, verdicts and gate are
        those of the first; all have the same criteria (tiles: pixel alone).
    criterion
        One or several of `rote.memorization.criteria.CRITERIA`, "ratio" always among them; the gate is
        held against the first. None takes the ratio, and the calibrated ratio where there is a control.
        "absolute=0.35", or "absolute:SPACE=0.35" with several spaces, is "absolute" with a threshold of
        one's own (`rote.memorization.criteria.user_threshold` has the units).
    ratio_threshold
        c of the ratio: memorized are items with nn1 < c nn2.
    false_positive_rate
        What the calibrated ratio is set to.
    duplicate_rms
        Radius of near-duplicates on all sides, as `near_duplicates` takes it; 0: exact ones only; None:
        for images a share of their own spacing (`rote.memorization.duplicate_radius`), for vectors and
        series 0. Between groups, where there are groups.
    invariances
        Transforms that a match may undo, such as "flip,tone".
    set_aside
        Without ``holdout``: how many random training items to take out of the references and use as the
        control. Copies of these are then missed.
    positive_control
        Training items to degrade per corruption and strength; 0: no positive control; None: 100, fewer
        (down to 25) of images above 335,000 bytes, or all distinct ones where there are fewer.
    training_sample
        Up to how many training items to match with the rest of the training side: what nearness is usual
        within it. Needs three groups, else there is none. None: 1,000, down to 200 of images of more than
        268,000 bytes.
    ruler_resolution
        Height and width to bring all images to before anything is measured; None: as they are.
    through_autoencoder
        A diffusers AutoencoderKL, by repository or folder, that training and held-out images go through
        first, as those of a latent model have.
    fail_above
        The limit of the gate.
    quality
        Whether to measure Fréchet distance, precision, recall, density and coverage, in the first space.
    population
        Whether to measure the definitions over whole sets; they need held-out items.
    group_by
        Which training and held-out items belong to one patient, household or person: a rule of
        `rote.data.groups.rules`; None: as their `Dataset.groups` say. The second nearest is then of
        another group, and the control, its threshold and its intervals take groups for the unit.
    fail_above_groups
        The limit of a gate on the share of these groups that is reproduced.
    cluster_by
        Which generated items were drawn together: "label", "caption" or another such rule. Rates of each,
        and intervals (and the gate) with it as the unit.
    captions
        For captions: rows of file_name and text; None: the metadata file in the folder of ``generated``.
    seed
        Root seed of what is set aside, of the degraded copies and of resampling.
    confidence
        Of the intervals.
    device
        Where neighbors are searched: "cpu", "cuda", or "auto"; duplicates are grouped on the CPU.
    out
        Folder that the audit is saved to, as `Audit.save` does; `rote.write_report` makes its page.
    features_folder
        Where features of networks are kept for the next audit of the same images; None keeps none.
    memory
        Bytes that this process holds at most; None: three quarters of what the machine has left.
    on_progress
        Called with generated items done and their total; a bar shows that anyway.
    on_stage
        Called with the name of each stage as it begins: prepare, duplicates, features, search, controls,
        supplement.

    Raises
    ------
    DataError
        If the sides do not fit together, or hold too few items for what is asked.
    ConfigError
        If an option is out of range or does not fit the data.

    >>> from rote.data.load import load_images
    >>> digits = load_images("digits")
    >>> audit(digits.take(range(3)), digits, device="cpu").rate.count
    3
    """
    criteria = (criterion,) if isinstance(criterion, str) else criterion
    options = AuditOptions(
        space=(space,) if isinstance(space, str | Space) else tuple(space),
        criterion=tuple(criteria) if criteria else None,
        ratio_threshold=ratio_threshold,
        false_positive_rate=false_positive_rate,
        duplicate_rms=duplicate_rms,
        invariances=invariances,
        set_aside=set_aside,
        positive_control=positive_control,
        training_sample=training_sample,
        ruler_resolution=ruler_resolution,
        through_autoencoder=through_autoencoder,
        fail_above=fail_above,
        quality=quality,
        population=population,
        group_by=group_by,
        fail_above_groups=fail_above_groups,
        cluster_by=cluster_by,
        captions=None if captions is None else Path(captions),
        seed=seed,
        confidence=confidence,
        device=device,
    )
    with showing():
        made, references, fresh = as_sides(
            generated, training, holdout, group_by=group_by, cluster_by=cluster_by
        )
        if labels is not None:
            made = with_labels(made, labels, classes=references.classes)
        with within_memory(made, references, fresh, options, memory=memory):
            found = run_audit(
                made,
                references,
                options,
                holdout=fresh,
                features_folder=features_folder,
                on_progress=on_progress,
                on_stage=on_stage,
            )
    if out is not None:
        found.save(out)
    return found


def run_audit(
    generated: Dataset,
    training: Dataset,
    options: AuditOptions,
    *,
    holdout: Dataset | None = None,
    features_folder: Path | None = None,
    on_progress: Progress = no_progress,
    on_stage: Callable[[str], None] = no_stage,
    on_rates: Callable[[Audit], None] = lambda found: None,
    look_for_mistakes: bool = True,
    command: tuple[str, ...] | None = None,
) -> Audit:
    """Audit as `audit` does, given its options as one object.

    Parameters
    ----------
    generated, training, holdout, features_folder, on_progress, on_stage
        As `audit` takes them.
    options
        What is asked for.
    on_rates
        Called with the audit once its rates stand, before what is beside them is measured.
    look_for_mistakes
        Whether to look for what makes rates doubtful (`rote.memorization.audit.notices`); not where rote
        made the sides itself.
    command
        The command line that asks, for the record.

    Raises
    ------
    DataError, ConfigError
        As `audit`.
    """
    check_sources(generated, training, holdout)
    stages = Stages(on_stage)
    with stages("prepare"):
        prepared = prepare(generated, training, options, holdout=holdout)
    with stages("duplicates"):
        prepared, duplicates = find_duplicates(prepared)
    notices: list[Notice] = []
    if look_for_mistakes:
        with stages("notices"):
            notices = [*of_sides(prepared, duplicates), *of_columns(prepared, generated, training)]

    def opened(space: Space) -> SpaceAudit:
        return SpaceAudit(
            space,
            prepared,
            duplicates,
            stages=stages,
            folder=features_folder,
            on_progress=on_progress,
        )

    own = opened(prepared.own)
    controls = make_controls(own, prepared, duplicates, stages)
    notices += of_leaks(controls.leaks, prepared.settings)
    spaces = [own if space is prepared.own else opened(space) for space in prepared.spaces]
    first = (results := tuple(space.audit(controls) for space in spaces))[0]
    if look_for_mistakes:
        notices += of_distance(prepared, first.measured.matches.nn1_index)
        notices += of_threshold(prepared, first, controls.kept)
    memorized, rate = first.criteria[0].memorized, first.criteria[0].rate
    assert memorized is not None and rate is not None
    within = within_training(spaces[0], prepared, duplicates, stages)
    check_unchanged(generated.items, training.items, None if holdout is None else holdout.items)
    found = Audit(
        rate=rate,
        memorized=memorized,
        verdict=classify(memorized, duplicates.generated.repeated),
        criterion=prepared.settings.ratio,
        criteria=first.criteria,
        duplicates=duplicates.exact,
        groups=duplicates.near,
        collapse=duplicates.generated,
        generated=prepared.generated,
        training=prepared.training,
        measured=first.measured,
        settings=prepared.settings,
        control=first.criteria[0].control,
        holdout=prepared.holdout,
        held_out=first.held_out,
        leaks=controls.leaks,
        positive=first.positive,
        within=within,
        tolerance=spaces[0].tolerance(within),
        spaces=results,
        preprocessing=prepared.preprocessing,
        notices=tuple(notices),
        reproduced=groups_reproduced(spaces[0], first, prepared, duplicates),
        clusters=prepared.clusters,
        provenance=provenance_of(prepared, command),
        seconds=stages.seconds,
    )
    on_rates(found := replace(found, gate=gate_of(found)))
    if not (options.quality or options.population or prepared.clusters):
        return found
    with stages("supplement"):
        found = with_supplement(found, prepared, folder=features_folder)
    return replace(found, seconds=stages.seconds)
