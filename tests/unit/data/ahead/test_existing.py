"""Sources that are not there: what is said of them."""

import pytest

from rote.core.errors import DataError
from rote.data.ahead.existing import existing_path


@pytest.mark.parametrize(
    ("address", "how"),
    [
        ("s3://bucket/scans", r"copy it first \(aws s3 sync ADDRESS FOLDER\), and give"),
        ("hf://datasets/x/y", r"copy it first \(huggingface_hub.snapshot_download\)"),
        ("https://a.b/c.zip", r"copy it first \(curl -LO ADDRESS\)"),
        ("sftp://host/x", "copy it first, and give `source` the path of the copy$"),
    ],
)
def test_addresses_are_told_how_to_be_copied(address, how):
    with pytest.raises(DataError, match=how):
        existing_path(address)
