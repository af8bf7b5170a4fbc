"""One step of the training: which items it sees, what is drawn for them, the gradient and the update.

All randomness of step k is a function of (seed, purpose, k). A batch may be split, into micro-batches and
over processes: whatever is drawn belongs to the whole batch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rote.core.errors import RunError
from rote.core.memory import is_out_of_memory
from rote.core.seeds import Purpose, child_seed
from rote.data.convert import to_model
from rote.data.dataset import Dataset
from rote.diffusion.conditioning import Conditioning, dropped
from rote.diffusion.config import TrainConfig
from rote.diffusion.networks.layers import Dropout
from rote.diffusion.preconditioning import denoising_loss
from rote.diffusion.training.distributed import ALONE, Ranks
from rote.diffusion.training.ema import ema_decay
from rote.diffusion.training.state import TrainState

GRADIENT_LIMIT = 1e5


class Order:
    """Which items a step sees: one permutation of the data, cycled, or a new one for every epoch."""

    def __init__(self, size: int, *, seed: int, fixed: bool) -> None:
        self._size, self._seed, self._fixed = size, seed, fixed
        self._permuted: tuple[int, npt.NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def batch(self, start: int, count: int) -> Tensor:
        """Return the items that are number ``start`` to ``start + count`` to be seen, int64."""
        parts = []
        while count > 0:
            epoch, offset = divmod(start, self._size)
            part = self._permutation(epoch)[offset : offset + count]
            parts.append(part)
            start, count = start + len(part), count - len(part)
        return torch.from_numpy(np.concatenate(parts))

    def _permutation(self, epoch: int) -> npt.NDArray[np.int64]:
        number = 0 if self._fixed else epoch
        if self._permuted[0] != number:
            rng = np.random.default_rng(child_seed(self._seed, "order", number))
            self._permuted = (number, rng.permutation(self._size))
        return self._permuted[1]


class Step:
    """One optimizer step: gradient over the rows of the batch (in micro-batches), update, average."""

    def __init__(
        self,
        dataset: Dataset,
        config: TrainConfig,
        conditions: Conditioning,
        state: TrainState,
        *,
        seed: int,
        device: torch.device,
        rows: range | None = None,
        ranks: Ranks = ALONE,
        on_note: Callable[[str], None] = lambda note: None,
    ) -> None:
        self._rows = range(config.batch) if rows is None else rows
        self._micro = min(config.micro_batch or config.batch, len(self._rows))
        self._ranks, self._on_note = ranks, on_note
        self._config, self._state, self._seed, self._device = config, state, seed, device
        self._size = len(dataset)
        self._items = dataset.tensor(device)
        self._labels = None if conditions.labels is None else conditions.labels.to(device)
        self._order = Order(self._size, seed=seed, fixed=config.order == "fixed")
        self._generator = torch.Generator(device)
        self._warmup = config.warmup_images + config.warmup_epochs * self._size
        self._loss = torch.compile(denoising_loss) if config.compile else denoising_loss
        modules = state.denoiser.modules()
        self._dropouts = [m for m in modules if isinstance(m, Dropout) and m.rate]

    def __call__(self) -> None:
        """Advance the state by one batch."""
        config, state = self._config, self._state
        while (loss := self._gradient()) is None:
            self._take_less()
        self._ranks.add_up(state.flat.gradient)
        self._ranks.add_up(loss)
        torch.nan_to_num_(state.flat.gradient, 0.0, GRADIENT_LIMIT, -GRADIENT_LIMIT)
        state.images_seen += config.batch
        if self._warmup:
            rate = config.learning_rate * min(1.0, state.images_seen / self._warmup)
            for group in state.optimizer.param_groups:
                group["lr"] = rate
        state.optimizer.step()
        decay = ema_decay(config, images_seen=state.images_seen, size=self._size)
        state.ema.update(decay)
        state.add_loss(loss)

    def _gradient(self) -> Tensor | None:
        """Set the gradient of this process's rows; return their share of the mean loss.

        None if there was not enough memory: nothing but the gradient has changed then.
        """
        try:
            self._state.flat.gradient.zero_()
            loss = torch.zeros((), device=self._device)
            items, sigma, noise = self._draw(self._state.images_seen)
            for start in range(self._rows.start, self._rows.stop, self._micro):
                rows = range(start, min(start + self._micro, self._rows.stop))
                part = slice(rows.start, rows.stop)
                loss += self._accumulate(items[part], sigma[part], noise[part], rows)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None
        return loss

    def _take_less(self) -> None:
        """Halve the micro-batch; what the failed one held is free by now."""
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        if self._micro == 1:
            raise RunError(
                "out of memory with a single image per forward pass; free some, take a smaller model "
                "or lower resolution, or another `device`"
            )
        before, self._micro = self._micro, -(-self._micro // 2)
        self._on_note(
            f"out of memory with {before} images per forward pass; goes on with {self._micro} (the same "
            "result, but for the order of sums)"
        )

    def _draw(self, seen: int) -> tuple[Tensor, Tensor, Tensor]:
        """Draw a batch's items, noise levels and noise: the same however it is split."""
        count = self._config.batch
        items = self._order.batch(seen, count).to(self._device)
        self._generator.manual_seed(child_seed(self._seed, "noise", seen))
        sigma = self._state.denoiser.precondition.draw_sigma(count, self._generator)
        shape = (count, *self._items.shape[1:])
        noise = torch.randn(shape, generator=self._generator, device=self._device)
        return items, sigma, noise

    def _accumulate(self, items: Tensor, sigma: Tensor, noise: Tensor, rows: range) -> Tensor:
        """Add the gradient of some rows of the batch; return their share of the mean loss."""
        config, denoiser = self._config, self._state.denoiser
        clean = to_model(self._items[items])
        labels = None if self._labels is None else self._labels[items]
        if config.mirror:
            turned = self._coins("mirror", rows, 0.5)
            lift = (-1, *[1] * (clean.ndim - 1))
            clean = torch.where(turned.view(lift), clean.flip(-1), clean)
        if labels is not None and config.label_dropout:
            labels = dropped(labels, self._coins("label-dropout", rows, config.label_dropout))
        with self._dropout(rows), self._autocast():
            losses = self._loss(denoiser, clean, sigma, noise, labels)
        # Sum over the elements and mean over the images, as in the papers: Adam does not care, but
        # coupled weight decay is relative to this scale.
        (losses.sum() / config.batch).backward()
        return losses.detach().mean() * (len(items) / config.batch)

    def _coins(self, purpose: Purpose, rows: range, share: float) -> Tensor:
        """Toss a coin for each image of the batch; return those of some rows, bool (len(rows),)."""
        rng = np.random.default_rng(child_seed(self._seed, purpose, self._state.images_seen))
        tossed = rng.random(self._config.batch)[rows.start : rows.stop] < share
        return torch.from_numpy(tossed).to(self._device)

    def _autocast(self) -> torch.autocast:
        enabled = self._config.precision == "bf16"
        return torch.autocast(self._device.type, torch.bfloat16, enabled=enabled)

    @contextlib.contextmanager
    def _dropout(self, rows: range) -> Iterator[None]:
        """Seed the global generator that torch's dropout draws from, and put it back."""
        if not self._dropouts:
            yield
            return
        if len(rows) < self._config.batch:
            shown = torch.arange(rows.start, rows.stop, device=self._device)
            for module in self._dropouts:
                module.rows, module.batch = shown, self._config.batch
        on_gpu = self._device.type == "cuda"
        with torch.random.fork_rng(devices=[self._device] if on_gpu else []):
            seed = child_seed(self._seed, "dropout", self._state.images_seen)
            if on_gpu:
                with torch.cuda.device(self._device):
                    torch.cuda.manual_seed(seed)
            else:
                torch.default_generator.manual_seed(seed)
            yield
