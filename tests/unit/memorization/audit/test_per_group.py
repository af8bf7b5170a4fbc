"""Rates per caption, and the whole rate with the caption as the unit."""

from dataclasses import replace

import numpy as np
import pytest

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.memorization.audit.per_group import (
    Clusters,
    clusters_of,
    clusters_of_labels,
    grouped_rates,
)
from rote.stats.clustered import clustered_rate
from rote.stats.rates import wilson


def test_rates_per_group_and_over_groups():
    cluster = np.repeat([0, 1, 2], [4, 6, 10])
    ratio = np.repeat([True, False, False], [4, 6, 10])
    found = grouped_rates(
        {"ratio": ratio, "tiles": ~ratio}, Clusters("caption", cluster, ("a", "b", "c"))
    )
    assert found.groups[0] == ("a", wilson(4, 4)) and found.groups[2] == ("c", wilson(0, 10))
    assert found.rates["ratio"] == clustered_rate(ratio, cluster)
    plain = wilson(4, 20)
    assert found.rates["ratio"].high - found.rates["ratio"].low > 2 * (plain.high - plain.low)
    shown = found.to_json()
    assert [group["name"] for group in shown["groups"]] == ["a", "b", "c"]
    assert shown["rates"]["tiles"]["count"] == 16


def test_what_has_no_groups_is_refused():
    with pytest.raises(DataError, match="the generated items have no labels"):
        clusters_of_labels(None, ())
    with pytest.raises(DataError, match="3 generated items and 2 of them have a label"):
        grouped_rates({"ratio": np.ones(3, bool)}, clusters_of_labels(np.array([0, 1]), "ab"))


def test_rules_of_the_generated_side():
    side = Dataset(np.zeros((3, 1, 1, 1), np.uint8), names=("v1/a", "v1/b", "v2/a"))
    found = clusters_of(side, "folder")
    assert (found.by, found.cluster.tolist(), found.names) == ("group", [0, 0, 1], ("v1", "v2"))
    own = replace(side, groups=("x", "y", "x"))
    assert clusters_of(own, None).names == ("x", "y")
    assert clusters_of(own, "none") is None and clusters_of(side, None) is None
    with pytest.raises(DataError, match="`cluster_by` q: 3 of 3 names"):
        clusters_of(side, "q")
