"""The script of all charts, which a page trusts as its own."""

import hashlib

import pytest

from rote.report.charts.chart import BUNDLES, javascript


@pytest.mark.slow  # bundling takes seconds
def test_the_script_has_the_hash_that_is_pinned_whatever_lies_in_the_cache(tmp_path, monkeypatch):
    (name,) = BUNDLES
    (tmp_path / name).write_text("alert(1)")
    monkeypatch.setenv("ROTE_CACHE", str(tmp_path))
    script = javascript.__wrapped__()
    assert hashlib.sha256(script.encode()).hexdigest() == BUNDLES[name]
    assert (tmp_path / name).read_text(encoding="utf-8") == script
