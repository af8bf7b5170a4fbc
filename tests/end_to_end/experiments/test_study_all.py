"""`rote study all` at smoke scale, as a command: every factor of the paper, from data to page."""

import json

import pytest
from command import run

from rote.core.atomic_files import read_json
from rote.experiments.studies.factor import factor_names

pytestmark = pytest.mark.slow


def test_every_study_runs_at_smoke_scale(tmp_path):
    arguments = ("study", "all", "--data", "digits", "--scale", "smoke", "--workers", "2", "--json")
    done = run(*arguments, "--out", "studies", cwd=tmp_path, timeout=1200)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)
    out = tmp_path / "studies"
    found = {name: read_json(out / name / "study.json") for name in factor_names()}
    assert len(found) == 25
    for name, study in found.items():
        assert study["study"] == name
        assert study["effects"], name
        for effect in study["effects"]:
            difference = effect["difference"]
            assert -1 <= difference["low"] <= difference["value"] <= difference["high"] <= 1
        assert (out / name / "report.html").exists()
    # The strongest effects show even on six digits and one seed a value.
    for name in ("unique", "size"):
        assert found[name]["verdict"] == "agrees"
    page = (out / "report.html").read_text()
    assert all(f'href="{name}/report.html"' in page for name in found)
