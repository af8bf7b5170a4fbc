"""A study at smoke scale finds an effect that is there."""

import pytest

from rote.data.sources import load_images
from rote.studies.study import run_study


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


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
