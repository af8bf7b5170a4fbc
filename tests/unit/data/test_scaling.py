"""Series (N, T, C): loading, shape, scaling, and the way to models and back."""

import numpy as np
import pytest
import torch

from rote.core.atomic_files import write_npz
from rote.core.errors import DataError
from rote.data.convert import as_items, for_models, from_model, in_own_units
from rote.data.files.arrays import arrays_of, dataset_of_array
from rote.data.load import load_images
from rote.data.scaling import VECTOR_STD


def series(count: int = 6, times: int = 8, channels: int = 2) -> np.ndarray:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(count, times, channels)) * [1.0, 50.0][:channels]
    return (values + [10.0, -3.0][:channels]).astype(np.float32)


def test_series_are_told_by_their_name_in_a_file(tmp_path):
    np.savez(tmp_path / "a.npz", series=series(), labels=[0, 0, 1, 1, 2, 2])
    found = load_images(tmp_path / "a.npz")
    assert (found.kind, found.shape) == ("series", (2, 8))
    assert (found.items == series()).all()
    assert found.classes == ("0", "1", "2")
    # and are written so that they are read back
    write_npz(tmp_path / "b.npz", arrays_of(found))
    assert load_images(tmp_path / "b.npz").digest == found.digest


def test_a_plain_array_is_not_taken_for_series_by_guess(tmp_path):
    np.save(tmp_path / "a.npy", series(channels=2))
    with pytest.raises(DataError, match="npz file under the name 'series'"):
        load_images(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (series()[:, :, 0], r"add the channels with x\[..., None\]"),
        (series().astype(str), "numbers of shape"),
        (np.where(series() > 50, np.nan, series()), "hold NaN"),
    ],
)
def test_arrays_that_are_no_series(array, told):
    with pytest.raises(DataError, match=told):
        dataset_of_array(array, where="here", named="series")


def test_images_options_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", series=series())
    with pytest.raises(DataError, match="holds series of 8 x 2 numbers; leave it out"):
        load_images(tmp_path / "a.npz", resolution=4)


def test_each_channel_is_scaled_over_all_its_times():
    found = dataset_of_array(series(), where="here", named="series")
    scaled, scaling = for_models(found)
    assert scaling is not None
    assert scaling.scale.shape == (2,)
    assert scaled.items.mean(axis=(0, 1)) == pytest.approx([0, 0], abs=1e-6)
    assert scaled.items.std(axis=(0, 1)) == pytest.approx([VECTOR_STD] * 2, rel=1e-6)
    # float32 of values up to about 150
    assert in_own_units(scaled) == pytest.approx(found.items, abs=1e-4)


def test_models_see_channels_first():
    found = dataset_of_array(series(), where="here", named="series")
    tensor = found.tensor()
    assert tensor.shape == (6, 2, 8)
    assert (from_model(tensor, kind="series") == found.items).all()
    scaled, _ = for_models(found)
    items = as_items(scaled.tensor(), scaled, source="samples")
    assert (items.items == scaled.items).all()
    assert items.scaling is scaled.scaling
    with pytest.raises(DataError, match="diverged"):
        as_items(torch.full((1, 2, 8), torch.nan), scaled, source="samples")
