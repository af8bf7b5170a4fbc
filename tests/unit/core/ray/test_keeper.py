"""What is left of a local Ray goes once nobody holds the other end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rote.core.ray import keeper


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc")
def test_what_carries_the_mark_ends_and_the_folder_goes(tmp_path: Path) -> None:
    folder, other = tmp_path / "a", tmp_path / "ab"
    (folder / "r").mkdir(parents=True)
    (folder / "r" / "log").touch()
    other.mkdir()
    sleep = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]
    theirs, ours = (
        subprocess.Popen(sleep, env={**os.environ, keeper.MARK: str(each)})
        for each in (other, folder)
    )
    keeping = subprocess.Popen(
        [sys.executable, "-I", "-S", keeper.__file__, folder], stdin=subprocess.PIPE
    )
    try:
        time.sleep(0.2)
        assert ours.poll() is None
        assert folder.exists()
        keeping.communicate(timeout=20)
        assert ours.wait(5) == -signal.SIGKILL
        assert theirs.poll() is None
    finally:
        for process in (ours, theirs, keeping):
            process.kill()
            process.wait()
    assert not folder.exists()
    assert other.exists()
