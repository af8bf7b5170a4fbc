"""DDPM (Ho et al. 2020) with the U-Net and the schedulers of diffusers.

It needs rote-memorization[diffusers].

A training that is killed goes on from its last quarter, and every quarter can be sampled at any time.

rote emm --trainer diffusers_ddpm:trainer --data digits --out emm --set trainer.images=64000
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from torch.nn.functional import mse_loss
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import rote

WIDTHS, BATCH, DECAY, STEPS, QUARTERS = (16, 32), 64, 0.98, 20, 4


def trainer(job: rote.TrainingJob) -> Iterator[rote.TrainedModel]:
    """Train on ``images`` images; yield a model at each quarter of them."""
    torch.manual_seed(job.seed)
    data = torch.from_numpy(job.data.items).to(job.device).movedim(-1, 1).float() / 127.5 - 1
    net = UNet2DModel(
        sample_size=data.shape[2],
        in_channels=data.shape[1],
        out_channels=data.shape[1],
        block_out_channels=WIDTHS,
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * len(WIDTHS),
        up_block_types=("UpBlock2D",) * len(WIDTHS),
        norm_num_groups=8,
        add_attention=False,
    ).to(job.device)
    averaged = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
    rate = job.settings.get("learning_rate", 3e-3)
    optimizer = torch.optim.Adam(net.parameters(), lr=rate, fused=True)
    noising, denoising = DDPMScheduler(), DDIMScheduler(clip_sample=True)
    denoising.set_timesteps(STEPS)
    steps = max(job.settings.get("images", 64_000) // BATCH // QUARTERS, 1)

    @torch.no_grad()
    def sample(saved: Path, num: int, seed: int) -> torch.Tensor:
        averaged.load_state_dict(torch.load(saved, weights_only=True)["averaged"])
        x = torch.randn(num, *data.shape[1:], generator=torch.Generator().manual_seed(seed))
        x = x.to(job.device)
        for time in denoising.timesteps:
            x = denoising.step(averaged(x, time).sample, time, x).prev_sample
        return x.clamp(-1, 1)

    for quarter in range(1, QUARTERS + 1):
        saved = job.folder / f"{quarter}.pt"
        if not saved.exists():
            for _ in range(steps):
                image = data[torch.randint(len(data), (BATCH,), device=job.device)]
                noise = torch.randn_like(image)
                time = torch.randint(len(noising), (BATCH,), device=job.device)
                loss = mse_loss(net(noising.add_noise(image, noise, time), time).sample, noise)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                averaged.update_parameters(net)
            state = {"net": net.state_dict(), "averaged": averaged.state_dict()}
            state |= {"optimizer": optimizer.state_dict(), "random": torch.get_rng_state()}
            torch.save(state, saved.with_suffix(".part"))
            saved.with_suffix(".part").rename(saved)
        state = torch.load(saved, weights_only=True)
        net.load_state_dict(state["net"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        yield rote.TrainedModel(
            quarter * steps * BATCH,
            partial(sample, saved),
            reusable=True,
            planned=QUARTERS * steps * BATCH,
            value_range=(-1, 1),
        )
