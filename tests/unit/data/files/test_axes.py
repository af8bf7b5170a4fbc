"""Which axis is which: one reading is taken, two are asked about."""

import numpy as np
import pytest

from rote.core.errors import DataError
from rote.data.files.axes import axes_of, channels_last
from rote.data.load import load_images
from rote.data.options import ReadOptions

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (9, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((5, 9, 7, 3), "NHWC"),
        ((5, 9, 7, 1), "NHWC"),
        ((5, 3, 9, 7), "NCHW"),
        ((3, 3, 9, 7), "NCHW"),
        ((5, 9, 7), "NHW"),
        ((1, 9, 7), "NHW"),
        ((2, 1, 1, 1), "NHWC"),
    ],
)
def test_one_reading_is_taken(shape, axes):
    assert axes_of(shape, None, where="x") == axes


@pytest.mark.parametrize(
    ("shape", "readings"),
    [
        ((3, 9, 7), ["CHW for one image of 9x7", "NHW for 3 grey images of 9x7"]),
        ((4, 9, 7), ["CHW", "NHW"]),
        ((9, 7, 3), ["HWC for one image of 9x7", "NHW for 9 grey images of 7x3"]),
        ((3, 3, 3), ["HWC", "NHW"]),
        ((3, 9, 3), ["HWC", "NHW"]),
        ((9, 9, 40), ["NHW for 9 grey images of 9x40", "HWN for 40 grey images of 9x9"]),
        ((16, 16, 16), ["NHW", "HWN"]),
        ((8, 3, 9, 3), ["NHWC", "NCHW"]),
        ((32, 32, 3, 1), ["HWCN for 1 images of 32x32 with 3 channels", "NHWC"]),
    ],
)
def test_two_readings_are_asked_about(shape, readings):
    with pytest.raises(DataError, match="which axis is which") as caught:
        axes_of(shape, None, where="x")
    for reading in readings:
        assert reading in str(caught.value)
    assert "`axes`" in str(caught.value)


@pytest.mark.parametrize(
    ("axes", "array"),
    [
        ("HWC", IMAGE),
        ("CHW", IMAGE.transpose(2, 0, 1)),
        ("WHC", IMAGE.transpose(1, 0, 2)),
        ("HWCN", IMAGE[..., None]),
        ("CNHW", IMAGE.transpose(2, 0, 1)[:, None]),
        ("nchw", IMAGE.transpose(2, 0, 1)[None]),
    ],
)
def test_an_order_that_is_given_is_taken(tmp_path, axes, array):
    options = ReadOptions(axes=axes)
    assert np.array_equal(load_images(array, options=options).items, IMAGE[None])
    np.savez(tmp_path / "a.npz", images=array)
    assert np.array_equal(load_images(tmp_path / "a.npz", options=options).items, IMAGE[None])


def test_stacks_of_slices_and_single_grey_images():
    stack = RNG.integers(0, 256, (9, 9, 4), dtype=np.uint8)
    found = load_images(stack, options=ReadOptions(axes="HWN"))
    assert np.array_equal(found.items[..., 0], stack.transpose(2, 0, 1))
    assert load_images(stack[..., 0], options=ReadOptions(axes="HW")).shape == (1, 9, 9)


def test_an_order_is_for_arrays_of_as_many_axes():
    found = load_images(IMAGE[None], options=ReadOptions(axes="CHW"))
    assert np.array_equal(found.items, IMAGE[None])


def test_four_channels_are_no_images_in_any_order():
    latents = np.full((5, 4, 8, 8), 9, np.uint8)
    with pytest.raises(DataError, match="have 4 channels"):
        load_images(latents, options=ReadOptions(axes="NCHW"))


@pytest.mark.parametrize("axes", ["NHH", "HC", "XYZ", "", "NHWCT"])
def test_orders_that_are_none(axes):
    with pytest.raises(DataError, match="`axes`"):
        ReadOptions(axes=axes)


def test_channels_last_is_a_view():
    array = np.zeros((2, 3, 4, 5), np.uint8)
    assert np.shares_memory(channels_last(array, "NCHW"), array)
