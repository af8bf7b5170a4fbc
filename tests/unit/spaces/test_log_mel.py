"""Log-mel spectrograms: blind to gain and polarity by construction, and bands that cover all pitches."""

import numpy as np
import pytest

from rote.core.errors import ConfigError
from rote.spaces import open_spaces
from rote.spaces.log_mel import mel_bands

RNG = np.random.default_rng(0)


def tone(hertz, rate=8000, times=4096):
    return np.sin(2 * np.pi * hertz * np.arange(times) / rate).astype(np.float32)[None, :, None]


def test_gain_and_polarity_change_nothing():
    space = open_spaces(["log-mel:8000"])[0]
    clip = RNG.normal(0, 0.3, (2, 4096, 1)).astype(np.float32)
    rows = space.features(clip)
    for other in (-clip, clip / 2):  # a power of two is exact in float32
        assert np.allclose(space.features(other), rows, atol=1e-4)


def test_a_tone_is_loudest_in_the_band_of_its_pitch():
    bands = mel_bands(8000, 257).numpy()
    for hertz in (250, 1000, 3000):
        rows = open_spaces(["log-mel:8000"])[0].features(tone(hertz)).reshape(-1, 40)
        at = round(hertz / 4000 * 256)
        assert rows[5].argmax() == bands[at].argmax()


def test_noise_below_the_floor_counts_for_nothing():
    space = open_spaces(["log-mel:8000"])[0]
    noise = 1e-4 * RNG.standard_normal(tone(1000).shape).astype(np.float32)
    apart = np.abs(space.features(tone(1000) + noise) - space.features(tone(1000)))
    assert apart.mean() < 0.1


def test_every_pitch_between_the_outer_bands_lies_in_one():
    for rate in (8000, 16000, 44100):
        bands = mel_bands(rate, 257).numpy()
        first, last = bands[:, 0].argmax(), bands[:, -1].argmax()
        assert (bands[first : last + 1].sum(axis=1) > 0.5).all()
        assert (bands.max(axis=0) > 0).all()


def test_silence_is_flat_and_a_rate_must_be_a_number():
    space = open_spaces(["log-mel"])[0]
    assert len(np.unique(space.features(np.zeros((1, 1000, 1), np.float32)))) == 1
    with pytest.raises(ConfigError, match="'fast' is no number"):
        open_spaces(["log-mel:fast"])
