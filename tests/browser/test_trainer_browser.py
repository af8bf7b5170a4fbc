"""The pages of a search and of a study with a trainer that is not rote's own, in a browser."""

from pathlib import Path

import numpy as np
import pytest
from catalogs import catalogs_as_they_were
from kernel_density import kernel_density

import rote
from rote.experiments.studies.study import run_study
from rote.report import write_report

pytestmark = pytest.mark.browser
BANDWIDTH = Path(__file__).parents[2] / "examples" / "trainers" / "bandwidth.toml"


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1440, False)])
def test_the_page_of_an_emm_shows_no_course_of_models_of_one_moment(
    open_page, emm_of_rows, width, dark
):
    page = open_page(emm_of_rows / "report.html", width=width, dark=dark)
    said = page.inner_text("#method")
    assert "Training: by kernel_density:kernel_density" in said
    assert page.locator("#onset, #chart-snapshots, .run-card .spark").count() == 0
    assert page.locator(".run-card").count() == 4
    assert "No run copied 90 % of the time" in page.inner_text("h1")
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.fixture(scope="module")
def emm_of_rows(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("emm")
    config = rote.preset("tiny", kind="vector")
    asked = {"fresh_samples": 128, "selection_samples": 128, "start": 16, "max_runs": 4}
    rote.estimate_emm(
        rote.Dataset(np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)),
        config.model_copy(update={"search": config.search.model_copy(update=asked)}),
        trainer=kernel_density,
        settings={"bandwidth": 1.0},
        out=out,
    )
    write_report(out)
    return out


def test_the_page_of_a_study_of_ones_own_does_not_speak_for_the_paper(open_page, tmp_path):
    def noise(job: rote.TrainingJob) -> rote.TrainedModel:
        def sample(num: int, seed: int) -> np.ndarray:
            rng = np.random.default_rng(seed)
            found = job.data.items[rng.integers(len(job.data), size=num)]
            width = job.settings["bandwidth"] / 100
            return (found + width * rng.normal(size=found.shape)).astype(np.float32)

        return rote.TrainedModel(images_seen=len(job.data), sample=sample, reusable=True)

    series = np.random.default_rng(0).normal(size=(100, 24, 2)).astype(np.float32)
    with catalogs_as_they_were():
        found = run_study(
            str(BANDWIDTH), rote.Dataset(series), scale="smoke", out=tmp_path, trainer=noise
        )
        page = open_page(write_report(tmp_path))
    assert page.inner_text("h1") == found.sentence
    words = page.inner_text("main")
    assert "paper" not in words.lower()
    assert "images" not in page.inner_text("#runs").lower()
    assert page.locator("#effects th[scope=col]").count() == 4
    assert page.locator("#chart-differences svg .mark-rect.role-mark").count() == 0
