"""What stands beside an audit's rates: in the result, in audit.json, and in the gate."""

import json
from dataclasses import replace

import numpy as np
import pytest
from audits import ratio_audit as audit

from rote.core.errors import DataError
from rote.data.load import load_images
from rote.metrics.data_copying import three_sample_test
from rote.metrics.quality import measure_quality
from rote.spaces import open_space


@pytest.fixture(scope="module")
def sides():
    digits = load_images("digits")
    order = np.random.default_rng(0).permutation(len(digits))
    training, rest = digits.take(order[:300]), digits.take(order[300:500])
    # two captions copy, six do not
    made = digits.take(np.concatenate([order[:50], order[500:650]]))
    return replace(made, labels=np.arange(200) // 25, classes=tuple("abcdefgh")), training, rest


@pytest.fixture(scope="module")
def found(sides):
    made, training, rest = sides
    asked = {"holdout": rest, "fail_above": 0.15}
    more = {"quality": True, "population": True, "cluster_by": "label"}
    return audit(made, training, **asked), audit(made, training, **asked, **more)


def test_they_are_those_of_the_sides(sides, found):
    made, training, rest = sides
    plain, more = found
    assert plain.supplement is None and plain.to_json()["quality"] is None
    assert more.rate == plain.rate
    expected = measure_quality(made.items, training.items, rest.items, space="pixel")
    assert more.supplement.quality.to_json() == expected.to_json()
    test = three_sample_test(made.items, training.items, rest.items, groups=(made.labels, None))
    assert more.supplement.population.three_sample == test
    # the eight labels are eight draws
    assert test.draws == pytest.approx((8, 200)) and test.nearer.value > 0.55
    assert three_sample_test(made.items, training.items, rest.items).statistic.high < 0
    assert more.supplement.population.likelihood.excess.high < 0
    accuracy = more.supplement.population.accuracy
    # a quarter is copied, and 100 of the 300 training images are left out
    assert accuracy.accuracy.value < more.supplement.population.accuracy_control.accuracy.value
    assert more.supplement.population.compared["count"] == 200


def test_the_gate_takes_the_caption_for_the_unit(found):
    plain, more = found
    assert plain.gate.decision == "above"  # 50 of 200 independent images would decide
    assert more.gate.decision == "undecided"  # 2 of 8 captions do not
    assert more.supplement.clusters.rates["ratio"].clusters == 8
    assert more.gate.more_images > 200
    assert [rate.count for _, rate in more.supplement.clusters.groups] == [25, 25, 0, 0, 0, 0, 0, 0]


def test_all_of_it_is_in_the_file(found, tmp_path):
    more = found[1]
    more.save(tmp_path)
    written = json.loads((tmp_path / "audit.json").read_text())
    assert {"quality", "population", "clusters"} <= set(written)
    assert written["clusters"]["rates"]["ratio"]["design_effect"] > 5
    assert written["population"]["reasons"] == {}
    assert written["gate"]["decision"] == "undecided"


def test_set_aside_items_are_no_training_items(sides):
    made, training, _ = sides
    more = audit(made, training, set_aside=100, quality=True, population=True)
    assert more.supplement.population.compared["training"] == 200
    assert more.supplement.quality.available == (200, 100)


def test_in_a_feature_space_rows_are_compared_and_no_pixel_threshold_is_taken(sides):
    made, training, rest = sides
    space = open_space("lowres:4")
    asked = ["absolute", "authenticity"]
    more = audit(
        made, training, holdout=rest, space=[space, "pixel"], criterion=asked, quality=True
    )
    rates = [{c.name: c.rate for c in result.criteria} for result in more.spaces]
    assert rates[0]["absolute"] is None and rates[1]["absolute"].count == 50
    assert rates[0]["authenticity"].count >= 50
    rows = [space.features(side.items) for side in (made, training, rest)]
    assert more.supplement.quality.to_json() == measure_quality(*rows, space=space.name).to_json()
    assert more.supplement.quality.dimensions == 16


def test_populations_need_held_out_items(sides):
    with pytest.raises(DataError, match="`population` needs held-out items"):
        audit(*sides[:2], population=True)
