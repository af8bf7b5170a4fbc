"""Child seeds: pinned values, distinct streams, and no global random state touched anywhere."""

from typing import get_args

import pytest

from rote.core.seeds import Purpose, child_seed


def test_values_never_change_between_versions():
    # First 8 bytes of SHA-256 of "rote:0:noise:1" and so on, shifted right by one bit.
    assert child_seed(0, "noise", 1) == 8278450552580736448
    assert child_seed(0, "init") == 28237324974092314
    assert child_seed(-3, "subset", 7, 8) == 5641051493352242282


def test_purposes_keys_and_roots_are_distinct():
    purposes = get_args(Purpose)
    seeds = [child_seed(r, p, *k) for r in (0, 1, 11) for p in purposes for k in ((), (1,), (1, 1))]
    seeds += [child_seed(1, "noise", 11), child_seed(1, "noise", 11, 1)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_an_unknown_purpose_is_our_own_mistake():
    with pytest.raises(AssertionError, match="nois"):
        child_seed(0, "nois")
