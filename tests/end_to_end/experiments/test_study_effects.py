"""A study at smoke scale finds an effect that is there."""

import pytest

from rote.data.load import load_images
from rote.experiments.studies.study import run_study
from rote.report import write_report


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


@pytest.mark.slow
def test_a_known_effect_shows_at_smoke_scale(digits, tmp_path):
    """A label for every image is the strongest cause: with it, far more copies, even in seconds."""
    found = run_study("unique", digits, scale="smoke", out=tmp_path)
    none, unique = found.json["cells"]
    assert 0.1 < none["rate"]["value"] < 0.8
    assert unique["rate"]["value"] > none["rate"]["value"]
    (effect,) = found.json["effects"]
    assert effect["difference"]["low"] > 0
    assert effect["verdict"] == found.json["verdict"] == "agrees"
    assert found.sentence.startswith("At 6 training items, unique memorizes more than none")
    page = write_report(tmp_path).read_text()
    for chart in ("rates-0", "paper", "differences", "curves"):
        assert f'id="chart-{chart}"' in page
    # Without its runs a study still has its page: no curves and no pictures, but every number.
    (tmp_path / "runs").rename(tmp_path / "gone")
    bare = write_report(tmp_path).read_text()
    assert found.sentence in bare
    assert 'id="chart-curves"' not in bare


@pytest.mark.slow
def test_a_larger_training_set_is_copied_less(digits, tmp_path):
    """Beside a label for every image it is the strongest effect: it shows even in seconds."""
    assert run_study("size", digits, scale="smoke", out=tmp_path).json["verdict"] == "agrees"
