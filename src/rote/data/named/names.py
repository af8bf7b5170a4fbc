"""The names of data sets, told without importing what loads them."""

from __future__ import annotations

EMBEDDED = {
    "digits": "1,797 8x8 grey handwritten digits in 10 classes (embedded)",
    "wine": "178 wines with 13 measurements in 3 classes, vectors (embedded)",
    "breast_cancer": "569 tumors with 30 measurements in 2 classes, vectors (embedded)",
    "iris": "150 flowers with 4 measurements in 3 classes, vectors (embedded)",
}
CIFAR10 = {
    "cifar10": "50,000 32x32 RGB photos in 10 classes, for training (170 MB, downloaded once)",
    "cifar10-test": "10,000 32x32 RGB photos in 10 classes, held out (same download)",
}


def named_sources() -> dict[str, str]:
    """Return the named sources with a one-line description of each.

    >>> sorted(named_sources())
    ['breast_cancer', 'cifar10', 'cifar10-test', 'digits', 'iris', 'wine']
    """
    return {**EMBEDDED, **CIFAR10}
