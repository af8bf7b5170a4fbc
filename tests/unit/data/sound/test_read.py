"""Sound files as series: of one rate, one number of channels and one length, or refused by name."""

import numpy as np
import pytest
import soundfile

from rote.core.errors import DataError
from rote.data.load import load_images
from rote.data.options import ReadOptions

RATE = 8000
CLIP = (np.random.default_rng(0).integers(-30000, 30000, (400, 1)) / 32768).astype(np.float32)


def write(path, clip=CLIP, rate=RATE, **how):
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, clip, rate, **how)
    return path


def load(path, **options):
    return load_images(str(path), options=ReadOptions(**options))


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "without-a-suffix"])
def test_a_clip_is_the_series_of_its_values(tmp_path, name):
    path = write(tmp_path / name, format="FLAC" if "flac" in name else "WAV")
    found = load(path)
    assert (found.kind, found.shape, found.sample_rate) == ("series", (1, 400), RATE)
    assert np.array_equal(found.items[0], CLIP)
    assert found.describe()["sample_rate"] == RATE


def test_folders_are_classes_and_lengths_are_made_one(tmp_path):
    write(tmp_path / "yes" / "1.wav")
    write(tmp_path / "no" / "1.wav", CLIP[:100])
    found = load(tmp_path, seconds=0.025)
    assert found.classes == ("no", "yes")
    assert found.items.shape == (2, 200, 1)
    assert np.array_equal(found.items[0, :100], CLIP[:100])
    assert not found.items[0, 100:].any()
    assert np.array_equal(found.items[1], CLIP[:200])
    assert [part.split(" (")[0] for part in found.account.parts()] == ["1 longer", "1 shorter"]


@pytest.mark.parametrize(
    ("clip", "rate", "words"),
    [
        (CLIP[:100], RATE, "last from 0.0125 to 0.05 seconds; give `seconds`"),
        (CLIP, 16000, r"16,000 \(1, such as b.wav\).*samples a second are mixed"),
        (np.repeat(CLIP, 2, axis=1), RATE, r"2 \(1, such as b.wav\).*channels are mixed"),
    ],
)
def test_clips_that_differ_are_refused_with_examples(tmp_path, clip, rate, words):
    write(tmp_path / "a.wav")
    write(tmp_path / "b.wav", clip, rate)
    with pytest.raises(DataError, match=words):
        load(tmp_path)


def test_a_broken_file_is_named_or_left_out(tmp_path):
    write(tmp_path / "a.wav")
    (tmp_path / "b.wav").write_bytes(b"RIFF\0\0\0\0WAVE nothing")
    with pytest.raises(DataError, match=r"1 of 2 sound files cannot be read \(b\.wav: broken"):
        load(tmp_path)
    assert load(tmp_path, skip_unreadable=True).unreadable == ("b.wav",)


def test_sound_beside_images_stops(tmp_path):
    from PIL import Image

    write(tmp_path / "a.wav")
    Image.new("L", (4, 4), 200).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"beside 1 images lie 1 files .*\.wav"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("source", "words"),
    [("digits", "`seconds` is for sound"), (np.zeros((2, 3)), "`seconds` is for sound")],
)
def test_seconds_are_for_sound(source, words):
    with pytest.raises(DataError, match=words):
        load_images(source, options=ReadOptions(seconds=1))


def test_rates_of_both_sides_must_be_one(tmp_path):
    from rote import audit

    sides = []
    for name, rate in (("a", RATE), ("b", 2 * RATE)):
        for number in range(3):
            write(tmp_path / name / f"{number}.wav", np.roll(CLIP, number), rate)
        sides.append(str(tmp_path / name))
    with pytest.raises(DataError, match=r"8000 samples a second and `training` 16000"):
        audit(*sides)


def test_arrays_keep_the_rate(tmp_path):
    from rote.data.files.arrays import arrays_of

    np.savez(tmp_path / "a.npz", **arrays_of(load(write(tmp_path / "a.wav"))))
    assert load(tmp_path / "a.npz").sample_rate == RATE
