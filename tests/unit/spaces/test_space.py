"""The contract of a space: rows that depend on one image alone, and one line for what breaks it."""

import numpy as np
import pytest
import torch

from rote.core.errors import ConfigError, DataError
from rote.data.dataset import Dataset
from rote.spaces import PIXEL, Space, open_space, open_spaces
from rote.spaces.feature_cache import rows_of
from rote.spaces.space import unit_rows

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (41, 12, 12, 3), dtype=np.uint8)


def flat(images):
    return torch.from_numpy(images).flatten(1).float()


def space_of(network, **changes):
    given = {"prepare": flat, "network": network, "tile": 16, **changes}
    return Space("mine", "values as they are", **{"beside": "", **given})


def test_lowres_is_the_mean_of_every_area():
    rows = open_space("lowres:4").features(IMAGES)
    means = IMAGES.reshape(41, 4, 3, 4, 3, 3).mean(axis=(2, 4))  # (N, rows, columns, C)
    assert rows.dtype == np.float32 and rows.shape == (41, 48)
    assert rows == pytest.approx(means.transpose(0, 3, 1, 2).reshape(41, 48), abs=1e-4)


@pytest.mark.parametrize("name", ["lowres:4", "imgsim:32", "efficientnet-lite0:32"])
def test_rows_depend_on_one_image_alone(name):
    try:
        space = open_space(name)
    except ConfigError as error:
        pytest.skip(str(error))
    rows = space.features(IMAGES)
    assert rows.shape[0] == 41
    order = RNG.permutation(41)
    assert space.features(IMAGES[order]).tobytes() == rows[order].tobytes()
    assert space.features(IMAGES[7:8]).tobytes() == rows[7:8].tobytes()


def test_cosine_rows_have_length_one_and_zeros_stay():
    rows = space_of(lambda x: x[:, :5], metric="cosine").features(IMAGES)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(41), abs=1e-6)
    assert unit_rows(np.zeros((1, 3), np.float32)).tolist() == [[0, 0, 0]]


def nan(x):
    return torch.where(torch.arange(len(x))[:, None] == 2, torch.nan, x)


def narrow(x):
    raise RuntimeError("Kernel size can't be greater than actual input size")


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (space_of(nan), "`space` mine gave NaN or infinity"),
        (space_of(lambda x: x, width=7), "gave rows of 432 numbers, and 7 are expected"),
        (space_of(lambda x: x[:3]), r"gave \(3, 432\) for 16 images; a tensor \(16, D\)"),
        (space_of(lambda x: x.numpy()), "gave ndarray for 16 images"),
        (space_of(narrow), "failed on images of 12x12: Kernel size can't be greater"),
        (space_of(flat, smallest=32), "takes images from 32x32 on, and these are 12x12"),
    ],
)
def test_a_broken_network_is_one_line(space, message):
    with pytest.raises(DataError, match=message) as caught:
        space.features(IMAGES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pixle", r"`space` 'pixle' is unknown \(did you mean 'pixel'\?\)"),
        ("pixel:8", "pixel takes nothing behind it"),
        ("lowres:0", "'0' is no size from 1 to 4096 pixels"),
        ("lowres:big", "'big' is no size"),
        ("lowres?size", "'size' is no key=value"),
        ("lowres?size=3", r"\?size= is unknown; it has no options"),
        ("lowres#md5=1", "behind # only sha256=HEX"),
        ("imgsim:16", "'16' is no size from 32 to 4096"),
    ],
)
def test_a_text_that_is_no_space_is_one_line(text, message):
    with pytest.raises(ConfigError, match=message):
        open_space(text)


def test_a_space_is_given_once():
    with pytest.raises(ConfigError, match="`space` lowres:4 is given twice"):
        open_spaces(["lowres:4", "pixel", "lowres:4"])
    assert open_spaces(["pixel", PIXEL][:1]) == (PIXEL,)


def test_rows_are_kept_by_images_weights_and_preprocessing(tmp_path):
    images = RNG.integers(0, 256, (300, 4, 4, 1), dtype=np.uint8)
    calls = []

    def network(x):
        calls.append(len(x))
        return x[:, :3]

    def rows(space, images=images):
        return rows_of(space, Dataset(images), folder=tmp_path)

    one = space_of(network, weights_sha256="aa")
    first, timed = rows(one)
    assert timed is not None and timed.images == 300
    calls.clear()
    again, timed = rows(one)
    assert timed is None and calls == [16]  # one tile, for the width
    assert again.tobytes() == first.tobytes() == one.features(images).tobytes()
    changed = images.copy()
    changed[299, 0, 0] ^= 1
    for other in (
        (space_of(network, weights_sha256="bb"),),
        (space_of(network, weights_sha256="aa", metric="cosine"),),
        (
            Space(
                "mine",
                "other",
                weights_sha256="aa",
                beside="",
                prepare=flat,
                network=network,
                tile=16,
            ),
        ),
        (one, changed),
    ):
        assert rows(*other)[1] is not None
    assert len(list(tmp_path.glob("*.npy"))) == 5
