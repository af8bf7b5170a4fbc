"""Preconditioning, noise distribution and loss weight of VP, VE and EDM (Karras et al. 2022, table 1).

D(x, sigma) = c_skip(sigma) x + c_out(sigma) F(c_in(sigma) x, c_noise(sigma))          (eq. 7)
loss        = E_sigma,y,n [ weight(sigma) |D(y + n, sigma) - y|^2 ],  n ~ N(0, sigma^2)  (eq. 2)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from rote.core.errors import ConfigError
from rote.data.dataset import Kind, kind_of_shape
from rote.diffusion.config import ModelConfig
from rote.diffusion.networks.mlp import Mlp
from rote.diffusion.networks.transformer import Transformer
from rote.diffusion.networks.unet import UNet

ARCHITECTURES: dict[Kind, dict[str, type[UNet] | type[Transformer] | type[Mlp]]] = {
    "image": {"unet": UNet, "transformer": Transformer},
    "series": {"unet1d": UNet},
    "volume": {"unet3d": UNet},
    "vector": {"mlp": Mlp},
}


class Preconditioning(Protocol):
    """What turns a raw network into a denoiser, and how it is trained."""

    @property
    def sigma_min(self) -> float:
        """Smallest noise level it covers."""

    @property
    def sigma_max(self) -> float:
        """Largest noise level it covers."""

    def coefficients(self, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return c_skip, c_out, c_in, c_noise, each (B,), for sigma (B,)."""

    def draw_sigma(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw training noise levels, float32 (count,), on the generator's device."""

    def weight(self, sigma: Tensor) -> Tensor:
        """Return the loss weight (B,) of sigma (B,)."""


@dataclass(frozen=True)
class VP:
    """Variance preserving (Song et al. 2021): sigma(t) = sqrt(exp(beta_d t^2 / 2 + beta_min t) - 1)."""

    beta_d: float = 19.9
    beta_min: float = 0.1
    epsilon_t: float = 1e-5
    timesteps: int = 1000

    @property
    def sigma_min(self) -> float:
        """Noise at t = epsilon_t."""
        return float(self.sigma(torch.tensor(self.epsilon_t, dtype=torch.float64)))

    @property
    def sigma_max(self) -> float:
        """Noise at t = 1."""
        return float(self.sigma(torch.tensor(1.0, dtype=torch.float64)))

    def sigma(self, t: Tensor) -> Tensor:
        """Noise level of time t in [0, 1]."""
        return torch.expm1(0.5 * self.beta_d * t**2 + self.beta_min * t).sqrt()

    def time(self, sigma: Tensor) -> Tensor:
        """Inverse of `sigma`."""
        # The textbook quadratic formula cancels at small sigma; this form of the root does not.
        c = torch.log1p(sigma.double() ** 2)
        return 2 * c / (self.beta_min + (self.beta_min**2 + 2 * self.beta_d * c).sqrt())

    def coefficients(self, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        c_in = (sigma**2 + 1).rsqrt()
        c_noise = ((self.timesteps - 1) * self.time(sigma)).to(sigma.dtype)
        return torch.ones_like(sigma), -sigma, c_in, c_noise

    def draw_sigma(self, count: int, generator: torch.Generator) -> Tensor:
        uniform = torch.rand(count, generator=generator, device=generator.device)
        return self.sigma(1 + uniform * (self.epsilon_t - 1))

    def weight(self, sigma: Tensor) -> Tensor:
        return sigma**-2


@dataclass(frozen=True)
class VE:
    """Variance exploding (Song et al. 2021): ln sigma uniform between the two bounds."""

    sigma_min: float = 0.02
    sigma_max: float = 100.0

    def coefficients(self, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        one = torch.ones_like(sigma)
        return one, sigma, one, (0.5 * sigma).log()

    def draw_sigma(self, count: int, generator: torch.Generator) -> Tensor:
        uniform = torch.rand(count, generator=generator, device=generator.device)
        ratio: Tensor = self.sigma_max / self.sigma_min * torch.ones_like(uniform)
        return self.sigma_min * ratio**uniform

    def weight(self, sigma: Tensor) -> Tensor:
        return sigma**-2


@dataclass(frozen=True)
class EDM:
    """Karras et al. (2022): ln sigma ~ N(P_mean, P_std^2); unit variance in and out of the network."""

    sigma_data: float = 0.5
    p_mean: float = -1.2
    p_std: float = 1.2
    sigma_min: float = 0.0
    sigma_max: float = math.inf

    def coefficients(self, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        total = sigma**2 + self.sigma_data**2
        c_skip = self.sigma_data**2 / total
        c_out = sigma * self.sigma_data * total.rsqrt()
        return c_skip, c_out, total.rsqrt(), sigma.log() / 4

    def draw_sigma(self, count: int, generator: torch.Generator) -> Tensor:
        normal = torch.randn(count, generator=generator, device=generator.device)
        return (normal * self.p_std + self.p_mean).exp()

    def weight(self, sigma: Tensor) -> Tensor:
        return (sigma**2 + self.sigma_data**2) / (sigma * self.sigma_data) ** 2


def preconditioning(config: ModelConfig) -> Preconditioning:
    """Return the preconditioning that a model configuration names."""
    if config.preconditioning == "vp":
        return VP()
    if config.preconditioning == "ve":
        return VE()
    return EDM(config.sigma_data, config.p_mean, config.p_std)


class Denoiser(nn.Module):
    """A network with its preconditioning: the denoiser D(x, sigma, labels)."""

    def __init__(
        self, network: nn.Module, precondition: Preconditioning, *, label_count: int
    ) -> None:
        super().__init__()
        self.network = network
        self.precondition = precondition
        self.label_count = label_count

    @property
    def sigma_min(self) -> float:
        """Smallest noise the denoiser knows."""
        return self.precondition.sigma_min

    @property
    def sigma_max(self) -> float:
        """Largest noise the denoiser knows."""
        return self.precondition.sigma_max

    def forward(self, x: Tensor, sigma: Tensor, labels: Tensor | None = None) -> Tensor:
        """Denoise float32 x (B, *shape) of noise sigma (B,)."""
        c_skip, c_out, c_in, c_noise = self.precondition.coefficients(sigma)
        lift = (-1, *[1] * (x.ndim - 1))
        raw = self.network(c_in.view(lift) * x, c_noise, labels)
        return c_skip.view(lift) * x + c_out.view(lift) * raw.to(x.dtype)


def build_denoiser(
    config: ModelConfig, shape: tuple[int, ...], *, label_count: int, seed: int
) -> Denoiser:
    """Build an untrained denoiser on the CPU.

    Parameters
    ----------
    config
        The model.
    shape
        Shape of one item: (C, H, W), (C, D, H, W), (C, T) or (D,).
    label_count
        Number of labels it is conditioned on; 0: unconditional.
    seed
        Seed of the initial weights.

    Raises
    ------
    ConfigError
        If the architecture does not fit the shape.
    """
    kind = kind_of_shape(shape)
    known = ARCHITECTURES[kind]
    if config.architecture not in known:
        wanted = " or ".join(f"'{name}'" for name in known)
        plural = kind if kind == "series" else f"{kind}s"
        raise ConfigError(f"model.architecture is '{config.architecture}'; {plural} need {wanted}")
    network = known[config.architecture]
    # torch's layers draw their weights from the CPU's global generator: lend it and put it back.
    # (torch.manual_seed would reseed every GPU's generator, too.)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        built = network(config, shape, label_count)
    return Denoiser(built, preconditioning(config), label_count=label_count)


def denoising_loss(
    denoiser: Denoiser, clean: Tensor, sigma: Tensor, noise: Tensor, labels: Tensor | None = None
) -> Tensor:
    """Weighted squared error per element, float32 of the shape of ``clean``.

    Parameters
    ----------
    denoiser
        The model.
    clean
        Float32 (B, *shape) in model units.
    sigma
        (B,) noise levels.
    noise
        Standard normal, of the shape of ``clean``.
    labels
        int64 (B,), or None.
    """
    lift = (-1, *[1] * (clean.ndim - 1))
    denoised = denoiser(clean + sigma.view(lift) * noise, sigma, labels)
    return denoiser.precondition.weight(sigma).view(lift) * (denoised - clean) ** 2
