"""A callback of Lightning that watches a training for memorization, and ends it if that is wanted."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from rote.integrations.missing import missing
from rote.integrations.watch import ModelSampler, check_model, measured, told_to_all
from rote.memorization.monitor.monitor import MemorizationMonitor

if TYPE_CHECKING:
    from pytorch_lightning import Callback, LightningModule, Trainer
    from pytorch_lightning.utilities.data import extract_batch_size
else:
    # Lightning is there under two names; the one that is in use already is meant.
    try:
        if "lightning" in sys.modules or "pytorch_lightning" not in sys.modules:
            from lightning.pytorch import Callback
            from lightning.pytorch.utilities.data import extract_batch_size
        else:
            raise ImportError("the other name")
    except ImportError:
        try:
            from pytorch_lightning import Callback
            from pytorch_lightning.utilities.data import extract_batch_size
        except ImportError as error:
            raise missing("Lightning", "lightning") from error


class MemorizationCallback(Callback):
    """Feeds a `rote.MemorizationMonitor` with the images that training has seen, and logs its checks.

    Logged are ``memorization``, ``memorization_low`` and ``memorization_high`` (the rate and its
    interval), ``memorization_collapsed`` and ``memorization_novel``. Where the monitor says
    `should_stop`, ``trainer.should_stop`` becomes true. Only the first process samples; the others wait
    for its word.

    Parameters
    ----------
    monitor
        The monitor, with the training images, how often it checks, and when training should stop.
    sampler
        ``f(module, num, seed)`` that returns ``num`` images of the module's model; it is called in
        evaluation mode without gradients.
    batch_size
        Images of one batch of one process; None: what Lightning finds in the batch.

    Attributes
    ----------
    images_seen
        Training images so far, of all processes; kept in checkpoints.
    """

    def __init__(
        self,
        monitor: MemorizationMonitor,
        sampler: ModelSampler,
        *,
        batch_size: int | None = None,
    ) -> None:
        self.monitor = monitor
        self._sampler, self._batch_size = sampler, batch_size
        self.images_seen = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count a batch; check, log and perhaps ask for the end where a check is due."""
        before = self.images_seen
        size = self._batch_size or extract_batch_size(batch)
        self.images_seen += size * trainer.world_size
        every = self.monitor.every_images
        if before // every == self.images_seen // every:
            return
        if trainer.is_global_zero:
            checks = check_model(self.monitor, self.images_seen, pl_module, self._sampler)
            pl_module.log_dict(measured(checks), rank_zero_only=True, batch_size=size)
        if told_to_all(stop=self.monitor.should_stop):
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"images_seen": self.images_seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Carry on."""
        self.images_seen = state_dict["images_seen"]
