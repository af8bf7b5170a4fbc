"""Reading arrays: what is wrong with a file is said, and asking to stop is no fault of it."""

import signal
from pathlib import Path

import numpy as np
import pytest

from rote.cli.options import interruptible
from rote.core.errors import Interrupted, RunError
from rote.results.arrays import read_arrays


class Slow(type(Path())):
    """A path at whose opening the user asks to stop."""

    def open(self, *arguments, **options):
        signal.raise_signal(signal.SIGTERM)
        return super().open(*arguments, **options)


def test_a_stop_while_a_file_is_read_is_no_damage(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.zeros(2))
    with pytest.raises(Interrupted), interruptible():
        read_arrays(Slow(tmp_path / "a.npz"), ["a"])
    assert read_arrays(tmp_path / "a.npz", ["a"])["a"].shape == (2,)


def test_what_is_no_archive_is_damaged(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"nothing")
    with pytest.raises(RunError, match=r"a\.npz is damaged"):
        read_arrays(tmp_path / "a.npz", ["a"])
