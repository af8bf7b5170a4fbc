"""Networks from outside: unsteady, constant or endless ones are found before they are believed."""

import dataclasses
import time

import numpy as np
import pytest
import torch

from rote.core.errors import DataError
from rote.spaces.guard import bounded, check_spread, try_out
from rote.spaces.space import Space

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 3), dtype=np.uint8)


def space(network, **changes):
    made = Space(
        "given",
        "none",
        prepare=lambda images: torch.from_numpy(images).float().flatten(1),
        network=network,
        tile=16,
        foreign="function",
    )
    return dataclasses.replace(made, **changes)


def linear(outputs=8):
    torch.manual_seed(0)
    return torch.nn.Linear(108, outputs)


def with_dropout(x, layer=linear(64)):  # noqa: B008 - one layer, of so many numbers that some drop
    return torch.nn.functional.dropout(layer(x), 0.1, training=True)


UNSTEADY = {
    "random": lambda x: torch.rand(len(x), 8),
    "dropout": with_dropout,
    "batch statistics": lambda x: (x - x.mean(0)) / (x.std(0) + 1e-3),
    "sum of the batch": lambda x: x + x.sum(0),
    "place in the batch": lambda x: x[:, :3] + 100 * torch.arange(len(x))[:, None],
    "first of the batch": lambda x: x - x[:1],
}
STEADY = {
    "linear": linear(),
    "half": lambda x: x.half() / 7,
    "large offset": lambda x: x + 1e6,
    "few numbers": lambda x: x[:, :1],
    "zeros": lambda x: 0 * x,
}


@pytest.mark.parametrize("count", [1, 5, 40])
@pytest.mark.parametrize("name", UNSTEADY)
@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_rows_that_depend_on_other_images_are_refused(name, metric, count):
    with pytest.raises(DataError, match="another row for the same image") as caught:
        try_out(space(UNSTEADY[name], metric=metric), IMAGES[:count])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("count", [1, 5, 40])
@pytest.mark.parametrize("tile", [1, 2, 16])
@pytest.mark.parametrize("name", STEADY)
def test_rows_of_their_own_image_are_believed(name, tile, count):
    try_out(space(STEADY[name], tile=tile), IMAGES[:count])


def test_a_network_that_does_not_end_is_given_up():
    def slow(x):
        time.sleep(0.5)
        return x

    with pytest.raises(DataError, match="did not answer within"):
        try_out(space(slow, foreign="file"), IMAGES, seconds=0.05)
    try_out(space(lambda x: x, foreign="file"), IMAGES)


def test_the_same_row_for_all_images_is_refused():
    distinct = np.arange(40)
    for rows in (np.zeros((40, 5)), np.full((40, 5), 3.5), 1e6 + IMAGES[:, 0, 0] / 255):
        with pytest.raises(DataError, match="the same row for all of 40 different training images"):
            check_spread(space(None), rows.astype(np.float32), distinct)
    check_spread(space(None), np.eye(40, dtype=np.float32), distinct)
    check_spread(space(None), np.zeros((40, 5), np.float32), distinct[:1])


def test_a_network_cannot_take_more_memory_than_there_is():
    network = bounded(lambda x: torch.ones(len(x), 10**12), "cpu")
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        network(torch.zeros(16, 3))
    assert bounded(len, "cuda") is len
