"""Every study at a tenth of smoke scale: every factor of the paper, from data to page."""

from dataclasses import replace

import pytest

from rote.core.atomic_files import read_json
from rote.data.load import load_images
from rote.experiments import scales
from rote.experiments.studies.factor import factor_names
from rote.experiments.studies.study import StudyOptions, run_studies
from rote.report import write_report

pytestmark = pytest.mark.slow


@pytest.fixture
def tenth(monkeypatch):
    smoke = scales.scale("smoke")
    train = smoke.train.model_copy(update={"images": 800, "log_images": 400})
    less = replace(smoke, train=train, scoring=smoke.scoring.model_copy(update={"samples": 32}))
    monkeypatch.setitem(scales.SCALES, "smoke", lambda: less)


def test_every_study_runs(tenth, tmp_path):
    names = [name for name in factor_names() if name != "captions"]  # for trainers
    outs = [tmp_path / name for name in names]
    digits = load_images("digits")
    run_studies(names, digits, StudyOptions("smoke"), outs=outs, runs=tmp_path / "runs")
    assert len(names) == 25
    for name, out in zip(names, outs, strict=True):
        study = read_json(out / "study.json")
        assert study["study"] == name
        assert study["effects"], name
        for effect in study["effects"]:
            difference = effect["difference"]
            assert -1 <= difference["low"] <= difference["value"] <= difference["high"] <= 1
        assert write_report(out).exists()
    page = write_report(tmp_path).read_text()
    assert all(f'href="{name}/report.html"' in page for name in names)
