"""The command for one row of the paper, as its page names it: small, interrupted, and carried on."""

import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import ENVIRONMENT, ok, without_times

PAGE = Path(__file__).parents[3] / "docs" / "results" / "paper.md"
# The same command on digits: 8x8, 20 of them, a network of two levels, a thousandth of the training.
SMALL = {"--data": "digits", "--device": "cpu"}
SETTINGS = """
search.start=20 search.min_size=20 search.max_size=20 model.width=8 model.channel_mult=[1,2]
model.blocks=1 model.attention_resolutions=[4] train.batch=20 train.epochs=240
train.snapshot_images=1600 train.log_images=400 train.warmup_epochs=2 sample.steps=4 sample.tile=64
search.selection_samples=64 search.fresh_samples=64 search.first_samples=64
"""


def row() -> list[str]:
    """Return the command of the page as words, without its folder."""
    found = re.search(r"^ {4}(rote emm .*--preset paper(?:.*\\\n)*.*)$", PAGE.read_text(), re.M)
    assert found
    words = shlex.split(found[1].replace("\\\n", " "))[1:]
    place = words.index("--out")
    return words[:place] + words[place + 2 :]


def small(words: list[str]) -> list[str]:
    changed = list(words)
    for flag, value in SMALL.items():
        changed[changed.index(flag) + 1] = value
    return changed + [word for change in SETTINGS.split() for word in ("--set", change)]


@pytest.mark.slow
def test_the_row_carries_on_to_the_same_answer(tmp_path: Path) -> None:
    words = small(row())
    process = subprocess.Popen(
        [sys.executable, "-m", "rote", *words, "--out", "cut"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    while not list((tmp_path / "cut").rglob("checkpoints/1600.safetensors")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=300)
    assert not (tmp_path / "cut" / "emm.json").exists()
    ok(*words, "--out", "cut", cwd=tmp_path)
    ok(*words, "--out", "whole", cwd=tmp_path)
    found = without_times(tmp_path / "cut" / "emm.json")
    assert found == without_times(tmp_path / "whole" / "emm.json")
    (point,) = found["points"]
    assert [one["images_seen"] for one in point["selection"]] == [1600, 3200, 4800]
    assert point["images_trained"] == 4800  # trained to its end, whatever its rate
