"""One look of the monitor: three classes with their intervals, and the test's two numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rote.memorization.notice import Notice
from rote.neighbors.search import nearest_neighbors
from rote.stats.rates import Rate


@dataclass(frozen=True)
class Check:
    """One look at one set of weights.

    Attributes
    ----------
    images_seen
        Training images seen when it was made.
    weights
        Name of the sampler, such as "raw" or "ema"; "model" where there is only one.
    look
        Number of the look, from 1.
    memorized, collapsed, novel
        The shares of the three classes; their counts add up to the images drawn.
    p_value, alpha
        Of the test that more is memorized than by the control, and what this look may spend.
    notices
        What makes these shares doubtful: a silent difference hides copies, as in an audit.
    """

    images_seen: int
    weights: str
    look: int
    memorized: Rate
    collapsed: Rate
    novel: Rate
    p_value: float
    alpha: float
    notices: tuple[Notice, ...] = ()

    @property
    def above_control(self) -> bool:
        """Whether the test of this look says that memorization has begun."""
        return self.p_value <= self.alpha

    def to_json(self) -> dict[str, Any]:
        """Return plain types: a line of the monitor's file."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> Check:
        """Read back what `to_json` wrote."""
        rates = {key: Rate(**data[key]) for key in ("memorized", "collapsed", "novel")}
        notices = tuple(Notice(**notice) for notice in data.get("notices", ()))
        return Check(**{**data, **rates, "notices": notices})

    def __str__(self) -> str:
        return (
            f"{self.images_seen:,} images seen, {self.weights}: memorized {self.memorized}, "
            f"collapsed {self.collapsed.value:.3g}, novel {self.novel.value:.3g}"
            + "".join(f"; doubtful: {notice.text}" for notice in self.notices)
        )


def near_another(
    items: npt.NDArray[Any], *, rms: float, device: str = "cpu"
) -> npt.NDArray[np.bool_]:
    """Return which items have a duplicate among the others, exact or near.

    The same items as `rote.memorization.duplicates.near_duplicates(...).repeated` says, by a search whose
    size does not grow when a model emits one image only.

    Parameters
    ----------
    items
        uint8 (N, H, W, C).
    rms
        The radius: root-mean-square difference per value, in 8-bit levels.
    device
        "cpu" or "cuda".

    >>> items = np.array([[0, 0], [0, 4], [90, 0], [200, 200]], np.uint8).reshape(4, 1, 2, 1)
    >>> near_another(items, rms=3).tolist()
    [True, True, False, False]
    """
    if len(items) < 2:
        return np.zeros(len(items), bool)
    found = nearest_neighbors(items, items, k=2, device=device)
    # An item is among its own two nearest unless two others equal it, which are then as near.
    itself = found.indices[:, 0] == np.arange(len(items))
    other_sq = np.where(itself, found.sq_distances[:, 1], found.sq_distances[:, 0])
    return other_sq <= rms * rms * int(np.prod(items.shape[1:]))


@contextlib.contextmanager
def random_state_kept() -> Iterator[None]:
    """Put torch's random states back after the block: the CPU's and the current GPU's."""
    cuda: Any = torch.cuda  # is_initialized has no types
    devices = [cuda.current_device()] if cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        yield
