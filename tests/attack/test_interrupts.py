"""An audit of photographs is stopped, or killed, at moments spread over all of its stages.

It is asked to stop (SIGINT, SIGTERM) and ends within two seconds with status 130, or it is killed
(SIGKILL). The next call carries on with what was kept, and what it writes are the bytes of a call that
nobody hindered.

With ``ROTE_TEST_KILLS`` above 1 the audit is a large one, and takes that many kills and as many stops.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import ENVIRONMENT, command
from PIL import Image

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("ROTE_TEST_KILLS", "1"))
LARGE = KILLS > 1
SIDE, GENERATED, TRAINING = (256, 60, 1000) if LARGE else (144, 20, 120)
ANSWER_SECONDS = 2.0 if LARGE else 10.0  # other tests share the cores
STARTED = 0.05
"""Share of a call after which rote's first module is surely there: before it, Python answers a signal."""
A_CALL = 5
"""Kills before a call is let come to its end."""
AUDIT = ("audit", "--generated", "made", "--training", "trained", "--out", "out")
WHOLE = (*AUDIT, "--positive-control", "5")


def photograph(number: int) -> Image.Image:
    """Make a picture of its own: coarse patches, finer ones, and grain."""
    rng = np.random.default_rng(number)
    total = np.zeros((SIDE, SIDE, 3), np.float32)
    for cells, share in ((4, 60.0), (16, 25.0)):
        patches = rng.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        size = (SIDE, SIDE)
        for channel in range(3):
            wide = Image.fromarray(patches[..., channel]).resize(size, Image.Resampling.BICUBIC)
            total[..., channel] += share * np.asarray(wide)
    total += rng.normal(128, 2, total.shape)
    return Image.fromarray(np.clip(total, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for side, count, first in (("trained", TRAINING, 0), ("made", GENERATED, TRAINING)):
        (folder / side).mkdir()
        for number in range(count):
            # Every fifth generated one is a training photograph, compressed again.
            copied = side == "made" and number % 5 == 0
            picture = photograph(number if copied else first + number)
            quality = 75 if copied else 92
            picture.save(folder / side / f"{number:05d}.jpg", quality=quality)
    return folder


@pytest.fixture(scope="module")
def unhindered(room: Path) -> tuple[float, dict[str, Any]]:
    """Audit without a cache, and return the seconds and what was written."""
    seconds = 0.0
    for _ in range(2):  # the first call may have to compile
        clear(room)
        seconds = finish(room, None)
    return seconds, contents(room / "out")


def start(room: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*WHOLE),
        cwd=room,
        env={**ENVIRONMENT, "ROTE_CACHE": str(room / "cache")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def clear(room: Path) -> None:
    for name in ("out", "cache"):
        shutil.rmtree(room / name, ignore_errors=True)


def contents(folder: Path) -> dict[str, Any]:
    """Return every file of a result; of `audit.json` all but when it was made, and of the page none."""
    found: dict[str, Any] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.name == "audit.json":
            value = json.loads(path.read_text())
            value["provenance"].pop("created")
            value["provenance"]["versions"].pop("commit", None)
            found[path.name] = value
        elif path.suffix != ".html" and path.name != ".lock":
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


def finish(room: Path, expected: dict[str, Any] | None) -> float:
    """Let a call come to its end, see what it wrote, and return the seconds."""
    began = time.monotonic()
    process = start(room)
    said = process.communicate(timeout=1800)[1]
    seconds = time.monotonic() - began
    assert process.returncode == 0, said
    assert expected is None or contents(room / "out") == expected
    assert not list(room.rglob("*.tmp"))
    return seconds


def test_killed_at_moments_of_all_stages_it_carries_on_to_the_same_bytes(room, unhindered):
    whole, expected = unhindered
    # One kill alone comes early. Of many all moments lie within the shortest call that came to its end:
    # one that carries on is quicker than the first, and the machine may be busy with other things.
    shortest = finish(room, expected) if LARGE else 0.8 * whole
    shares = [(number + 0.5) / KILLS for number in range(KILLS)]
    random.Random(0).shuffle(shares)
    struck = []
    for first in range(0, KILLS, A_CALL):
        clear(room)
        for share in shares[first : first + A_CALL]:
            process = start(room)
            try:
                process.wait(share * shortest)
            except subprocess.TimeoutExpired:
                process.kill()
                struck.append(round(share * shortest, 1))
            process.communicate()
        shortest = min(shortest, finish(room, expected))
    told = (
        f"{len(struck)} of {KILLS} killed, after {sorted(struck)} s; calls took {shortest:.1f} to"
    )
    print(f"{told} {whole:.1f} s; all came to the same bytes")
    assert len(struck) >= 0.8 * KILLS


def test_asked_to_stop_it_ends_in_time(room, unhindered):
    whole, expected = unhindered
    answers, told = [], 0
    for number in range(KILLS):
        clear(room)
        process = start(room)
        moment = whole * (STARTED + (1 - STARTED) * (number + 0.5) / KILLS)
        try:
            process.wait(moment)
            process.communicate()
            continue
        except subprocess.TimeoutExpired:
            told += 1
        began = time.monotonic()
        process.send_signal((signal.SIGINT, signal.SIGTERM)[number % 2])
        said = process.communicate(timeout=60)[1]
        answers.append((round(time.monotonic() - began, 2), round(moment / whole, 2)))
        last = said.splitlines()[-1:]
        assert (process.returncode, last) == (130, [said_at_the_end()]), said
        assert not list(room.rglob("*.tmp")), said
    finish(room, expected)
    print(f"{told} stopped; seconds to the end, and when: {sorted(answers)[-8:]}")
    assert told
    assert max(answers)[0] <= ANSWER_SECONDS


def said_at_the_end() -> str:
    return "interrupted; what was finished is saved: the same command carries on from there"
