"""A finished study under other definitions: its own comparisons, from the same samples."""

import shutil

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from rote.core.atomic_files import read_json
from rote.core.errors import ConfigError, DataError
from rote.data.load import load_images
from rote.data.resample import fit_images
from rote.experiments.rescore.study import rescore_study
from rote.experiments.studies.plan import plan_study, source_of
from rote.experiments.studies.study import run_study
from rote.experiments.trainers.protocol import TrainedModel
from rote.memorization.criteria import CRITERIA
from rote.report import write_report
from rote.stats.rate_model import fit_rates


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


@pytest.fixture(scope="module")
def study(digits, labels_study, tmp_path_factory):
    out = tmp_path_factory.mktemp("studies") / "labels"
    shutil.copytree(labels_study, out)
    return out, rescore_study(out, digits)


def test_the_ratio_says_what_the_study_says(study):
    out, found = study
    value = read_json(out / "study.json")
    assert [entry["name"] for entry in found["criteria"]] == list(CRITERIA.names)
    ratio = found["criteria"][0]
    assert [cell["rate"] for cell in ratio["cells"]] == [cell["rate"] for cell in value["cells"]]
    assert [e["difference"] for e in ratio["effects"]] == [
        e["difference"] for e in value["effects"]
    ]
    rates = [run["rate"] for cell in value["cells"] for run in cell["runs"]]
    assert [run["rates"]["ratio"] for run in found["runs"]] == rates
    assert read_json(out / "criteria.json") == {"format_version": 1, **found}


def test_each_criterion_has_the_study_s_model_over_its_own_rates(study):
    _, found = study
    entry = next(e for e in found["criteria"] if e["name"] == "authenticity")
    counts: dict[str, list[tuple[int, int]]] = {}
    for run in found["runs"]:
        rate = run["rates"]["authenticity"]
        counts.setdefault(run["value"], []).append((rate["count"], rate["total"]))
    model = fit_rates(counts)
    assert entry["cells"][0]["rate"] == model.rate("none").to_json()
    expected = model.difference("true", "none")
    assert entry["effects"][0]["difference"]["value"] == pytest.approx(expected.value, rel=1e-3)


def test_the_report_shows_it_with_the_quality_of_every_run(study):
    out, found = study
    assert all(run["quality"]["against"] == "holdout" for run in found["runs"])
    page = write_report(out).read_text()
    assert "Under other definitions" in page and "Quality against memorization" in page
    assert "true less none" in page


def test_a_threshold_of_ones_own_counts_what_lies_below_it(study, digits):
    out, before = study
    near = {}
    for run in before["runs"]:
        with np.load(out / "runs" / run["key"] / "audit" / "neighbors.npz") as arrays:
            near[run["key"]] = np.sqrt(arrays["nn1_sq"] / 64)  # RMS of the 64 levels of a digit
    middle = float(f"{np.median(np.concatenate(list(near.values()))):.4g}")
    found = rescore_study(out, digits, criteria=[f"absolute={middle}"], quality=False)
    for run in found["runs"]:
        assert run["thresholds"]["absolute"] == middle
        assert run["rates"]["absolute"]["count"] == (near[run["key"]] < middle).sum()
    assert any(run["rates"]["absolute"]["count"] for run in found["runs"])
    (entry,) = (entry for entry in found["criteria"] if entry["name"] == "absolute")
    assert entry["source"] == "given by the user"
    with pytest.raises(ConfigError, match="in `space` pixel is an RMS difference"):
        rescore_study(out, digits, criteria=["absolute=300"])


def noisy(job):
    """Copy training images, under noise."""
    items = job.data.items

    def sample(num, seed):
        rng = np.random.default_rng(seed)
        made = items[rng.integers(len(items), size=num)] + 20 * rng.normal(size=(num, 8, 8, 1))
        return np.clip(made, 0, 255).astype(np.uint8)

    return TrainedModel(images_seen=len(items), sample=sample, reusable=True)


def test_a_run_of_some_classes_is_calibrated_by_these(digits, tmp_path):
    run_study(
        "classes", digits, scale="smoke", out=tmp_path, values=["2"], sizes=[10], trainer=noisy
    )
    found = rescore_study(tmp_path, digits, criteria=["ratio", "calibrated"], quality=False)
    drawn = {"5": digits.labels < 5, "2": digits.labels < 2}
    assert {run["value"] for run in found["runs"]} == set(drawn)
    for run in found["runs"]:
        assert run["controls"]["ratio"]["total"] == drawn[run["value"]].sum() - 10


def test_other_data_is_refused(study):
    with pytest.raises(DataError, match="is not what the study"):
        rescore_study(study[0], load_images("iris"))


def test_cross_scoring_measures_the_same_samples_at_another_resolution(study, digits, tmp_path):
    out, before = study
    shutil.copytree(out, tmp_path / "other")
    found = rescore_study(
        tmp_path / "other", digits, criteria=["ratio"], quality=False, ruler_resolution=4
    )
    assert found["ruler"] == {"resolution": 4, "tolerance": None}
    value = read_json(out / "study.json")
    plan = plan_study(
        value["study"],
        source_of(digits),
        scale_name=value["scale"],
        runs=out / value["runs_folder"],
        seed=value["seed"],
        seeds=value["design"]["seeds"],
        values=value["design"]["values"],
        sizes=value["design"]["sizes"] or None,
    )
    run, plain = found["runs"][0], before["runs"][0]
    trial = next(trial for trial in plan.all_trials() if trial.name == run["key"])
    with np.load(trial.folder / "samples" / "fresh.npz") as arrays:
        drawn = arrays["images"][: run["rates"]["ratio"]["total"]]
    training = trial.draw(digits).dataset.items
    small = [fit_images(x, resolution=4, channels=None).reshape(-1, 16) for x in (drawn, training)]
    near = np.sort(cdist(small[0].astype(int), small[1].astype(int), "sqeuclidean"), axis=1)
    assert run["rates"]["ratio"]["count"] == int((9 * near[:, 0] < near[:, 1]).sum())
    assert run["tolerance"]["median"] < plain["tolerance"]["median"]
    with pytest.raises(ConfigError, match="images are scaled down alone"):
        rescore_study(tmp_path / "other", digits, ruler_resolution=16)
    page = write_report(tmp_path / "other").read_text()
    assert "scaled down to 4" in page


def test_every_run_has_the_tolerance_that_is_asked_for(study, digits, tmp_path):
    out, before = study
    shutil.copytree(out, tmp_path / "other")
    found = rescore_study(
        tmp_path / "other", digits, criteria=["ratio"], quality=False, tolerance=9.0
    )
    for run, plain in zip(found["runs"], before["runs"], strict=True):
        # A threshold is the nearest fraction of at most 1000.
        assert run["tolerance"]["median"] == pytest.approx(9.0, rel=0.01)
        stricter = run["thresholds"]["ratio"] < plain["thresholds"]["ratio"]
        assert stricter == (plain["tolerance"]["median"] > 9)
        assert (run["rates"]["ratio"]["count"] <= plain["rates"]["ratio"]["count"]) == stricter
    with pytest.raises(ConfigError, match="must be above 0"):
        rescore_study(tmp_path / "other", digits, tolerance=0.0)
