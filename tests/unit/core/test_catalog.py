"""A catalog: order, unknown names, and entries from outside."""

from dataclasses import dataclass

import pytest

from rote.core.catalog import Catalog
from rote.core.errors import ConfigError


@dataclass(frozen=True)
class Entry:
    name: str
    value: int = 0


def test_entries_keep_their_order_and_those_from_outside_come_last():
    catalog = Catalog("the fruit", [Entry("pear"), Entry("apple")])
    catalog.register(Entry("fig", 1))
    assert catalog.names == ("pear", "apple", "fig")
    assert [entry.value for entry in catalog] == [0, 0, 1]
    assert "fig" in catalog and "plum" not in catalog
    catalog.register(Entry("fig", 2))  # one's own can be given again
    assert catalog["fig"].value == 2 and len(catalog.names) == 3
    catalog.forget("fig")
    assert catalog.names == ("pear", "apple")


def test_what_is_not_there_and_what_is_taken_is_one_line():
    catalog = Catalog("the fruit", [Entry("pear")])
    with pytest.raises(
        ConfigError, match=r"^the fruit 'peer' is unknown \(did you mean 'pear'\?\)$"
    ):
        catalog["peer"]
    with pytest.raises(ConfigError, match="'pear' comes with rote; choose another name"):
        catalog.register(Entry("pear"))
