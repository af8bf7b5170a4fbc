"""What a file is, by its first bytes and its name."""

import io

import numpy as np
import pytest
from PIL import Image

from rote.data.files.sniff import extension_of, sort_of


def encoded(file_format, mode="RGB", **options):
    out = io.BytesIO()
    Image.new(mode, (20, 10), 100 if mode in ("L", "1") else (90, 10, 200)).save(
        out, file_format, **options
    )
    return out.getvalue()[:512]


@pytest.mark.parametrize(
    "file_format", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "JPEG2000", "ICO"]
)
def test_every_format_that_is_decoded_is_told(file_format):
    assert sort_of(encoded(file_format)) == "image"


def test_grey_and_bit_maps_are_told():
    assert sort_of(encoded("PPM", "L")) == sort_of(encoded("PPM", "1")) == "image"
    assert sort_of(b"P5\n# a comment\n3 3\n255\n") == "image"


@pytest.mark.parametrize(
    "head",
    [
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        b"\0\0\0\x0cJXL \r\n\x87\n",
        b"8BPS\0\1",
        b"\x76\x2f\x31\x01\2\0",
        b"<?xml version='1.0'?>\n<svg xmlns='x'>",
    ],
)
def test_images_that_are_not_decoded_are_told(head):
    assert sort_of(head) == "foreign"


@pytest.mark.parametrize(
    "head",
    [
        b"PK\x03\x04\x14\0\0\0",
        b"\x93NUMPY\x01\0v\0",
        b"\x1f\x8b\x08\0\0\0",
        b"PAR1\x15\0",
        b"\x89HDF\r\n\x1a\n",
        b"\0\0\0\x20ftypisom\0\0\2\0",
        b"a.png" + bytes(252) + b"ustar\0",
    ],
)
def test_what_might_be_data_is_told(head):
    assert sort_of(head) == "data"


@pytest.mark.parametrize(
    "head",
    [
        b"a photo of a cat",
        b"BMW, a car",
        b"P5 is a format",
        "ein Käfer".encode("latin-1"),
        "один".encode("utf-16"),
        b'{"a": 1}\n',
    ],
)
def test_texts_are_told(head):
    assert sort_of(head) == "text"


def test_an_empty_file_is_empty():
    assert sort_of(b"") == "empty"


def test_extensions():
    given = ["a.JPG?x=1&y=2", "b.png  ", "a.b/c", ".hidden", "c.tar.GZ", "x\\y.tif", "d."]
    assert [extension_of(name) for name in given] == [
        *(".jpg", ".png", "", "", ".tar.gz", ".tif", "")
    ]


def test_cut_at_any_length_nothing_breaks():
    rng = np.random.default_rng(0)
    whole = encoded("PNG") + rng.bytes(64)
    for length in range(64):
        assert sort_of(whole[:length]) in ("image", "data", "text", "empty")


@pytest.mark.parametrize("head", [bytes(128) + b"DICM", bytes(344) + b"n+1\0", bytes(4) + b"n+2\0"])
def test_volumes_are_told(head):
    assert sort_of(head) == "volume"
