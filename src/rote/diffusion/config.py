"""Configuration of a model, its training and its sampling. No torch in here.

Field names are the field's symbols; every duration is counted in images seen.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from rote.core.config import StrictModel

Positive = Annotated[int, Field(ge=1)]
NonNegative = Annotated[float, Field(ge=0)]
NOISE = {"p_mean": -1.2, "p_std": 1.2}
"""Of EDM's training (Karras et al. 2022)."""


class ModelConfig(StrictModel):
    """A network and its preconditioning.

    ``architecture="unet"`` with the defaults is DDPM++ as in Karras et al. (2022); with
    ``time_embedding="fourier"``, ``encoder="residual"`` and ``resampling_filter=(1, 3, 3, 1)`` it is
    NCSN++. ``"transformer"`` is a small diffusion transformer: ``blocks`` blocks of ``width`` units on
    patches. ``"mlp"`` is a residual perceptron for vectors: ``width`` units, ``blocks`` blocks.
    ``"unet1d"`` is the U-Net for series, with convolutions along their times; ``"unet3d"`` that for
    volumes, on blocks of ``patch`` voxels each way.
    """

    architecture: Literal["unet", "transformer", "mlp", "unet1d", "unet3d"] = "unet"
    """"unet" or "transformer" for images, "mlp" for vectors, "unet1d" for series, "unet3d" for
    volumes."""
    width: Positive = 128
    """Base channels of the U-Net, or hidden units of the transformer or the MLP."""
    channel_mult: tuple[Positive, ...] = (2, 2, 2)
    """Channels per resolution, as multiples of ``width``; one halving between two entries."""
    blocks: Positive = 2
    """Residual blocks per resolution (U-Net), or in all (transformer, MLP)."""
    patch: Positive = 2
    """Pixels each way of a token (transformer), or voxels each way that are one place of unet3d."""
    heads: Positive = 4
    """Attention heads; must divide ``width`` (transformer only)."""
    attention_resolutions: tuple[Positive, ...] = (16,)
    """Heights in pixels (series: times; volumes: depths in blocks) at which blocks attend over all."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of features dropped within each block while training."""
    time_embedding: Literal["positional", "fourier"] = "positional"
    """How the noise level enters: sinusoids, or random Fourier features."""
    encoder: Literal["standard", "residual"] = "standard"
    """"residual" adds the input, convolved and halved, at every resolution, and doubles the channels of
    the noise (NCSN++)."""
    resampling_filter: tuple[Positive, ...] = (1, 1)
    """Taps of the separable low-pass filter for halving and doubling."""
    skips: tuple[Positive, ...] | None = None
    """Skip connections kept, numbered from 1 at the input; None keeps all. A skip that is not kept
    feeds zeros, so the decoder keeps its width."""
    preconditioning: Literal["vp", "ve", "edm"] = "edm"
    """VP, VE or EDM: coefficients, training noise and loss weight."""
    sigma_data: Annotated[float, Field(gt=0)] = 0.5
    """Assumed standard deviation of the data (EDM only). A network that does not carry the noise of its
    input leaves this much of it in samples: take less where ``width`` is not well above the values of a
    ``patch``."""
    p_mean: float = NOISE["p_mean"]
    """Mean of ln sigma in training (EDM only). Items of more values want more noise."""
    p_std: Annotated[float, Field(gt=0)] = NOISE["p_std"]
    """Standard deviation of ln sigma in training (EDM only)."""

    @model_validator(mode="before")
    @classmethod
    def _without_version(cls, value: Any) -> Any:
        """Take what `to_json` wrote; whose version it was is for who reads weights."""
        if isinstance(value, dict) and "network_version" in value:
            return {key: given for key, given in value.items() if key != "network_version"}
        return value

    @model_validator(mode="after")
    def _check(self) -> ModelConfig:
        if self.architecture in ("unet", "unet1d", "unet3d"):
            if self.width % 4:
                raise ValueError(f"width must be a multiple of 4 for a U-Net, not {self.width}")
            total = self.skip_count
            wrong = [skip for skip in self.skips or () if skip > total]
            if wrong:
                raise ValueError(
                    f"skips lists {wrong[0]}, but this network has skips 1 to {total}; take these alone, "
                    "or more model.blocks or a longer model.channel_mult"
                )
        if self.architecture == "transformer":
            if self.width % (4 * self.heads):
                raise ValueError(
                    f"width must be a multiple of 4 * heads = {4 * self.heads} for a transformer, "
                    f"not {self.width}"
                )
            if self.skips is not None or self.encoder != "standard":
                raise ValueError("skips and encoder are for the U-Net; a transformer has neither")
        if len(self.resampling_filter) % 2:
            raise ValueError("resampling_filter needs an even number of taps, such as 1,1")
        return self

    @property
    def network_version(self) -> int:
        """Which network these fields name; 2 where it is another than the one they named first."""
        return 2 if self.encoder == "residual" or self.time_embedding == "fourier" else 1

    def to_json(self) -> dict[str, Any]:
        """Return plain types, and the version of the network where it is not the first.

        Without the noise of the paper, which older files do not name.
        """
        version = {"network_version": self.network_version} if self.network_version > 1 else {}
        papers = {name for name in NOISE if getattr(self, name) == NOISE[name]}
        return self.model_dump(mode="json", exclude=papers) | version

    @property
    def skip_count(self) -> int:
        """Number of skip connections of the U-Net."""
        return len(self.channel_mult) * (self.blocks + 1)


