"""An autoregressive model: a recurrent network that says each pixel from those before it.

rote emm --trainer autoregressive:trainer --data digits --out emm --set trainer.images=64000
"""

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import rote

HIDDEN, BATCH, LEVELS, DECAY = 128, 64, 32, 0.98


class Pixels(nn.Module):
    """From the levels of earlier pixels to the logits of the next one."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.level, self.place = nn.Embedding(LEVELS + 1, HIDDEN), nn.Embedding(length, HIDDEN)
        self.memory = nn.GRU(HIDDEN, HIDDEN, batch_first=True)
        self.logits = nn.Linear(HIDDEN, LEVELS)

    def forward(
        self, levels: torch.Tensor, first: int, state: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take levels (B, L) from pixel ``first`` on; ``LEVELS`` stands before the first pixel."""
        places = torch.arange(first, first + levels.shape[1], device=levels.device)
        found, state = self.memory(self.level(levels) + self.place(places), state)
        return self.logits(found), state


def trainer(job: rote.TrainingJob) -> Iterator[rote.TrainedModel]:
    """Train on ``images`` images; yield a model at each quarter of them."""
    torch.manual_seed(job.seed)
    data = torch.from_numpy(job.data.items).to(job.device).flatten(1).long()
    data = (data * (LEVELS - 1) + 127) // 255
    net = Pixels(data.shape[1]).to(job.device)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    averaged = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
    steps = job.settings.get("images", 64_000) // BATCH

    @torch.no_grad()
    def sample(num: int, seed: int) -> torch.Tensor:
        draw = torch.Generator(job.device).manual_seed(seed)
        level, state = torch.full((num, 1), LEVELS, device=job.device), None
        levels = []
        for place in range(data.shape[1]):
            logits, state = averaged(level, place, state)
            level = torch.multinomial(logits[:, 0].softmax(1), 1, generator=draw)
            levels.append(level)
        images = torch.cat(levels, 1) * 255 // (LEVELS - 1)
        return images.to(torch.uint8).reshape(num, *job.data.items.shape[1:]).movedim(-1, 1)

    for step in range(1, steps + 1):
        batch = data[torch.randint(len(data), (BATCH,), device=job.device)]
        before = functional.pad(batch[:, :-1], (1, 0), value=LEVELS)
        logits, _ = net(before, 0, None)
        loss = functional.cross_entropy(logits.transpose(1, 2), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        averaged.update_parameters(net)
        if step % max(steps // 4, 1) == 0:
            yield rote.TrainedModel(step * BATCH, sample, planned=steps * BATCH)
