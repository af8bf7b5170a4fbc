"""The factor files: each reads, each value means something else, claims and figures name real values."""

from dataclasses import replace

import numpy as np
import pytest

from rote.core.errors import ConfigError, DataError
from rote.data.convert import for_models
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.experiments.scales import SCALES, scale
from rote.experiments.studies.cost import trial_cost
from rote.experiments.studies.factor import GROUPS, factor_names, load_factor, setting
from rote.experiments.studies.plan import plan_study, source_of
from rote.experiments.trainers.config import TrainerConfig


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


@pytest.mark.parametrize("name", factor_names())
def test_a_factor_is_whole_at_every_scale(name):
    factor = load_factor(name)
    assert factor.group in GROUPS
    assert factor.question.endswith("?")
    assert set(factor.designs) == set(SCALES)
    paper = factor.designs["paper"]
    assert {value for value, _, _ in factor.figures} <= set(paper.values) | set(paper.sizes)
    for design in factor.designs.values():
        assert design.baseline in design.values
        assert len(set(design.values)) == len(design.values)
        for claim in design.claims:
            assert {claim.first, claim.second} <= set(design.values)


@pytest.mark.parametrize("name", factor_names())
@pytest.mark.parametrize("scale_name", list(SCALES))
def test_every_value_of_a_factor_is_another_setting(name, scale_name):
    factor = load_factor(name)
    settings = [setting(factor, scale(scale_name), v) for v in factor.designs[scale_name].values]
    keys = [(str(found.to_json()), found.size) for found in settings]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", [name for name in factor_names() if name != "captions"])
@pytest.mark.parametrize("scale_name", ["smoke", "cpu"])
def test_every_study_can_be_planned_on_digits(name, scale_name, digits, tmp_path):
    plan = plan_study(name, source_of(digits), scale_name=scale_name, runs=tmp_path)
    assert plan.pairs()
    pairs = [(first, second) for first, second, _ in plan.pairs()]
    assert len(set(pairs)) == len(pairs)
    assert not {(b, a) for a, b in pairs} & set(pairs)
    replicates = {trial.replicate for trial in plan.all_trials()}
    assert len(replicates) >= (2 if scale_name == "cpu" else 1)


def test_batch_in_proportion_keeps_the_ratio_and_the_other_does_not():
    factor, base = load_factor("batch-size"), scale("paper")
    kept = setting(factor, base, "128, rate in proportion").train
    assert (kept.batch, kept.learning_rate) == (128, 0.5e-4)
    most = setting(factor, base, "896, rate in proportion").train
    assert (most.batch, most.learning_rate) == (896, 3.5e-4)
    fixed = setting(factor, base, "128, same rate").train
    assert (fixed.batch, fixed.learning_rate) == (128, 2e-4)
    for train in (kept, most, fixed):  # 0.99929 a step, whatever the batch
        assert 0.5 ** (train.batch / train.ema_halflife_images) == pytest.approx(0.99929, abs=1e-6)
    assert setting(factor, base, "512").train == base.train


def test_the_paper_scale_is_the_papers_configuration():
    paper = scale("paper")
    assert (paper.model.dropout, paper.train.order, paper.train.epochs) == (0.13, "fixed", 40_000)
    assert paper.train.ema_rampup_reference == 50_000
    assert (paper.scoring.samples, paper.scoring.snapshot) == (10_000, "best")
    decays = load_factor("ema")
    for value in ("0.999", "0.5", "0.1"):
        found = setting(decays, paper, f"paper {value}").train
        assert 0.5 ** (512 / found.ema_halflife_images) == pytest.approx(float(value), rel=1e-4)


def test_equal_runs_of_several_studies_are_one_run(digits, tmp_path):
    source = source_of(digits)
    plans = [
        plan_study(name, source, scale_name="cpu", runs=tmp_path)
        for name in ("width", "depth", "random-classes")
    ]
    keys = [{trial.name for trial in plan.all_trials()} for plan in plans]
    assert len(keys[0] & keys[1]) == 4  # the baseline
    assert len(keys[0] & keys[2]) == 2  # its value "none", with fewer runs


def test_a_second_source_changes_the_runs_that_mix_alone(digits, tmp_path):
    def keys(name, source):
        plan = plan_study(name, source, scale_name="smoke", runs=tmp_path)
        return {trial.name for trial in plan.all_trials()}

    alone, both = source_of(digits), source_of(digits, digits.subset(600, seed=1))
    assert keys("width", alone) == keys("width", both)
    assert not keys("diversity", alone) & keys("diversity", both)


