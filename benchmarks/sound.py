"""Copies of real clips, planted as models and codecs change them: what rulers of series find of them.

    python benchmarks/sound.py --clips FOLDER [--seconds 1]

Of the distinct clips every fourth is held out, all others are the training side. Generated are 40
held-out clips, which are no copies, and 40 training clips changed in each way. Printed is how many are
flagged by the ratio, and the seconds that the audit took.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import soundfile

from rote import audit
from rote.data.duplicates import exact_duplicates
from rote.data.load import load_images
from rote.data.options import ReadOptions

Clip = np.ndarray
EACH = 40
RULERS: dict[str, dict[str, Any]] = {
    "as they are": {"space": "pixel"},
    "shift, gain, polarity": {"space": "pixel", "invariances": "shift,gain,polarity"},
    "log-mel": {"space": "log-mel:8000"},
}


def delayed(clip: Clip, times: int) -> Clip:
    """Return a clip that begins later, silent before."""
    return np.concatenate([np.zeros_like(clip[:times]), clip[:-times]])


def noisy(clip: Clip, decibels: float) -> Clip:
    """Return a clip with white noise so far below its own power."""
    power = np.sqrt(np.square(clip).mean()) * 10 ** (decibels / 20)
    return clip + power * np.random.default_rng(0).standard_normal(clip.shape)


def coded(clip: Clip, rate: int, *, form: str, subtype: str) -> Clip:
    """Return a clip written and read in another format, cut or silent to its length."""
    buffer = io.BytesIO()
    soundfile.write(buffer, clip, rate, format=form, subtype=subtype)
    buffer.seek(0)
    found, _ = soundfile.read(buffer, dtype="float32", always_2d=True)
    room = np.zeros_like(clip)
    room[: len(found)] = found[: len(room)]
    return room


def changes(rate: int) -> dict[str, Callable[[Clip], Clip]]:
    """Return the ways in which copies are changed."""
    return {
        "as it is": lambda clip: clip,
        "later by 1 sample": lambda clip: delayed(clip, 1),
        "later by 40 ms": lambda clip: delayed(clip, round(0.04 * rate)),
        "half the gain": lambda clip: clip / 2,
        "inverted": lambda clip: -clip,
        "noise at -40 dB": lambda clip: noisy(clip, -40),
        "noise at -20 dB": lambda clip: noisy(clip, -20),
        "mu-law, 8 bits": lambda clip: coded(clip, rate, form="WAV", subtype="ULAW"),
        "Ogg Vorbis": lambda clip: coded(clip, rate, form="OGG", subtype="VORBIS"),
        "40 ms, half, inverted": lambda clip: -delayed(clip, round(0.04 * rate)) / 2,
    }


def main() -> None:
    """Print one line of JSON a ruler."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", required=True)
    parser.add_argument("--seconds", type=float, default=1.0)
    asked = parser.parse_args()
    clips = load_images(asked.clips, options=ReadOptions(seconds=asked.seconds))
    clips = clips.take(exact_duplicates(clips.items).representative)
    held = np.arange(len(clips)) % 4 == 3
    training, holdout = clips.take(np.flatnonzero(~held)), clips.take(np.flatnonzero(held))
    rate = clips.sample_rate
    assert rate is not None
    drawn = np.random.default_rng(1).permutation(len(training))[:EACH]
    ways = changes(rate)
    parts = [holdout.items[:EACH]]
    parts += [np.stack([way(clip) for clip in training.items[drawn]]) for way in ways.values()]
    items = np.concatenate(parts).astype(np.float32)
    made = replace(
        training.take(np.zeros(len(items), np.int64)), items=items, names=(), source="made"
    )
    print(json.dumps({"clips": len(clips), "training": len(training), "times": items.shape[1]}))
    for ruler, how in RULERS.items():
        start = time.perf_counter()
        found = audit(
            made, training, positive_control=0, training_sample=0, device="cpu", **how
        ).memorized.reshape(-1, EACH)
        told = dict(zip(("no copies", *ways), found.sum(axis=1).tolist(), strict=True))
        seconds = round(time.perf_counter() - start, 1)
        print(json.dumps({"ruler": ruler, "seconds": seconds, "of": EACH, **told}), flush=True)


if __name__ == "__main__":
    main()
