"""Sums on a device have the bits of numpy's, whatever the count of numbers."""

import numpy as np
import pytest
import torch

from rote.core.errors import ConfigError
from rote.neighbors import brute_force
from rote.neighbors.gpu import exact_sums

CPU = torch.device("cpu")


def test_sums_of_every_length_are_those_of_numpy():
    rng = np.random.default_rng(0)
    for count in [*range(1, 300), 511, 768, 769, 1000, 1025, 3072, 8193, 12_288, 20_001]:
        # Of all sizes, so that another order gives other bits.
        queries = rng.normal(size=(3, count)) * 10.0 ** rng.uniform(-8, 8, size=(3, count))
        references = rng.normal(size=(3, count)).astype(np.float32)
        expected = brute_force.sq_differences(queries, references.astype(np.float64))
        found = exact_sums.sq_differences(torch.from_numpy(queries), torch.from_numpy(references))
        assert np.array_equal(found.numpy(), expected), count


def test_another_order_is_told_apart_and_refused(monkeypatch):
    exact_sums.check_sums.cache_clear()
    exact_sums.check_sums(300, CPU)
    exact_sums.check_sums.cache_clear()
    monkeypatch.setattr(exact_sums, "LEAF", 64)
    with pytest.raises(
        ConfigError, match=r"another order than numpy .*; use `device` cpu"
    ) as error:
        exact_sums.check_sums(300, CPU)
    assert "\n" not in str(error.value)
    exact_sums.check_sums.cache_clear()
