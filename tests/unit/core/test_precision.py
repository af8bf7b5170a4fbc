"""strict_fp32 sets the precision within the block and puts back what the caller had."""

import subprocess
import sys

import pytest
import torch

from rote.core.precision import strict_fp32


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_the_older_switches_come_back(precision):
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        with pytest.raises(KeyError), strict_fp32():
            assert torch.get_float32_matmul_precision() == "highest"
            assert not torch.backends.cudnn.allow_tf32
            raise KeyError
        assert torch.get_float32_matmul_precision() == precision
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.set_float32_matmul_precision(before)


NEWER = """
import torch
from rote.core.precision import strict_fp32
torch.backends.{name}.fp32_precision = "tf32"
with strict_fp32():
    print(torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision)
print(torch.backends.{name}.fp32_precision)
"""


@pytest.mark.skipif(
    not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="switches of torch 2.9 and on"
)
def test_the_newer_switches_come_back():
    # In a process of its own: torch never again lets the older switches be read after the newer.
    script = NEWER.format(name="cuda.matmul")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["ieee", "ieee", "tf32"], done.stderr


def test_threads_inside_at_once_leave_the_switches_as_they_were():
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    first, second = strict_fp32(), strict_fp32()
    try:
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert torch.get_float32_matmul_precision() == "highest"
        second.__exit__(None, None, None)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
