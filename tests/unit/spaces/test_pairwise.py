"""Spaces of pairs: the worst tile and ST-LPIPS, and the nearest among candidates."""

import numpy as np
import pytest
import torch
from audits import ratio_audit as audit
from torch.nn import functional

from rote.core.errors import ConfigError
from rote.data.load import load_images
from rote.memorization.criteria import TileCriterion
from rote.spaces import Space, open_space
from rote.spaces.networks.stlpips import STLPIPS
from rote.spaces.pairwise import _between_rows, tile_squares

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


def test_tiles_by_hand():
    query, reference = np.zeros((1, 4, 4, 1), np.uint8), np.zeros((1, 4, 4, 1), np.uint8)
    reference[0, 0, 3] = 8  # one pixel of the upper right tile: 64 / 4
    assert tile_squares(query, reference, grid=2).tolist() == [[[0, 16], [0, 0]]]
    assert open_space("patch:2").pairs(query, reference, np.array([[0]])).tolist() == [[16]]
    assert tile_squares(query, reference, grid=9).shape == (1, 4, 4)


def test_patch_is_brute_force_where_all_are_candidates(digits):
    training, generated = digits.take(range(50)), digits.take(range(100, 140))
    found = audit(generated, training, space=("patch",), positive_control=0)
    squares = np.stack(
        [
            tile_squares(
                generated.items, np.repeat(training.items[n : n + 1], 40, axis=0), grid=4
            ).max(axis=(1, 2))
            for n in range(50)
        ],
        axis=1,
    )
    order = np.sort(squares, axis=1)
    assert found.nn1_sq.tolist() == order[:, 0].tolist()
    assert found.nn2_sq.tolist() == order[:, 1].tolist()
    assert found.nn1_index.tolist() == squares.argmin(axis=1).tolist()
    near = np.tile(np.arange(50), (40, 1))
    score = TileCriterion().of_images(generated.items, training.items, near)
    assert score.tolist() == np.sqrt(order[:, 0]).tolist()


def test_candidates_are_those_near_in_pixels(digits):
    """A distance that prefers what is far in pixels still stays among the candidates."""
    training, generated = digits.take(range(60)), digits.take(range(100, 120))

    def far(queries, references, candidates):
        difference = queries[:, None].astype(float) - references[candidates]
        return 1e9 - np.square(difference).sum(axis=(2, 3, 4))

    space = Space("far", "none", pairs=far, candidates=5)
    found = audit(generated, training, space=(space,), positive_control=0)
    difference = generated.items[:, None].astype(int) - training.items[None]
    fifth = np.sort(np.square(difference).sum(axis=(2, 3, 4)), axis=1)[:, 4]
    assert (1e9 - found.nn1_sq == fifth).all()
    assert found.to_json()["spaces"][0]["space"]["candidates"] == 5


def reference_st_lpips(network, x, y):
    """The distance of the paper, layer by layer, without rows."""
    total = torch.zeros(len(x))
    layers = zip(
        network.net(network.scaling_layer(x)), network.net(network.scaling_layer(y)), strict=True
    )
    for number, (a, b) in enumerate(layers):
        a, b = functional.normalize(a, dim=1), functional.normalize(b, dim=1)
        weight = getattr(network, f"lin{number}").weight
        total += functional.conv2d((a - b).square(), weight).mean(dim=(1, 2, 3))
    return total


def test_rows_of_st_lpips_lie_at_its_distance():
    torch.manual_seed(0)
    network = STLPIPS().eval()
    blur = torch.tensor([1.0, 2.0, 1.0])
    for name, buffer in network.named_buffers():
        if name.endswith("filt"):
            buffer.copy_((blur[:, None] * blur / 16).expand_as(buffer))
    for number in range(5):
        torch.nn.init.uniform_(getattr(network, f"lin{number}").weight, 0, 1)
    x, y = torch.rand(3, 3, 64, 64) * 2 - 1, torch.rand(3, 3, 64, 64) * 2 - 1
    with torch.inference_mode():
        rows = (network(x) - network(y)).square().sum(dim=1)
        expected = reference_st_lpips(network, x, y)
    assert torch.allclose(rows, expected, rtol=1e-4) and (expected > 0).all()


def test_st_lpips_forgives_a_shift():
    try:
        space = open_space("st-lpips")
    except ConfigError as error:
        pytest.skip(str(error))
    digits = load_images("digits").items[:6].repeat(4, axis=1).repeat(4, axis=2)
    images = np.repeat(digits, 3, axis=3)
    shifted = np.roll(images, 1, axis=2)
    candidates = np.tile(np.arange(6), (6, 1))
    sq = space.pairs(shifted, images, candidates)
    assert (sq.argmin(axis=1) == np.arange(6)).all()
    own = np.diag(sq)
    assert own.max() < np.sort(sq, axis=1)[:, 1].min() / 3
    assert space.pairs(images[:1], images, candidates[:1])[0, 0] == 0


def test_each_query_is_held_against_its_own_candidates(digits):
    rows = Space(
        name="values",
        preprocessing="none",
        prepare=lambda images: torch.from_numpy(images).float().flatten(1),
        network=lambda values: values,
    )
    queries, references = digits.items[:20], digits.items[100:150]  # more than one block of queries
    candidates = RNG.integers(0, 50, (20, 4))
    found = _between_rows(rows, queries, references, candidates)
    apart = queries[:, None].astype(int) - references[candidates].astype(int)
    assert np.array_equal(found, np.square(apart).sum(axis=(2, 3, 4)))
