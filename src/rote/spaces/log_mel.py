"""The space of series `log-mel`: how loud which pitches are when, as ears take it.

Power in bands of the mel scale over short windows, in decibels below the loudest band of the same series,
down to a floor. So the gain and the polarity of a series do not matter, nor a shift that is short beside
a window, nor noise below the floor.
"""

from __future__ import annotations

import numpy as np
import torch

from rote.core.errors import ConfigError
from rote.spaces.factory import SpaceFactory
from rote.spaces.parse import Wanted, check_options
from rote.spaces.space import Images, Space

WINDOW, HOP, BANDS = 512, 256, 40
"""Times of a window, from one to the next, and bands of the mel scale."""
FLOOR = 50.0
"""Decibels below the loudest band at which all is silent."""
RATE = 16_000
"""Samples a second that the mel scale is laid out for unless others are given."""


def mel_bands(rate: int, bins: int, bands: int = BANDS) -> torch.Tensor:
    """Return triangular bands on the mel scale (2595 log10(1 + f / 700)), float32 (bins, bands).

    Parameters
    ----------
    rate
        Samples a second; the bands reach up to half of it.
    bins
        Of a spectrum, from 0 to half the rate.
    """
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    # A band narrower than a bin would be empty: it keeps the width of one.
    width = rate / 2 / (bins - 1)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rise, fall = np.maximum(middle - low, width), np.maximum(high - middle, width)
    at = np.linspace(0, rate / 2, bins)[:, None]
    found = np.minimum((at - middle) / rise + 1, (middle - at) / fall + 1)
    return torch.from_numpy(np.maximum(found, 0).astype(np.float32))


def log_mel(wanted: Wanted, device: str) -> Space:
    """Return the space of log-mel spectrograms of series (N, times, channels).

    Raises
    ------
    ConfigError
        If what stands behind the name is no rate.
    """
    check_options(wanted, ())
    rate = wanted.argument or str(RATE)
    if not rate.isdecimal() or int(rate) < 1:
        raise ConfigError(f"`space` {wanted.text}: '{rate}' is no number of samples a second")
    bands = mel_bands(int(rate), WINDOW // 2 + 1).to(device)
    window = torch.hann_window(WINDOW, device=device)

    def prepare(series: Images) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(series)).to(device, torch.float32)

    def rows(prepared: torch.Tensor) -> torch.Tensor:
        count, times, _ = prepared.shape
        flat = prepared.movedim(-1, 1).reshape(-1, times)
        spectrum = torch.stft(
            flat, WINDOW, HOP, window=window, center=True, pad_mode="constant", return_complex=True
        )
        power = spectrum.abs().square().transpose(1, 2) @ bands
        power = power.reshape(count, -1)
        loudest = power.amax(dim=1, keepdim=True).clamp_min(1e-30)
        return (10 * torch.log10((power / loudest).clamp_min(10 ** (-FLOOR / 10)))) + FLOOR

    return Space(
        name=wanted.text,
        preprocessing=(
            f"power in {BANDS} bands of the mel scale at {int(rate)} samples a second, windows of "
            f"{WINDOW} times every {HOP}, in decibels below the loudest down to {FLOOR:g}"
        ),
        beside="",
        prepare=prepare,
        network=rows,
        tile=16,
        takes="series",
    )


LOG_MEL = SpaceFactory(
    "log-mel",
    "Spectrograms of series on the mel scale: blind to gain, polarity, short shifts and faint noise.",
    log_mel,
    usage="log-mel[:RATE]",
    takes="series",
)
