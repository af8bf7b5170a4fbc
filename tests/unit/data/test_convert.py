"""Between items at rest and what models see."""

import numpy as np
import pytest
import torch

from rote.core.errors import DataError
from rote.data.convert import for_models, from_model, to_model
from rote.data.dataset import Dataset
from rote.data.scaling import VECTOR_STD, Scaling


def test_ends_of_the_range():
    items = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1)
    assert to_model(items).flatten().tolist() == [-1.0, 1.0]
    assert to_model(items).dtype == torch.float32


def test_vectors_pass_unchanged_both_ways():
    vectors = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    assert to_model(vectors) is vectors
    assert np.array_equal(from_model(vectors, kind="vector"), vectors.numpy())


def test_values_outside_are_clipped_and_halves_round_up():
    # 0.5 / 127.5 - 1 is pixel value 0.5, which rounds up to 1.
    samples = torch.tensor([-3.0, -1.0, 0.5 / 127.5 - 1, 0.0, 1.0, 9.0], dtype=torch.float64)
    pixels = from_model(samples.reshape(6, 1, 1, 1), kind="image")
    assert pixels.shape == (6, 1, 1, 1)
    assert pixels.flatten().tolist() == [0, 0, 1, 128, 255, 255]


def test_channels_go_last():
    samples = torch.zeros(2, 3, 4, 5)
    samples[:, 1] = 1
    pixels = from_model(samples, kind="image")
    assert pixels.shape == (2, 4, 5, 3)
    assert pixels[0, 0, 0].tolist() == [128, 255, 128]


def test_volumes_come_back_as_they_were():
    items = np.arange(2 * 2 * 4 * 5 * 3).reshape(2, 2, 4, 5, 3).astype(np.uint8)
    scans = Dataset(items)
    assert for_models(scans) == (scans, None)
    seen = to_model(scans.tensor())
    assert seen.shape == (2, *scans.shape) == (2, 3, 2, 4, 5)
    assert np.array_equal(from_model(seen, kind="volume"), items)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", ["image", "vector"])
def test_diverged_samples_are_an_error(bad, kind):
    samples = torch.zeros(4, 3) if kind == "vector" else torch.zeros(4, 1, 2, 2)
    samples[1].view(-1)[0] = bad
    with pytest.raises(DataError, match="1 of 4 samples hold NaN or infinity"):
        from_model(samples, kind=kind)


def vectors():
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(50, 3)) * [1e-3, 1, 1e4] + [5, -1, 1e5]
    return np.concatenate([columns, np.full((50, 1), 7.3)], axis=1).astype(np.float32)


def test_scaling_gives_mean_0_and_the_standard_deviation():
    data = Dataset(vectors())
    scaled, scaling = for_models(data)
    assert scaling is not None
    varying = scaled.items[:, :3].astype(np.float64)
    # float32 rounding of values near 1 is 6e-8; the mean of 50 stays within it.
    np.testing.assert_allclose(varying.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(varying.std(axis=0), VECTOR_STD, atol=1e-6)


def test_constant_columns_take_no_part_and_come_back():
    scaling = Scaling.fit(vectors())
    assert scaling.scale[3] == 0
    assert np.array_equal(Dataset(vectors()).scaled(scaling).items[:, 3], np.zeros(50))
    assert np.array_equal(scaling.invert(np.zeros((1, 4), np.float32))[0, 3:], vectors()[0, 3:])
    zeros = Scaling.fit(np.zeros((3, 1), dtype=np.float32))
    assert (zeros.shift[0], zeros.scale[0]) == (0, 0)


def test_scaling_round_trip():
    data = Dataset(vectors())
    scaled, scaling = for_models(data)
    back = scaling.invert(scaled.items)
    # One rounding to float32 of the scaled value: relative to the column's spread, 2 ** -24 * 4.
    spread = data.items.std(axis=0) + np.abs(data.items).max(axis=0)
    assert (np.abs(back - data.items) <= 2.0**-22 * spread).all()


def test_images_are_not_scaled():
    data = Dataset(np.zeros((2, 4, 4, 1), dtype=np.uint8))
    same, scaling = for_models(data)
    assert same is data
    assert scaling is None
