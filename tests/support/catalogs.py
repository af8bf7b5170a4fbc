"""Catalogs that are left as they were, whatever was registered."""

import contextlib
from collections.abc import Iterator

from rote.experiments.studies.factor import factors
from rote.memorization.corruptions import CORRUPTIONS
from rote.memorization.criteria import CRITERIA
from rote.spaces import SPACES


@contextlib.contextmanager
def catalogs_as_they_were() -> Iterator[None]:
    """Forget after the block what was registered in it."""
    before = [(catalog, catalog.names) for catalog in (CRITERIA, SPACES, CORRUPTIONS, factors())]
    try:
        yield
    finally:
        for catalog, names in before:
            for name in set(catalog.names) - set(names):
                catalog.forget(name)
