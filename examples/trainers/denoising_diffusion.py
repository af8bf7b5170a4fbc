"""DDPM by the package denoising-diffusion-pytorch, which needs torchvision; square images alone.

pip install denoising-diffusion-pytorch
rote emm --trainer denoising_diffusion:trainer --data digits --out emm --set trainer.images=64000
"""

from collections.abc import Iterator

import torch
from denoising_diffusion_pytorch import GaussianDiffusion, Unet
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import rote

WIDTH, BATCH, DECAY, STEPS = 16, 64, 0.98, 20


def trainer(job: rote.TrainingJob) -> Iterator[rote.TrainedModel]:
    """Train on ``images`` images; yield a model at each quarter of them."""
    torch.manual_seed(job.seed)
    data = torch.from_numpy(job.data.items).to(job.device).movedim(-1, 1).float() / 255
    net = Unet(dim=WIDTH, dim_mults=(1, 2), channels=data.shape[1], flash_attn=False)
    diffusion = GaussianDiffusion(
        net, image_size=data.shape[2], timesteps=1000, sampling_timesteps=STEPS
    ).to(job.device)
    averaged = AveragedModel(diffusion, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
    rate = job.settings.get("learning_rate", 1e-3)
    optimizer = torch.optim.Adam(diffusion.parameters(), lr=rate, fused=True)
    steps = job.settings.get("images", 64_000) // BATCH

    def sample(num: int, seed: int) -> torch.Tensor:
        # Its sampler takes no generator: the global one is seeded, and put back for the training.
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return averaged.module.eval().sample(batch_size=num)

    for step in range(1, steps + 1):
        loss = diffusion(data[torch.randint(len(data), (BATCH,), device=job.device)])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        averaged.update_parameters(diffusion)
        if step % max(steps // 4, 1) == 0:
            yield rote.TrainedModel(step * BATCH, sample, planned=steps * BATCH, value_range=(0, 1))
