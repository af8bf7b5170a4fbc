"""A finished study under other definitions: its own comparisons, from the same samples."""

import shutil

import numpy as np
import pytest

from rote.core.atomic_files import read_json
from rote.core.errors import ConfigError, DataError
from rote.data.load import load_images
from rote.experiments.rescore.study import rescore_study
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


def test_other_data_is_refused(study):
    with pytest.raises(DataError, match="is not what the study"):
        rescore_study(study[0], load_images("iris"))
