"""Pairs of sound for a page: to be played, each with its spectrogram."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rote.report.audit.gallery import data_url
from rote.results.gallery import Gallery
from rote.results.neighbors import Neighbors

WINDOW = 256
"""Samples of a window of a spectrogram; the next begins half a window later."""
WIDEST = 320
"""Windows that a spectrogram shows at most, evenly chosen."""
RANGE = 70.0
"""Decibels from black to white."""


@dataclass(frozen=True)
class HeardPair:
    """A generated sound and its nearest: data URLs of both, and of their spectrograms."""

    index: int
    nearest: int
    ratio: float
    memorized: bool
    own: str
    near: str
    own_picture: str
    near_picture: str


def heard_pairs(gallery: Gallery, neighbors: Neighbors) -> list[HeardPair]:
    """Return the pairs that a page plays; none of other items than sound."""
    if gallery.sounds is None or gallery.sample_rate is None:
        return []
    found = []
    for place, pair in enumerate(gallery.sounds):
        index = int(gallery.index[place])
        own, near = (wav_url(sound, gallery.sample_rate) for sound in pair)
        pictures = [data_url(spectrogram(sound)) for sound in pair]
        found.append(
            HeardPair(
                index,
                int(gallery.nearest[place]),
                float(neighbors.ratios[index]),
                bool(neighbors.memorized[index]),
                own,
                near,
                *pictures,
            )
        )
    return found


def wav_url(sound: NDArray[np.int16], rate: int) -> str:
    """Return sound, int16 (times, channels), as the data URL of a WAV file."""
    data = np.ascontiguousarray(sound, "<i2").tobytes()
    channels, frame = sound.shape[1], 2 * sound.shape[1]
    form = struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * frame, frame, 16)
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + form
    content = head + b"data" + struct.pack("<I", len(data)) + data
    return f"data:audio/wav;base64,{base64.b64encode(content).decode('ascii')}"


def spectrogram(sound: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return how loud which pitches are when, uint8 (pitches, times, 1): high ones on top, loud white.

    >>> tone = (9000 * np.sin(np.arange(2048) * np.pi / 2)).astype(np.int16)[:, None]
    >>> int(spectrogram(tone)[:, 4, 0].argmax())
    64
    """
    mono = sound.mean(axis=1)
    mono = np.pad(mono, (0, max(0, WINDOW - len(mono))))
    parts = np.lib.stride_tricks.sliding_window_view(mono, WINDOW)[:: WINDOW // 2]
    places = np.linspace(0, len(parts) - 1, min(len(parts), WIDEST)).round().astype(np.int64)
    power = np.abs(np.fft.rfft(parts[places] * np.hanning(WINDOW), axis=1)).T ** 2
    level = 10 * np.log10(np.maximum(power / max(float(power.max()), 1e-30), 1e-30))
    grey = np.clip(255 * (level / RANGE + 1), 0, 255)
    return np.rint(grey[::-1]).astype(np.uint8)[..., None]