class TrainConfig(StrictModel):
    """One training, from the first image to the last snapshot."""

    batch: Positive = 512
    """Images of one optimizer step."""
    micro_batch: Positive | None = None
    """Images per forward pass; None takes the whole batch. Gradients accumulate to the batch."""
    images: Positive | None = None
    """Duration in images seen; give this or ``epochs``."""
    epochs: Annotated[float, Field(gt=0)] | None = None
    """Duration in passes over the training set; give this or ``images``."""
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    """Adam couples weight decay to the gradient (L2); AdamW decouples it; SGD has momentum 0.9."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    """After the warm-up, constant."""
    weight_decay: NonNegative = 0.0
    """Strength of the decay; see the optimizer."""
    warmup_images: NonNegative = 0.0
    """Linear warm-up, in images seen."""
    warmup_epochs: NonNegative = 0.0
    """Linear warm-up, in passes over the training set; adds to ``warmup_images``."""
    ema_halflife_images: NonNegative = 500_000.0
    """Half-life of the exponential moving average of the weights; 0 switches it off."""
    ema_rampup: NonNegative | None = 0.05
    """The half-life is at most this share of the images seen so far; None: no ramp-up."""
    ema_rampup_reference: Positive | None = None
    """Rescales the ramp-up by reference / (training-set size), as the paper did with 50,000."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16 runs the network under autocast; weights and optimizer stay float32."""
    compile: bool = False
    """Compile the loss with torch.compile: worth it for long runs only."""
    order: Literal["fixed", "shuffled"] = "shuffled"
    """"fixed": one permutation, cycled for ever (the paper); "shuffled": a new one every epoch."""
    labels: Literal["none", "true", "random", "unique"] = "none"
    """What the model is conditioned on."""
    random_classes: Positive | None = None
    """Number of classes of random labels; None takes the data's own number."""
    label_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of images trained on without their label, so that sampling may be guided."""
    mirror: bool = False
    """Show every image mirrored half of the time. Copies are then matched in both directions."""
    snapshot_images: Positive = 2_500_000
    """Images seen between two snapshots."""
    log_images: Positive = 50_000
    """Images seen between two lines of metrics.jsonl."""

    @model_validator(mode="after")
    def _check(self) -> TrainConfig:
        if (self.images is None) == (self.epochs is None):
            raise ValueError("give exactly one of images and epochs")
        if self.label_dropout and self.labels == "none":
            raise ValueError("label_dropout needs labels; set labels to true, random or unique")
        if self.micro_batch is not None and self.batch % self.micro_batch:
            raise ValueError(f"micro_batch {self.micro_batch} must divide batch {self.batch}")
        return self

    def total_images(self, size: int) -> int:
        """Images seen by the end of training on ``size`` items, a multiple of ``batch``."""
        wanted = self.images if self.images is not None else (self.epochs or 0) * size
        return math.ceil(wanted / self.batch) * self.batch

    def snapshots(self, size: int) -> list[int]:
        """Images seen at each snapshot; the last one is the end."""
        total = self.total_images(size)
        every = max(1, round(self.snapshot_images / self.batch)) * self.batch
        return [*range(every, total, every), total]


class SampleConfig(StrictModel):
    """The sampler of Karras et al. (2022), algorithms 1 and 2."""

    solver: Literal["heun", "euler"] = "heun"
    """Second-order Heun, or first-order Euler."""
    steps: Positive = 18
    """Noise levels; Heun evaluates the network 2 * steps - 1 times."""
    rho: Annotated[float, Field(gt=0)] = 7.0
    """Exponent of the schedule: larger spends more steps at low noise."""
    sigma_min: Annotated[float, Field(gt=0)] = 0.002
    """Lowest noise level; not below what the model knows."""
    sigma_max: Annotated[float, Field(gt=0)] = 80.0
    """Highest noise level; not above what the model knows."""
    guidance: NonNegative = 1.0
    """Strength of classifier-free guidance: 1 follows the label as it is, more follows it more. Needs a
    model trained with label_dropout, and costs two evaluations in place of one."""
    churn: NonNegative = 0.0
    """S_churn: noise added back at every step; 0 is deterministic."""
    churn_min: NonNegative = 0.0
    """Noise levels below this get no churn."""
    churn_max: NonNegative | None = None
    """Noise levels above this get no churn; None: no limit."""
    churn_noise: NonNegative = 1.0
    """S_noise: factor on the noise added back."""
    tile: Positive = 128
    """Images the network sees at once. Part of the configuration: the last bits of a network's output
    depend on its batch, so tiles are always full and image 17 is the same whatever is asked beside it."""

    @model_validator(mode="after")
    def _check(self) -> SampleConfig:
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"sigma_min {self.sigma_min} must be below sigma_max {self.sigma_max}")
        return self
