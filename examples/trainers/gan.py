"""A generative adversarial network of perceptrons (Goodfellow et al. 2014), for small images.

rote emm --trainer gan:trainer --data digits --out emm --set trainer.images=64000
"""

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.functional import softplus
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import rote

LATENT, HIDDEN, BATCH, DECAY = 32, 256, 64, 0.98


def perceptron(inputs: int, outputs: int) -> nn.Sequential:
    """Return three layers."""
    layers = [nn.Linear(inputs, HIDDEN), nn.LeakyReLU(0.2), nn.Linear(HIDDEN, HIDDEN)]
    return nn.Sequential(*layers, nn.LeakyReLU(0.2), nn.Linear(HIDDEN, outputs))


def trainer(job: rote.TrainingJob) -> Iterator[rote.TrainedModel]:
    """Train on ``images`` images; yield a model at each quarter of them."""
    torch.manual_seed(job.seed)
    data = torch.from_numpy(job.data.items).to(job.device).flatten(1).float() / 127.5 - 1
    generator = perceptron(LATENT, data.shape[1]).to(job.device)
    judge = perceptron(data.shape[1], 1).to(job.device)
    optimizers = [
        torch.optim.Adam(
            net.parameters(), job.settings.get("learning_rate", 1e-3), betas=(0.5, 0.99)
        )
        for net in (generator, judge)
    ]
    averaged = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
    steps = job.settings.get("images", 64_000) // BATCH

    @torch.no_grad()
    def sample(num: int, seed: int) -> torch.Tensor:
        noise = torch.randn(num, LATENT, generator=torch.Generator().manual_seed(seed))
        images = averaged(noise.to(job.device)).tanh().reshape(num, *job.data.items.shape[1:])
        return images.movedim(-1, 1)

    for step in range(1, steps + 1):
        real = data[torch.randint(len(data), (BATCH,), device=job.device)]
        real = real.requires_grad_()
        made = generator(torch.randn(BATCH, LATENT, device=job.device)).tanh()
        verdict = judge(real)
        (slope,) = torch.autograd.grad(verdict.sum(), real, create_graph=True)
        # R1 (Mescheder et al. 2018): without it the judge overfits few images and training stalls.
        losses = [
            softplus(-judge(made)).mean(),
            softplus(-verdict).mean()
            + softplus(judge(made.detach())).mean()
            + 0.5 * slope.square().sum(1).mean(),
        ]
        for optimizer, loss, net in zip(optimizers, losses, (generator, judge), strict=True):
            gradients = torch.autograd.grad(loss, list(net.parameters()), retain_graph=True)
            for weight, gradient in zip(net.parameters(), gradients, strict=True):
                weight.grad = gradient
            optimizer.step()
        averaged.update_parameters(generator)
        if step % max(steps // 4, 1) == 0:
            yield rote.TrainedModel(
                step * BATCH, sample, planned=steps * BATCH, value_range=(-1, 1)
            )
