"""One root seed; every use of randomness takes a child of it by purpose.

``child_seed(root, purpose, *keys)`` is SHA-256 of the root, the purpose and the keys, cut to 63
bits. Children of different purposes or keys are independent for all practical ends, adding a new
purpose never changes an old stream, and a resumed run needs no stored generator state: the noise of
training step 812 is a function of (root, "noise", 812).

Nothing in rote touches the global random state of Python, numpy or torch.
"""

from __future__ import annotations

import hashlib
from typing import Literal, get_args

Purpose = Literal[
    "subset",
    "init",
    "order",
    "noise",
    "dropout",
    "sample",
    "select",
    "labels",
    "label-dropout",
    "mirror",
    "churn",
    "control",
    "search",
    "study",
    "bootstrap",
    "set-aside",
    "degrade",
    "within",
    "price",
    "gap",
    "probe",
    "spacing",
    "captions",
]

_PURPOSES = frozenset(get_args(Purpose))


def child_seed(root: int, purpose: Purpose, *keys: int) -> int:
    """Derive the seed of one purpose from the root seed.

    Parameters
    ----------
    root
        The root seed, any integer.
    purpose
        What the randomness is for.
    keys
        Further integers that name the use, such as a step or an image number.

    Returns
    -------
    int
        A seed in [0, 2**63).

    >>> child_seed(0, "noise", 1) == child_seed(0, "noise", 1)
    True
    >>> child_seed(0, "noise", 1) == child_seed(0, "noise", 2)
    False
    """
    assert purpose in _PURPOSES, purpose
    text = ":".join(["rote", str(root), purpose, *map(str, keys)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
