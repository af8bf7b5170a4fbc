"""What makes two audits differ for another reason than the models is said."""

import numpy as np
import pytest
from audits import ratio_audit as audit

from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.memorization.audit.compare import compare


@pytest.fixture(scope="module")
def sides():
    digits = load_images("digits")
    noise = np.random.default_rng(0).integers(-20, 21, (60, 8, 8, 1))
    noisy = np.clip(digits.items[:60].astype(int) + noise, 0, 255).astype(np.uint8)
    return Dataset(noisy), digits.take(range(300)), digits.take(range(300, 800))


@pytest.fixture(scope="module")
def saved(sides, tmp_path_factory):
    generated, training, holdout = sides
    folder = tmp_path_factory.mktemp("audits")

    def save(name, **options):
        audit(generated, training, holdout=holdout, **options).save(folder / name)
        return folder / name

    return save


def test_equal_audits_have_no_warning(saved):
    options = {"criterion": ["ratio", "calibrated", "absolute", "carlini"], "duplicate_rms": 10.0}
    first, second = saved("a", **options), saved("b", **options)
    for criterion in ("ratio", "calibrated", "absolute", "carlini"):
        assert compare(first, second, criterion=criterion).warnings == ()


@pytest.mark.parametrize(
    ("criterion", "first", "second", "said"),
    [
        (
            "absolute",
            {"criterion": ["absolute=5"]},
            {"criterion": ["absolute=30"]},
            "the threshold of",
        ),
        ("ratio", {"duplicate_rms": 10.0}, {}, "radii of near-duplicates"),
        ("calibrated", {"false_positive_rate": 0.05}, {}, "different false-positive rates"),
        ("ratio", {"ruler_resolution": 4}, {}, "brought to the ruler"),
    ],
)
def test_rulers_that_differ_are_told(saved, criterion, first, second, said):
    found = compare(saved("first", **first), saved("second", **second), criterion=criterion)
    assert sum(said in warning for warning in found.warnings) == 1


def test_rates_are_compared_at_one_confidence(saved):
    first, second = saved("wide", confidence=0.9), saved("usual")
    found = compare(first, second)
    assert found.first.confidence == found.second.confidence == found.difference.confidence == 0.9
    assert "90 %" in found.warnings[-1]