def test_captions_of_a_second_source_change_the_runs_that_mix_alone(digits, tmp_path):
    def keys(name, source):
        trainer = TrainerConfig(function="a:b")
        plan = plan_study(name, source, scale_name="smoke", runs=tmp_path, trainer=trainer)
        return {trial.name for trial in plan.all_trials()}

    told, more = (
        replace(items, captions=(kind,) * len(items))
        for kind, items in (("first", digits), ("second", digits.subset(600, seed=1)))
    )
    other = replace(more, captions=("third", *more.captions[1:]))
    alone, both, others = source_of(told), source_of(told, more), source_of(told, other)
    assert keys("classes", alone) == keys("classes", both)
    assert keys("classes", alone) != keys("classes", source_of(digits))
    assert not keys("diversity", both) & keys("diversity", others)


def test_captions_are_for_trainers_and_decide_their_runs(digits, tmp_path):
    def runs(source, trainer):
        plan = plan_study("captions", source, scale_name="cpu", runs=tmp_path, trainer=trainer)
        return {trial.name for trial in plan.all_trials()}

    told = replace(digits, captions=tuple(map(str, range(len(digits)))))
    other = replace(digits, captions=("another", *told.captions[1:]))
    trainer = TrainerConfig(function="a:b")
    assert len(runs(source_of(told), trainer)) == 10  # the baseline has twice as many
    assert not runs(source_of(told), trainer) & runs(source_of(other), trainer)
    with pytest.raises(ConfigError, match=r"'its'.*one of own, class, one, random"):
        setting(load_factor("captions"), scale("cpu"), "its")
    blind = TrainerConfig(train_command="train {data}")
    with pytest.raises(ConfigError, match="auto shows a command no captions"):
        runs(source_of(told), blind)
    assert len(runs(source_of(told), blind.model_copy(update={"layout": "captions"}))) == 10
    with pytest.raises(ConfigError, match="read no captions; give the `trainer`"):
        runs(source_of(told), None)
    with pytest.raises(DataError, match="1,797 of 1,797 items"):
        runs(source_of(digits), trainer)


def test_cost_counts_training_sampling_and_guidance(digits, tmp_path):
    source = source_of(digits)
    plan = plan_study("guidance", source, scale_name="smoke", runs=tmp_path)
    runs = [trials[0] for trials in plan.trials.values()]
    plain, guided = (trial_cost(trial, source.draw(trial)) for trial in runs)
    assert plain.images_trained == 8000
    assert plain.flops == plain.forward_flops * (3 * 8000 + 11 * 64)
    assert guided.flops - plain.flops == plain.forward_flops * 11 * 64


def test_bad_input_is_one_line(digits, tmp_path):
    source = source_of(digits)
    unlabeled = source_of(Dataset(digits.items))
    odd = source_of(load_images("digits", resolution=5))
    cases = [
        ("widht", source, {}, ConfigError, "did you mean 'width'"),
        ("width", source, {"values": ["wide"]}, ConfigError, "`value` 'wide'.*model.width"),
        ("width", source, {"values": ["10"]}, ConfigError, "multiple of 4"),
        ("labels", source, {"values": ["ture"]}, ConfigError, "did you mean 'true'"),
        ("classes", unlabeled, {}, DataError, "has no labels"),
        ("random-classes", source, {"sizes": [8]}, DataError, "10 random classes were asked of 8"),
        ("width", odd, {}, ConfigError, "cannot be halved"),
        ("width", source, {"sizes": [5000]}, DataError, "choose a size from 1 to 1797"),
        ("size", source, {"values": ["many"]}, ConfigError, "whole number from 2"),
        ("diversity", source, {"values": ["1.5"]}, ConfigError, "a share from 0 to 1"),
        ("classes", source, {"values": ["11"]}, DataError, "which has 10"),
    ]
    for name, data, changes, kind, message in cases:
        with pytest.raises(kind, match=message) as caught:
            plan_study(name, data, scale_name="cpu", runs=tmp_path, **changes)
        assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="`scale` large is unknown"):
        scale("large")
    vectors = source_of(for_models(load_images("wine"))[0])
    with pytest.raises(ConfigError, match="vectors need 'mlp'"):
        plan_study("width", vectors, scale_name="cpu", runs=tmp_path)


def test_studies_of_volumes_train_their_network(tmp_path):
    scans = source_of(Dataset(np.zeros((8, 16, 16, 16, 1), np.uint8)))
    plan = plan_study("learning-rate", scans, scale_name="smoke", runs=tmp_path)
    assert {trial.setting.model.architecture for trial in plan.all_trials()} == {"unet3d"}
    assert {len(trial.setting.train.snapshots(6)) for trial in plan.all_trials()} == {1}
    refused = {"dimension": "is for images", "architecture": "volumes need 'unet3d'"}
    for name, words in refused.items():
        with pytest.raises((ConfigError, DataError), match=words):
            plan_study(name, scans, scale_name="smoke", runs=tmp_path)
