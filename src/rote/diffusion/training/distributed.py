"""Several processes that train one model, as `accelerate launch` and `torchrun` start them.

Every process holds the whole model and all of the data, draws the whole batch's items, noise levels and
noise, and takes its own rows of them. Gradients are added up, so each process makes the same update. What
one device would have trained differs by the order of that sum alone.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from rote.core.errors import ConfigError, RunError

TIMEOUT = timedelta(days=1)
"""A process that ends takes the others with it through the launcher; waiting for a save is no fault."""


@dataclass(frozen=True)
class Ranks:
    """The processes that train one model together, as one of them sees them."""

    rank: int = 0
    count: int = 1

    @property
    def main(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def rows(self, batch: int) -> range:
        """Return the positions within a batch that this process takes.

        Raises
        ------
        ConfigError
            If the batch cannot be shared equally.

        >>> Ranks(rank=1, count=2).rows(6)
        range(3, 6)
        """
        if batch % self.count:
            raise ConfigError(
                f"train.batch {batch} cannot be shared equally by {self.count} processes; make it a "
                f"multiple of {self.count}"
            )
        share = batch // self.count
        return range(self.rank * share, (self.rank + 1) * share)

    def add_up(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over all processes."""
        if self.count > 1:
            with _one_line():
                distributed.all_reduce(tensor)

    def any(self, flag: bool) -> bool:  # noqa: FBT001 - it reads like the built-in function
        """Say whether the flag is true in any process; all of them wait for that."""
        if self.count == 1:
            return flag
        # On the CPU, through gloo: a GPU's queue need not run empty for it.
        agreed = torch.tensor([float(flag)])
        self.add_up(agreed)
        return bool(agreed)

    def wait(self) -> None:
        """Wait for all processes."""
        self.any(flag=False)


ALONE = Ranks()


@contextlib.contextmanager
def launched(device: str) -> Iterator[Ranks]:
    """Join the processes that a launcher has started, or be alone where none has.

    Parameters
    ----------
    device
        "cpu" or "cuda"; each process takes the GPU of its local rank.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield ALONE
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    # The first step of an optimizer imports it, and its functions keep the group of that moment as their
    # default. So before the group is made: else its threads outlive it to the end of the process, where
    # one that takes Python's lock aborts it.
    importlib.import_module("torch.distributed.nn.functional")
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo", timeout=TIMEOUT
    )
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        first = (str(error).splitlines() or [""])[0].split("] ", 1)[-1].split(". ")[0]
        raise RunError(
            f"another process of this training has ended ({first}); what was saved is kept: run the same "
            "command again"
        ) from None
