"""Samples of a trainer of volumes: 8 bits as they are, all else in one line."""

import numpy as np
import pytest
import torch

from rote.core.errors import RunError
from rote.data.dataset import Dataset
from rote.experiments.trainers.samples import as_samples

SCANS = Dataset(np.zeros((3, 2, 4, 6, 1), np.uint8))


def test_volumes_pass_as_they_are():
    made = np.arange(2 * 48).reshape(2, 2, 4, 6, 1).astype(np.uint8)
    for given in (made, torch.from_numpy(made), list(made)):
        found = as_samples(given, 2, like=SCANS, value_range=None, who="mine")
        assert found.kind == "volume"
        assert np.array_equal(found.items, made)


@pytest.mark.parametrize("kind", [np.float32, np.int64])
def test_volumes_of_other_numbers_are_refused(kind):
    with pytest.raises(RunError, match=r"uint8 \(num, depth, height, width, channels\)"):
        as_samples(SCANS.items.astype(kind), 3, like=SCANS, value_range=None, who="mine")
