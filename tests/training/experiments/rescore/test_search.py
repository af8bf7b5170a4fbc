"""A finished search under other criteria: the same samples, subsets and curve, and nothing trained."""

import shutil

import numpy as np
import pytest
from audits import ratio_audit as audit
from scipy.spatial.distance import cdist

import rote
from rote.core.atomic_files import read_json, write_json
from rote.core.errors import ConfigError, DataError, RunError
from rote.data.convert import for_models
from rote.data.load import load_images
from rote.diffusion.config import ModelConfig, SampleConfig, TrainConfig
from rote.emm.curve import Observation, fit_curve
from rote.experiments.config import ExperimentConfig, SearchConfig
from rote.experiments.rescore.search import rescore_search as rescore
from rote.experiments.search.runs import search_run
from rote.experiments.search.search import estimate_emm
from rote.memorization.criteria import CRITERIA

CONFIG = ExperimentConfig(
    model=ModelConfig(architecture="mlp", width=32, blocks=1),
    train=TrainConfig(batch=16, images=1600, snapshot_images=1600, log_images=1600),
    sample=SampleConfig(steps=6),
    search=SearchConfig(
        start=8, min_size=4, max_size=64, max_runs=4, snapshot="last", first_samples=100,
        fresh_samples=100, gap=False,
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def iris():
    return load_images("iris")


@pytest.fixture(scope="module")
def searched(iris, tmp_path_factory):
    out = tmp_path_factory.mktemp("search") / "run"
    estimate_emm(iris, CONFIG, out=out, seed=3)
    return out


@pytest.fixture(scope="module")
def found(searched, iris):
    before = {path: path.stat().st_mtime_ns for path in searched.rglob("*") if path.is_file()}
    value = rescore(searched, iris)
    after = {path: path.stat().st_mtime_ns for path in searched.rglob("*") if path.is_file()}
    assert {path for path in after if after[path] != before.get(path)} == {
        searched / "criteria.json"
    }
    return value


def test_the_ratio_says_what_the_search_says(searched, found):
    value = read_json(searched / "emm.json")
    assert [run["rates"]["ratio"] for run in found["runs"]] == [p["rate"] for p in value["points"]]
    assert found["criteria"][0]["emm"] == value["emm"] == found["searched"]
    assert found["left_out"] == 0
    assert read_json(searched / "criteria.json") == {"format_version": 1, **found}


def test_every_rate_is_that_of_the_definition(searched, found, iris):
    scaled, _ = for_models(iris)
    for run in found["runs"]:
        task = search_run(
            run["size"], run["replicate"], seed=3, out=searched, config=CONFIG, device="cpu"
        )
        drawn = task.draw(scaled)
        subset, rest = drawn.dataset, task.rest(scaled, drawn)
        with np.load(task.folder / "samples" / "fresh.npz") as arrays:
            samples = arrays["images"].astype(np.float64)
        training = np.unique(subset.items, axis=0).astype(np.float64)
        across, within = np.sort(cdist(samples, training), axis=1), cdist(training, training)
        np.fill_diagonal(within, np.inf)
        own = within.min(1)[cdist(samples, training).argmin(1)]
        crowd = across[:, :50].mean(1)
        assert run["neighbors"] == min(50, len(training))
        assert run["rates"]["authenticity"]["count"] == (across[:, 0] < own).sum()
        assert run["rates"]["carlini"]["count"] == (across[:, 0] < 0.5 * crowd).sum()
        calibrated = run["thresholds"]["calibrated"]
        if calibrated is None:  # fewer than 199 rows outside
            assert "calibrated" not in run["rates"]
        assert 0 < run["controls"]["authenticity"]["total"] <= len(rest)


def test_the_curve_of_each_criterion_is_fitted_to_its_own_rates(found):
    assert [entry["name"] for entry in found["criteria"]] == [
        c.name for c in CRITERIA if not c.images_only
    ]
    entry = next(e for e in found["criteria"] if e["name"] == "authenticity")
    seen = [
        Observation(
            r["size"], r["rates"]["authenticity"]["count"], r["rates"]["authenticity"]["total"]
        )
        for r in found["runs"]
    ]
    sizes = [run["size"] for run in found["runs"]]
    assert entry["emm"] == fit_curve(seen, epsilon=0.1, reach=(4, 64)).emm().to_json()
    assert len(set(sizes)) > 1 and entry["runs"] == len(seen)
    strict = next(e for e in found["criteria"] if e["name"] == "calibrated")
    assert strict["emm"] is None and "fewer than two sizes" in strict["reason"]


def test_quality_stands_beside_each_rate(found):
    for run in found["runs"]:
        assert run["quality"]["against"] == "holdout" and run["quality"]["count"] >= 40
        assert 0 <= run["quality"]["generated"]["coverage"]["value"] <= 1


def test_runs_that_were_ended_early_are_left_out_of_all(searched, iris, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(searched, copy)
    paths = sorted((copy / "points").glob("*/point.json"))
    value = read_json(paths[0])
    value["observation"]["bound"] = "at-least"
    write_json(paths[0], value)
    found = rescore(copy, iris, criteria=["authenticity"], quality=False)
    assert found["left_out"] == 1
    assert [run["used"] for run in found["runs"]].count(False) == 1
    assert {entry["runs"] for entry in found["criteria"]} == {len(paths) - 1}
    assert [entry["name"] for entry in found["criteria"]] == ["ratio", "authenticity"]


def test_what_does_not_belong_together_is_refused(searched, iris, tmp_path):
    with pytest.raises(RunError, match=r"holds no emm.json"):
        rescore(tmp_path, iris)
    with pytest.raises(DataError, match="is not what the search"):
        rescore(searched, load_images("wine"))
    with pytest.raises(DataError, match="`criterion` tiles is for images"):
        rescore(searched, iris, criteria=["tiles"])
    with pytest.raises(ConfigError, match="'carlni' is unknown"):
        rescore(searched, iris, criteria=["carlni"])
    copy = tmp_path / "run"
    shutil.copytree(searched, copy)
    path = next((copy / "points").glob("*/samples/fresh.npz"))
    with np.load(path) as arrays:
        np.savez(path, images=arrays["images"][::-1] * 0, seeds=arrays["seeds"])
    with pytest.raises(RunError, match="does not belong to the audit beside it"):
        rescore(copy, iris, quality=False)


def test_images_are_scored_as_the_audit_scores_them():
    digits = load_images("digits")
    training, rest = digits.take(range(60)), digits.take(range(1000, 1400))
    noisy = training.items.astype(int) + np.random.default_rng(0).integers(-60, 60, (60, 8, 8, 1))
    made = digits.take(range(60)).__class__(np.clip(noisy, 0, 255).astype(np.uint8))
    found = audit(made, training, holdout=rest, criterion=["absolute", "authenticity", "tiles"])
    flat = [side.items.reshape(len(side), -1).astype(float) for side in (made, training, rest)]
    across, within = cdist(flat[0], flat[1]), cdist(flat[1], flat[1])
    np.fill_diagonal(within, np.inf)
    by_name = {c.name: c for c in found.criteria}
    expected = across.min(1) < within.min(1)[across.argmin(1)]
    assert by_name["authenticity"].memorized.tolist() == expected.tolist()
    assert by_name["absolute"].memorized.tolist() == (across.min(1) / 8 < 10).tolist()
    # the known defect: held-out items are far from 50 % authentic, so the control is no constant
    fresh = cdist(flat[2], flat[1])
    assert (
        by_name["authenticity"].control.count
        == (fresh.min(1) < within.min(1)[fresh.argmin(1)]).sum()
    )


def test_a_search_and_its_rescoring_show_themselves(searched, found):
    value = read_json(searched / "emm.json")
    search = rote.estimate_emm(
        "iris", CONFIG, out=str(searched), seed=3
    )  # finished: nothing trains
    assert search.to_json() == value
    assert search.summary().startswith(value["sentence"])
    assert search.to_pandas()["size"].tolist() == [point["size"] for point in value["points"]]
    again = rote.rescore(str(searched), criterion="ratio", quality=False)
    assert again.to_json()["criteria"] == found["criteria"][:1]
    assert again.sentences()[1].startswith("ratio: EMM")
    assert len(again.sentences()) == 2
    assert again.to_pandas()["criterion"].tolist() == ["ratio"]
    for result in (search, again):
        assert len(repr(result)) < 300
        assert "<svg" in result._repr_html_()
