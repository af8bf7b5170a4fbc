"""Sound on a page: a WAV file that others read back, and pitches where they are."""

import base64
import io

import numpy as np
import soundfile

from rote.report.audit.listen import spectrogram, wav_url


def test_a_data_url_is_a_wav_file_of_the_values():
    sound = np.array([[0, 5], [-32767, 32767], [100, -1]], np.int16)
    head, _, content = wav_url(sound, 44100).partition(",")
    assert head == "data:audio/wav;base64"
    found, rate = soundfile.read(io.BytesIO(base64.b64decode(content)), dtype="int16")
    assert rate == 44100
    assert np.array_equal(found, sound)


def test_a_sweep_rises_from_the_bottom():
    times = np.arange(8000)
    sweep = (20000 * np.sin(np.pi * 0.8 * times**2 / 16000)).astype(np.int16)[:, None]
    rows = spectrogram(sweep)[..., 0].argmax(axis=0)
    assert rows[2] > rows[30] > rows[-3]


def test_short_and_silent_sounds_have_a_picture():
    assert spectrogram(np.zeros((10, 1), np.int16)).shape == (129, 1, 1)
