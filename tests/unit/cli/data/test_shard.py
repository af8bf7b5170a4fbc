"""Sizes as a person writes them."""

import pytest

from rote.cli.data.shard import parse_bytes
from rote.core.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "size"), [("512MB", 512 * 10**6), ("2gib", 2 << 30), ("1.5k", 1500), ("7", 7)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_bytes(text, flag="--memory") == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "2 apples", "1e9"])
def test_what_is_no_size_names_the_flag(text: str) -> None:
    with pytest.raises(ConfigError, match="--memory"):
        parse_bytes(text, flag="--memory")
