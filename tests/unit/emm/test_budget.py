"""The budget of an EMM: exposures, and the elasticity of curves that are known."""

import doctest
import math

import pytest
from scipy.special import expit

from rote.emm import budget
from rote.emm.budget import budget_of
from rote.emm.curve import EmmInterval
from rote.emm.fit_check import checked_curve
from rote.emm.run import observed
from rote.results.emm import Budget
from rote.results.run import Observation, Point, PointCoverage, Snapshot
from rote.stats.beta_binomial import DIFFUSION
from rote.stats.rates import wilson

REACH, SIZES, IMAGES = (4, 1000), (16, 23, 32, 45, 64, 90), 76_800


def rate(size, share, elasticity):
    """Return the rate of a curve that crosses 90 % at 45 share^elasticity, as a count of 1,000."""
    away = math.log(size / 45) - elasticity * math.log(share)
    return wilson(round(1000 * expit(math.log(9) - 3.3 * away)), 1000)


def run(size, *, elasticity=0.8, length=IMAGES, steps=(0.25, 0.5, 0.75, 1.0), bound="exact"):
    scored = tuple(
        Snapshot(images_seen=round(step * length), rate=rate(size, step, elasticity))
        for step in steps
    )
    fresh = scored[-1].rate
    return Point(
        size=size,
        replicate=0,
        images_seen=scored[-1].images_seen,
        images_trained=scored[-1].images_seen,
        rate=fresh,
        observation=Observation(bound=bound, count=fresh.count, total=fresh.total, error=0.0),
        selection=scored,
        gap=(),
        coverage=PointCoverage(distinct_references=0),
        run="",
    )


def said(points, *, emm=None, own=True):
    found = checked_curve([observed(point) for point in points], reach=REACH)
    value = budget_of(
        points,
        emm or found.emm,
        found.posterior,
        reach=REACH,
        slopes=DIFFUSION,
        items="images",
        own=own,
    )
    assert Budget.model_validate(value)
    return value


@pytest.mark.parametrize("elasticity", [0.5, 1.0])
def test_the_elasticity_of_a_known_curve_lies_in_a_narrow_interval(elasticity):
    found = said([run(size, elasticity=elasticity) for size in SIZES])
    # Counts are exact; what is left is the estimator's prior, well below an interval's half-width.
    assert found["elasticity"]["value"] == pytest.approx(elasticity, abs=0.1)
    assert found["elasticity"]["low"] < elasticity < found["elasticity"]["high"]
    assert found["half_way"]["emm"]["value"] == pytest.approx(45 * 0.5**elasticity, rel=0.05)
    assert found["images"] == IMAGES and found["epochs"] is None
    assert found["exposures"]["value"] == pytest.approx(IMAGES / 45, rel=0.05)
    assert found["exposures"]["low"] < found["exposures"]["value"] < found["exposures"]["high"]
    factor = f"gives about {2 ** found['elasticity']['value']:.2g} times the EMM"
    assert "76,800 images seen" in found["sentence"] and factor in found["sentence"]
    assert "half-way" not in found["sentence"]


def test_runs_that_ended_early_bound_the_curve_half_way():
    early = [run(8, steps=(0.25,), bound="at-least"), run(11, steps=(0.25,), bound="at-least")]
    found = said([*early, *(run(size) for size in SIZES)])
    assert found["elasticity"]["value"] == pytest.approx(0.8, abs=0.1)


def test_at_so_many_epochs_every_size_sees_each_item_that_often():
    found = said([run(size, length=1700 * size) for size in SIZES], own=False)
    assert found["images"] is None
    assert found["epochs"] == found["exposures"]["value"] == pytest.approx(1700, rel=0.01)
    assert "every size sees each item that often" in found["sentence"]
    assert "a model half-way is like one of half the training" in found["sentence"]


@pytest.mark.parametrize(
    ("points", "emm", "why"),
    [
        ([run(size, steps=(1.0,)) for size in SIZES], None, "fewer than 4 runs of two sizes"),
        ([run(size, length=size, steps=(1.0,)) for size in SIZES], None, "how long a training is"),
        (
            [run(16), run(32, length=50_000), run(64, length=400_000)],
            None,
            "how long a training is",
        ),
        (
            [run(size) for size in SIZES],
            EmmInterval(None, None, None, "unknown", 0.95),
            "the EMM itself is not known",
        ),
        (
            [run(size) for size in SIZES],
            EmmInterval(None, 40.0, None, "above", 0.95),
            "beyond the sizes trained",
        ),
    ],
)
def test_what_is_not_known_has_its_reason(points, emm, why):
    found = said(points, emm=emm)
    assert found["elasticity"] is None and why in found["reason"]
    assert why in found["sentence"] and "None" not in found["sentence"]
    if emm is not None and emm.status == "above":
        assert found["exposures"] == {"value": None, "low": None, "high": 1920.0}
        assert "seen at most 1,900 times;" in found["sentence"]


def test_examples_in_docstrings():
    done = doctest.testmod(budget)
    assert done.attempted >= 1 and done.failed == 0
