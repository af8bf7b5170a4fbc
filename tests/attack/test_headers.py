"""Headers that lie, of result files and of snapshots: one line each."""

import json
import struct
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from rote.core.errors import RoteError
from rote.diffusion.checkpoint import load_checkpoint
from rote.results.arrays import read_arrays


def npy(header, version=(1, 0)):
    """The bytes of an array file with any header."""
    held = header if isinstance(header, bytes) else header.encode()
    length = struct.pack("<H" if version == (1, 0) else "<I", len(held))
    return b"\x93NUMPY" + bytes(version) + length + held + bytes(64)


def described(kind, shape):
    return npy(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n")


ARRAYS = {
    "a trillion": described("|u1", "(1000000000000,)"),
    "no expression": described("|u1", "(10**40,)"),
    "40 digits": described("|u1", f"({10**40},)"),
    "negative": described("|u1", "(-3,)"),
    "a fraction": described("|u1", "(3.5,)"),
    "no tuple": described("|u1", "((3,),)"),
    "no type": described("zz", "(3,)"),
    "objects": described("|O", "(3,)"),
    "wide text": described("<U1000000000", "(3,)"),
    "cut": npy("{'descr': '"),
    "zeros": npy("\0\0\0"),
    "deep": npy("(" * 3000),
    "a number": npy("1"),
    "no text": npy(b"\xff\xfe", (3, 0)),
    "version 9": npy("{}", (9, 0)),
    "short": b"\x93NUMPY\x01",
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_that_lies_is_one_line(name, tmp_path):
    with zipfile.ZipFile(tmp_path / "file.npz", "w") as archive:
        archive.writestr("a.npy", ARRAYS[name])
    with pytest.raises(RoteError, match="is damaged") as caught:
        read_arrays(tmp_path / "file.npz", ["a"])
    assert "\n" not in str(caught.value)


GOOD = {"format_version": 1, "model": {}, "shape": [1, 8, 8], "label_count": 0, "images_seen": 4}
GOOD |= {"facts": {}}
HEADERS = {
    "no JSON": "{",
    "a list": "[]",
    "deep": "[" * 100_000,
    "no version": "{}",
    "a version of text": '{"format_version": "x"}',
    "no shape": json.dumps({key: GOOD[key] for key in GOOD if key != "shape"}),
    **{
        name: json.dumps(GOOD | changed)
        for name, changed in {
            "text for a shape": {"shape": "x"},
            "number for a shape": {"shape": 5},
            "negative shape": {"shape": [-1, 2, 3]},
            "wide shape": {"shape": [10**9, 10**9, 3]},
            "a trillion labels": {"label_count": 10**12},
            "text for labels": {"label_count": "a"},
            "number for a model": {"model": 3},
            "wide model": {"model": {"width": 10**9}},
            "number for facts": {"facts": 3},
            "text for images": {"images_seen": "x"},
            "weights of another": {},
        }.items()
    },
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_snapshot_that_lies_is_one_line(name, tmp_path):
    path = tmp_path / "4.safetensors"
    save_file({"raw.x": torch.zeros(3)}, path, metadata={"rote": HEADERS[name]})
    with pytest.raises(RoteError) as caught:
        load_checkpoint(path).denoiser()
    assert "\n" not in str(caught.value)
