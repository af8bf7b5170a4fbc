"""The exception tree is the one drawn in its docstring."""

import pytest

from rote.core import errors


@pytest.mark.parametrize("name", ["DataError", "ConfigError", "RunError", "DownloadError"])
def test_every_error_is_a_rote_error(name):
    assert issubclass(getattr(errors, name), errors.RoteError)


def test_no_handler_of_errors_swallows_an_interruption():
    assert not issubclass(errors.Interrupted, errors.RoteError)
