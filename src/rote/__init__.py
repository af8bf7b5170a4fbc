"""rote measures what generative image models learn by rote.

    >>> import rote
    >>> digits = rote.load_images("digits")
    >>> found = rote.audit(digits.take(range(3)), digits)
    >>> found.rate.value
    1.0

Names load when they are first used, so that ``import rote`` costs nothing; `__init__.pyi` lists them.
"""

import os
import sys
import warnings
from typing import Any

import lazy_loader

_attribute, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from rote.core.installation import VERSION

        return VERSION
    if name == "ImageDataset":  # goes in 0.3
        warnings.warn("rote.ImageDataset is now rote.Dataset", DeprecationWarning, stacklevel=2)
        name = "Dataset"
    from rote.core.installation import mixed_files

    if not name.startswith("_") and (mixed := mixed_files()):
        raise ImportError(mixed)
    return _attribute(name)


def _compute_alone() -> None:
    """Let a fork of this process compute with one thread, as torch's own loaders do.

    The threads of OpenMP are not there after a fork, and whatever waits for them waits for ever.
    """
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_compute_alone)
