"""What is left of a local Ray goes once nobody holds the other end."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rote.core.ray import keeper


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="finds processes in /proc")
def test_what_holds_a_file_in_the_folder_ends_and_the_folder_goes(tmp_path: Path) -> None:
    folder, other = tmp_path / "a", tmp_path / "ab"
    folder.mkdir()
    other.mkdir()
    sleep = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]
    with (folder / "log").open("w") as log, (other / "log").open("w") as other_log:
        # This process, which started the keeper, holds both as well.
        theirs, ours = (subprocess.Popen(sleep, stdout=each) for each in (other_log, log))
        check(theirs, ours, folder)
    assert not folder.exists()
    assert other.exists()


def check(theirs: subprocess.Popen[bytes], ours: subprocess.Popen[bytes], folder: Path) -> None:
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
