"""Watch Hugging Face diffusers' unconditional training for memorization: a tiny UNet2DModel on digits.

    pip install -e '.[diffusers]'
    python examples/diffusers_unconditional.py

The loop is that of diffusers' own training example: noise from a DDPMScheduler, the UNet predicts it, an
EMAModel averages the weights, a DDIMPipeline draws images. The lines marked ### are rote's.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMPipeline, DDIMScheduler, DDPMScheduler, UNet2DModel
from diffusers.training_utils import EMAModel

from rote import MemorizationMonitor, load_images


def draw(unet: UNet2DModel, num: int, seed: int, *, steps: int) -> np.ndarray:
    """Draw images as the pipeline gives them, float (num, 8, 8, 1) in [0, 1]."""
    scheduler = DDIMScheduler(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2")
    pipeline = DDIMPipeline(unet, scheduler)
    pipeline.set_progress_bar_config(disable=True)
    unet.eval()
    images, *_ = pipeline(
        batch_size=num,
        generator=torch.Generator().manual_seed(seed),
        num_inference_steps=steps,
        output_type="np",
        return_dict=False,
    )
    unet.train()
    return images


def draw_averaged(
    unet: UNet2DModel, ema: EMAModel, num: int, seed: int, *, steps: int
) -> np.ndarray:
    """Do the same with the averaged weights, which are put back afterwards."""
    ema.store(unet.parameters())
    ema.copy_to(unet.parameters())
    try:
        return draw(unet, num, seed, steps=steps)
    finally:
        ema.restore(unet.parameters())


def main() -> None:
    """Train, and say when copying began."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--size", type=int, default=16, help="training images")
    parser.add_argument("--images", type=int, default=16_000, help="images to train for")
    parser.add_argument("--every", type=int, default=2_000, help="images between two checks")
    parser.add_argument("--samples", type=int, default=100, help="images drawn for each check")
    parser.add_argument("--width", type=int, default=32, help="channels of the first block")
    parser.add_argument("--steps", type=int, default=20, help="denoising steps of the sampler")
    parser.add_argument("--out", type=Path, help="file that keeps the curve")
    parser.add_argument("--stop", action="store_true", help="stop when memorization has begun")
    options = parser.parse_args()

    torch.manual_seed(0)
    digits = load_images("digits")
    order = torch.randperm(len(digits)).numpy()
    training, rest = digits.take(order[: options.size]), digits.take(order[options.size :])
    images = training.tensor().float() / 127.5 - 1

    unet = UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(options.width, 2 * options.width),
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    )
    noising = DDPMScheduler(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2")
    optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-3)
    ema = EMAModel(unet.parameters(), decay=0.99)
    monitor = MemorizationMonitor(  ### 1: the data; real digits that were not trained on as control
        training,
        holdout=rest,
        every_images=options.every,
        samples=options.samples,
        value_range=(0, 1),  # what a pipeline gives with output_type="np"
        stop_at="begun" if options.stop else None,
        out=options.out,
    )

    images_seen, batch = 0, 32
    while images_seen < options.images:
        clean = images[torch.randint(len(images), (batch,))]
        noise = torch.randn_like(clean)
        timesteps = torch.randint(0, noising.config.num_train_timesteps, (batch,))
        predicted = unet(noising.add_noise(clean, noise, timesteps), timesteps).sample
        loss = torch.nn.functional.mse_loss(predicted, noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ema.step(unet.parameters())
        images_seen += batch

        checks = monitor(  ### 2: call it at every step; it acts every so many images
            images_seen,
            {
                "raw": lambda num, seed: draw(unet, num, seed, steps=options.steps),
                "ema": lambda num, seed: draw_averaged(unet, ema, num, seed, steps=options.steps),
            },
        )
        for check in checks:
            print(check, flush=True)
        if monitor.should_stop:  ### 3: if you like
            break

    print(f"held-out digits that look memorized: {monitor.control}")
    if monitor.begun is None:
        print(f"memorization has not begun after {images_seen:,} images")
    else:
        print(f"memorization began by {monitor.begun:,} images ({monitor.begun_by})")


if __name__ == "__main__":
    main()
