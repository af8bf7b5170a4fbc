"""A variational autoencoder of perceptrons (Kingma & Welling 2014), for small images.

rote emm --trainer vae:trainer --data digits --out emm --set trainer.images=64000
"""

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import rote

LATENT, HIDDEN, BATCH, DECAY = 4, 256, 64, 0.98


def perceptron(inputs: int, outputs: int) -> nn.Sequential:
    """Return three layers."""
    layers = [nn.Linear(inputs, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN), nn.SiLU()]
    return nn.Sequential(*layers, nn.Linear(HIDDEN, outputs))


def trainer(job: rote.TrainingJob) -> Iterator[rote.TrainedModel]:
    """Train on ``images`` images; yield a model at each quarter of them."""
    torch.manual_seed(job.seed)
    data = torch.from_numpy(job.data.items).to(job.device).flatten(1).float() / 127.5 - 1
    encoder, decoder = perceptron(data.shape[1], 2 * LATENT), perceptron(LATENT, data.shape[1])
    encoder, decoder = encoder.to(job.device), decoder.to(job.device)
    optimizer = torch.optim.Adam(
        [*encoder.parameters(), *decoder.parameters()], lr=job.settings.get("learning_rate", 3e-3)
    )
    averaged = AveragedModel(decoder, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
    spread, steps = job.settings.get("spread", 0.3), job.settings.get("images", 64_000) // BATCH

    @torch.no_grad()
    def sample(num: int, seed: int) -> torch.Tensor:
        noise = torch.randn(num, LATENT, generator=torch.Generator().manual_seed(seed))
        images = averaged(noise.to(job.device)).reshape(num, *job.data.items.shape[1:])
        return images.clamp(-1, 1).movedim(-1, 1)

    for step in range(1, steps + 1):
        batch = data[torch.randint(len(data), (BATCH,), device=job.device)]
        mean, log_variance = encoder(batch).chunk(2, dim=1)
        latent = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        error = functional.mse_loss(decoder(latent), batch, reduction="none").sum(1)
        divergence = (log_variance.exp() + mean**2 - 1 - log_variance).sum(1) / 2
        loss = (error / (2 * spread**2) + divergence).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        averaged.update_parameters(decoder)
        if step % max(steps // 4, 1) == 0:
            yield rote.TrainedModel(
                step * BATCH, sample, planned=steps * BATCH, value_range=(-1, 1)
            )
