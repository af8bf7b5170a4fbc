"""The theoretical optimum of denoising score matching on a finite training set.

Over training points y_n the minimizer of the loss is the posterior mean (Gu et al. 2025, eq. 4)

    D*(x, sigma) = sum_n w_n y_n,   w = softmax_n( -|x - y_n|^2 / (2 sigma^2) ),

with the sum over the points of x's own label where there are labels. Sampling it can only return
training points: it is the upper bound of memorization and the positive control of every ruler.

Numerics. At sigma = 0.002 an error of 1e-3 in |x - y|^2 changes a weight by e^125, so distances are
taken in float64, where |x|^2 - 2 x.y + |y|^2 is good to about 1e-11 at 3072 dimensions in [-1, 1].
Weights below e^-60 of the largest (1e-26, under float64's resolution of the sum) are not carried to
the second product, which at small sigma leaves only a handful of points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from rote.core.errors import ConfigError, DataError
from rote.data.convert import to_model
from rote.data.dataset import Dataset

NEGLIGIBLE_NATS = 60.0
CHUNK_BYTES = 192 * 2**20


class OptimalDenoiser:
    """The optimum over a training set, under the call contract of a trained denoiser.

    Parameters
    ----------
    dataset
        The training set (vectors in scaled units).
    conditional
        Sum over the points of the asked label only; the data set must have labels.
    labels
        Labels to condition on in place of the data set's own, int64 (N,).
    device
        Where the references lie; uint8 stays uint8 there and is widened chunk by chunk, so 50,000
        references of 3072 dimensions take 154 MB and less than 1 GB in work.
    """

    sigma_min = 0.0
    sigma_max = math.inf

    def __init__(
        self,
        dataset: Dataset,
        *,
        conditional: bool = False,
        labels: Tensor | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        references = dataset.tensor(device)
        self.shape = tuple(references.shape[1:])
        self._references = references.flatten(1)
        self._labels: Tensor | None = None
        self.label_count = 0
        if conditional:
            if labels is None:
                if dataset.labels is None:
                    raise DataError(f"{dataset.source} has no labels to be conditional on")
                labels = torch.from_numpy(dataset.labels)
            self._labels = labels.to(device)
            self.label_count = int(labels.max()) + 1
        self._chunk = max(1, CHUNK_BYTES // (8 * self._references.shape[1]))
        self._sq_norms = torch.cat([(y * y).sum(1) for _, y in self._chunks()])

    def _chunks(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield the references in model units, float64, a chunk at a time."""
        for start in range(0, len(self._references), self._chunk):
            part = slice(start, start + self._chunk)
            yield part, to_model(self._references[part]).double()

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor, labels: Tensor | None = None) -> Tensor:
        """Denoise x (B, *shape) of noise sigma (B,); returns the dtype of x.

        Raises
        ------
        ConfigError
            If a conditional optimum gets no labels, or a label without training points.
        """
        flat = x.flatten(1).double()
        scale = -0.5 / sigma.double()[:, None] ** 2
        logits = self._logits(flat, scale, labels)
        top = logits.amax(dim=1, keepdim=True)
        if not bool(torch.isfinite(top).all()):
            raise ConfigError("a label was asked for that no training point has")
        total = torch.zeros_like(flat)
        mass = torch.zeros_like(top)
        for part, references in self._chunks():
            share = (logits[:, part] - top).exp_()
            needed = (share > math.exp(-NEGLIGIBLE_NATS)).any(dim=0).nonzero()[:, 0]
            mass += share.sum(1, keepdim=True)
            if len(needed):
                total += share[:, needed] @ references[needed]
        return (total / mass).to(x.dtype).view(x.shape)

    def _logits(self, flat: Tensor, scale: Tensor, labels: Tensor | None) -> Tensor:
        """Return -|x - y_n|^2 / (2 sigma^2), float64 (B, N); -inf where the label differs."""
        own = (flat * flat).sum(1, keepdim=True)
        logits = flat.new_empty(len(flat), len(self._references))
        for part, references in self._chunks():
            cross = flat @ references.T
            logits[:, part] = (own - 2 * cross + self._sq_norms[part]) * scale
        if self._labels is not None:
            if labels is None:
                raise ConfigError("a conditional optimum needs labels, one per image")
            logits.masked_fill_(labels.to(flat.device)[:, None] != self._labels, -math.inf)
        return logits
