"""An audit whose sides are all mapped from files says what the same audit of arrays says."""

import json

import numpy as np
import pytest
from audits import ratio_audit as audit

from rote.core.mapped_pages import is_mapped
from rote.data.account import Account
from rote.data.files import mapped, npz
from rote.data.load import load_images
from rote.memorization import evaluator as ruler
from rote.memorization import matching
from rote.neighbors import search as neighbors


def test_a_mapped_audit_equals_one_in_memory(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    training = rng.integers(0, 256, (400, 8, 8, 3), dtype=np.uint8)
    training[7] = training[3]
    copies = np.clip(training[:60] + rng.normal(0, 3, (60, 8, 8, 3)), 0, 255).astype(np.uint8)
    sides = {
        "generated": np.concatenate([copies, copies[:9], rng.permutation(training[50:90])]),
        "training": training,
        "holdout": rng.integers(0, 256, (250, 8, 8, 3), dtype=np.uint8),
    }

    def found(form):
        loaded = [form(name, array) for name, array in sides.items()]
        value = audit(
            loaded[0],
            loaded[1],
            holdout=loaded[2],
            duplicate_rms=10.0,
            positive_control=5,
            training_sample=50,
        )
        folder = tmp_path / form.__name__
        value.save(folder)
        content = {path.name: path.read_bytes() for path in folder.glob("[!.]*")}
        told = json.loads(content["audit.json"])
        told.pop("provenance", None)  # the time, among others
        content["audit.json"] = json.dumps(told)
        return content

    def in_memory(name, array):
        from dataclasses import replace

        # What became of the arrays of a file is told of files alone.
        account = Account(1, 1, unit="arrays")
        return replace(load_images(array), source=str(tmp_path / f"{name}.npy"), account=account)

    def from_files(name, array):
        np.save(tmp_path / f"{name}.npy", array)
        loaded = load_images(tmp_path / f"{name}.npy")
        assert is_mapped(loaded.items)
        return loaded

    # Everything that is done for large sides, for small ones.
    monkeypatch.setattr(npz, "MAPPED_FROM", 1)
    monkeypatch.setattr(mapped, "BLOCK_BYTES", 9000)
    monkeypatch.setattr(neighbors, "PAIRS_INDEX_FROM", 0)
    monkeypatch.setattr(matching, "INDEX_FROM", 0)
    monkeypatch.setattr(ruler, "QUERY_ROWS", 32)
    expected = found(in_memory)
    assert found(from_files) == expected
    assert len(expected) == 6


@pytest.mark.parametrize("layout", ["equal", "chain"])
def test_a_collapsed_side_is_one_group(layout):
    # One image, emitted again and again: 12 million pairs of the first kind.
    count = 5000
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 4, (count, 8, 8, 1))
    drift = np.arange(count)[:, None, None, None] // 40 if layout == "chain" else 0
    items = load_images((60 + noise + drift).astype(np.uint8))
    training = load_images(rng.integers(0, 256, (50, 8, 8, 1), dtype=np.uint8))
    found = audit(items, training, duplicate_rms=10.0)
    assert found.collapse.to_json()["groups"] == 1
    assert found.collapse.sizes.tolist() == [count]
