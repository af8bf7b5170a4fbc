"""Flow matching with a perceptron (Lipman et al. 2023), for small images.

rote emm --trainer flow_matching:trainer --data digits --out emm --set trainer.images=64000
"""

from collections.abc import Iterator

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import rote

HIDDEN, BATCH, STEPS, DECAY = 256, 64, 24, 0.98


class Velocity(nn.Module):
    """From a point on the way from noise to an image, and the time, to its velocity."""

    def __init__(self, size: int) -> None:
        super().__init__()
        layers = [nn.Linear(size + 16, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(HIDDEN, HIDDEN), nn.SiLU())
        self.last = nn.Linear(HIDDEN, size)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """Take x (B, size) at times (B, 1) in [0, 1]."""
        waves = time * torch.arange(1, 9, device=x.device) * torch.pi
        velocity: torch.Tensor = self.last(self.layers(torch.cat([x, waves.sin(), waves.cos()], 1)))
        return velocity


def trainer(job: rote.TrainingJob) -> Iterator[rote.TrainedModel]:
    """Train on ``images`` images; yield a model at each quarter of them."""
    torch.manual_seed(job.seed)
    data = torch.from_numpy(job.data.items).to(job.device).flatten(1).float() / 127.5 - 1
    net = Velocity(data.shape[1]).to(job.device)
    optimizer = torch.optim.Adam(net.parameters(), lr=job.settings.get("learning_rate", 3e-3))
    averaged = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
    steps = job.settings.get("images", 64_000) // BATCH

    @torch.no_grad()
    def sample(num: int, seed: int) -> torch.Tensor:
        x = torch.randn(num, data.shape[1], generator=torch.Generator().manual_seed(seed))
        x = x.to(job.device)
        for step in range(STEPS):
            time = torch.full((num, 1), step / STEPS, device=job.device)
            half = x + averaged(x, time) / (2 * STEPS)
            x = x + averaged(half, time + 1 / (2 * STEPS)) / STEPS
        return x.clamp(-1, 1).reshape(num, *job.data.items.shape[1:]).movedim(-1, 1)

    for step in range(1, steps + 1):
        image = data[torch.randint(len(data), (BATCH,), device=job.device)]
        noise, time = torch.randn_like(image), torch.rand(BATCH, 1, device=job.device)
        error = net(time * image + (1 - time) * noise, time) - (image - noise)
        loss = error.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        averaged.update_parameters(net)
        if step % max(steps // 4, 1) == 0:
            yield rote.TrainedModel(
                step * BATCH, sample, planned=steps * BATCH, value_range=(-1, 1)
            )
