"""Remedies that stand between a denoiser and its sampler."""

from __future__ import annotations

import torch
from torch import Tensor

from rote.data.convert import to_model
from rote.data.dataset import Dataset
from rote.data.duplicates import exact_duplicates
from rote.diffusion.conditioning import NO_LABEL
from rote.diffusion.sample import DenoiserLike

ROUNDS = 32
"""How often at most a prediction is pushed out of a ball, or out of the next one."""


class Changed:
    """A denoiser that is not left as it is."""

    def __init__(self, denoiser: DenoiserLike) -> None:
        self.denoiser = denoiser

    @property
    def sigma_min(self) -> float:
        """Smallest noise level of the denoiser."""
        return self.denoiser.sigma_min

    @property
    def sigma_max(self) -> float:
        """Largest noise level of the denoiser."""
        return self.denoiser.sigma_max


class Away(Changed):
    """Keeps predictions away from every training item.

    Around each training item y lies a ball of radius ``strength`` times the distance of y to the nearest
    other one. A prediction D within a ball is moved to its surface, along the line from y through D. Up
    to a strength of 1/2 no two balls overlap. The sampler's last step lands on a prediction, so no sample
    lies within a ball: |x - y| >= strength * |y - its nearest|. At 1/2 the second nearest is then at most
    three times as far as the nearest, and the ratio at c = 1/3 can flag nothing but what rounding to 8
    bits moves. What is pushed beyond black or white is cut there and pushed again, as it would be cut in
    the end.

    Strength 0 changes nothing, bit for bit.
    """

    def __init__(self, denoiser: DenoiserLike, training: Dataset, strength: float) -> None:
        super().__init__(denoiser)
        once = training.take(exact_duplicates(training.items).representative)
        self.references = to_model(once.tensor()).flatten(1).double()
        self.radii = strength * nearest_others(self.references)
        self.bounded = training.in_levels

    def __call__(self, x: Tensor, sigma: Tensor, labels: Tensor | None = None) -> Tensor:
        """Denoise x (B, *shape) of noise sigma (B,), then push the prediction out."""
        found = self.denoiser(x, sigma, labels)
        references, radii = (t.to(x.device) for t in (self.references, self.radii))
        at = found.flatten(1).double()
        for _ in range(ROUNDS):
            apart = _distances(at, references)
            depth = torch.where(radii > 0, apart / radii, torch.inf)
            least, ball = depth.min(1)
            inside = least < 1
            if not bool(inside.any()):
                break
            center = references[ball]
            off = at - center
            # A prediction that equals y has no direction: the noisy item has one.
            off = torch.where(
                off.norm(dim=1, keepdim=True) > 0, off, x.flatten(1).double() - center
            )
            out = center + off / off.norm(dim=1, keepdim=True) * radii[ball, None] * (1 + 1e-6)
            if self.bounded:
                out = out.clamp(-1, 1)
            at = torch.where(inside[:, None], out, at)
        moved = (at != found.flatten(1).double()).any(1)
        lifted = moved.view(-1, *[1] * (x.ndim - 1))
        return torch.where(lifted, at.to(found.dtype).view(found.shape), found)


class LateLabels(Changed):
    """Tells the label only from a noise level downwards: above it the model draws without one."""

    def __init__(self, denoiser: DenoiserLike, below: float) -> None:
        super().__init__(denoiser)
        self.below = below

    def __call__(self, x: Tensor, sigma: Tensor, labels: Tensor | None = None) -> Tensor:
        """Denoise x (B, *shape) of noise sigma (B,) with labels (B,)."""
        assert labels is not None
        told = torch.where(sigma < self.below, labels, NO_LABEL)
        return self.denoiser(x, sigma, told)


def nearest_others(references: Tensor) -> Tensor:
    """Return the distance of each reference (N, D) to the nearest other one, float64 (N,)."""
    found = []
    for start in range(0, len(references), 256):
        part = references[start : start + 256]
        apart = _distances(part, references)
        apart[torch.arange(len(part)), torch.arange(start, start + len(part))] = torch.inf
        found.append(apart.min(1).values)
    return torch.cat(found)


def _distances(at: Tensor, references: Tensor) -> Tensor:
    # By differences: products would lose the digits of what is near.
    return torch.cdist(at, references, compute_mode="donot_use_mm_for_euclid_dist")
