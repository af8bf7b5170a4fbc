"""What a training step changes, and its way to disk and back."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from rote.core.errors import RunError
from rote.diffusion.checkpoint import read_header, read_tensors, write_tensors
from rote.diffusion.config import TrainConfig
from rote.diffusion.preconditioning import Denoiser
from rote.diffusion.training.ema import Ema
from rote.diffusion.training.flat_parameters import FlatParameters


def build_optimizer(values: Tensor, config: TrainConfig) -> torch.optim.Optimizer:
    """Return the optimizer of a flat tensor of weights that ``config.optimizer`` names."""
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "sgd":
        return torch.optim.SGD([values], lr=rate, momentum=0.9, weight_decay=decay, fused=True)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
    return kind([values], lr=rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=decay, fused=True)


class TrainState:
    """Everything that a step changes, and its way to disk and back."""

    def __init__(self, denoiser: Denoiser, config: TrainConfig, device: torch.device) -> None:
        self.denoiser = denoiser.train().to(device)
        self.flat = FlatParameters(denoiser)
        self.optimizer = build_optimizer(self.flat.values, config)
        self.ema = Ema(denoiser, self.flat)
        self.images_seen = 0
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self.loss_steps = 0

    def add_loss(self, loss: Tensor) -> None:
        """Count a step's mean loss; stays on the device, so nothing waits for it."""
        self.loss_sum += loss
        self.loss_steps += 1

    def mean_loss(self) -> float:
        """Return the mean loss since the last call; errors as `check_finite`."""
        self.check_finite()
        mean = float(self.loss_sum) / self.loss_steps
        self.loss_sum.zero_()
        self.loss_steps = 0
        return mean

    def check_finite(self) -> None:
        """Refuse to go on with losses or weights that are no numbers any more.

        Raises
        ------
        RunError
            If the training diverged.
        """
        if bool(self.loss_sum.isfinite()) and bool(self.flat.values.isfinite().all()):
            return
        raise RunError(
            f"the training diverged before {self.images_seen:,} images: loss "
            f"{float(self.loss_sum) / max(1, self.loss_steps):g}, and weights that may be NaN; give a "
            "lower train.learning_rate, or a longer train.warmup_images"
        )

    def save(self, path: Path) -> None:
        """Write the state atomically; errors as `check_finite`."""
        self.check_finite()
        tensors = {f"raw.{key}": value for key, value in self.denoiser.state_dict().items()}
        tensors |= {f"ema.{key}": value for key, value in self.ema.tensors.items()}
        slots = self.optimizer.state_dict()["state"].get(0, {})  # empty before the first step
        tensors |= {f"optimizer.{slot}": value for slot, value in slots.items()}
        # JSON keeps every bit of a float: repr round-trips.
        header = {
            "images_seen": self.images_seen,
            "loss_sum": float(self.loss_sum),
            "loss_steps": self.loss_steps,
        }
        write_tensors(path, tensors, header)

    def load(self, path: Path) -> None:
        """Read the state back."""
        header, tensors = read_header(path), read_tensors(path)
        raw = {k.removeprefix("raw."): v for k, v in tensors.items() if k.startswith("raw.")}
        self.denoiser.load_state_dict(raw)
        for key, value in self.ema.tensors.items():
            value.copy_(tensors[f"ema.{key}"])
        prefix = "optimizer."
        slots = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        if slots:
            self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": {0: slots}})
        self.images_seen = header["images_seen"]
        self.loss_sum.fill_(header["loss_sum"])
        self.loss_steps = header["loss_steps"]
