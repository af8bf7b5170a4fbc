"""Names of images and of rows, matched as a person would, and no further."""

import pytest

from rote.data.captions.names import matched


@pytest.mark.parametrize(
    ("names", "table", "expected"),
    [
        (["a.png"], {"a.png": "x"}, ["x"]),
        (["A.PNG", "b.png"], {"a.png": "x", "b.png": "y"}, ["x", "y"]),
        (["A.png", "a.png"], {"a.png": "x"}, [None, "x"]),
        (["i/1.png", "i/2.png"], {"1.png": "x", "2.png": "y"}, ["x", "y"]),
        (["1.png", "2.png"], {"home/me/1.png": "x", "home/me/2.png": "y"}, ["x", "y"]),
        (["a/1.png", "b/1.png"], {"1.png": "x"}, [None, None]),
        (["1.png"], {"a/1.png": "x", "b/1.png": "y"}, [None]),
        (["1.png"], {"1.jpg": "x"}, ["x"]),
        (["1.png", "1.webp"], {"1.jpg": "x"}, [None, None]),
        # One name that fits says that the others are meant as they stand.
        (["a/1.png", "b/2.png"], {"a/1.png": "x", "c/2.png": "y"}, ["x", None]),
    ],
)
def test_a_name_finds_its_row_or_none(names, table, expected):
    assert matched(names, table) == expected
