"""Digests of items, kept for arrays that cannot change alone."""

import hashlib

import numpy as np

from rote.data import known as module
from rote.data.item_digests import item_digests


def test_digests_are_those_of_the_bytes_and_forgotten_with_their_array():
    items = np.random.default_rng(0).integers(0, 256, (5, 2**16), dtype=np.uint8)
    wanted = [hashlib.sha256(item.tobytes()).hexdigest() for item in items]
    assert [bytes(one).hex() for one in item_digests(items)] == wanted
    items[0] += 1  # what may change is not kept
    assert bytes(item_digests(items)[0]).hex() != wanted[0]
    fixed = items[1:].copy()
    fixed.flags.writeable = False
    first, key = item_digests(fixed), id(fixed)
    assert item_digests(fixed) is first
    del fixed
    assert key not in module._known
