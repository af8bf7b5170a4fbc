"""Freed memory is kept: an allocation of what was just freed faults no page."""

import os
import subprocess
import sys

import pytest

from rote.core.memory import THREAD_BYTES, bounded_memory, memory_left, memory_of_machine

# A process of its own: the setting is for good.
PROGRAM = """
import resource
import sys
import numpy as np
from rote.core.memory import keep_freed_memory


size = int(sys.argv[1])  # of a block, in numbers of 8 bytes; 160 MB in all


def faults():
    for warm in (True, True, False):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(1 if warm else 10):
            held = [np.full(size, 1.5) for _ in range(20_000_000 // size)]
            del held
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


print(faults(), int(keep_freed_memory()), faults())
"""


@pytest.mark.parametrize("size", [125_000, 5_000_000])
def test_freed_memory_is_used_again(size):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(size)], capture_output=True, text=True, check=True
    )
    before, kept, after = map(int, done.stdout.split())
    if not kept:
        pytest.skip("another C library than glibc")
    # 160 MB are 39,063 pages; left to itself the C library may map them ten times over.
    assert after < min(500, before / 10)


def test_what_is_left_is_less_than_what_there_is_and_heeds_a_limit() -> None:
    left = memory_left()
    assert 0 < left <= memory_of_machine()
    with bounded_memory(2**30):
        assert memory_left() <= 2**30 + THREAD_BYTES * (os.cpu_count() or 1)
