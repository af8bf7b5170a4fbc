"""Fine-tune a text-to-image pipeline on a folder of captioned pictures: all of its U-Net, or a LoRA.

    python examples/text_to_image/fine_tune.py PIPELINE pictures/train --lora 8 --out lora
    rote sample PIPELINE --lora lora --prompts pictures/train --out samples

The loop is that of diffusers' own scripts: noise from the pipeline's scheduler, captions left out one
time in ten, so that guidance has something to lead away from. Latents and captions are encoded once.
`--every N` watches: each N images rote draws images of the captions, and of those of `--holdout`, and
says how many are copies. The lines marked ### are all that it needs.
"""

import argparse
import copy
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image
from torch.nn.functional import mse_loss

from rote import MemorizationMonitor

TARGETS = ["to_q", "to_k", "to_v", "to_out.0"]  # as diffusers' scripts: attention
EVERY_LAYER = [*TARGETS, "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2"]
NO_CAPTION = 0.1


def read(folder: Path) -> tuple[np.ndarray, list[str]]:
    """Return the pictures (N, H, W, 3) of a folder and their captions."""
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    pictures = [np.asarray(Image.open(folder / row["file_name"]).convert("RGB")) for row in rows]
    return np.stack(pictures), [row["text"] for row in rows]


@torch.no_grad()
def encode(
    pipeline: StableDiffusionPipeline, images: np.ndarray, captions: list[str]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the latents (N, 4, h, w), the captions (N, L, D), and the empty caption (1, L, D)."""
    pixels = torch.from_numpy(images).movedim(-1, 1).float() / 127.5 - 1
    latents = [
        pipeline.vae.encode(part.to(pipeline.device)).latent_dist.mode()
        for part in pixels.split(32)
    ]
    texts = [
        _encoded(pipeline, captions[start : start + 32]) for start in range(0, len(captions), 32)
    ]
    empty = _encoded(pipeline, [""])
    return torch.cat(latents) * pipeline.vae.config.scaling_factor, torch.cat(texts), empty


def _encoded(pipeline: StableDiffusionPipeline, texts: list[str]) -> torch.Tensor:
    found, _ = pipeline.encode_prompt(
        texts, pipeline.device, num_images_per_prompt=1, do_classifier_free_guidance=False
    )
    return found


def train(
    pipeline: StableDiffusionPipeline,
    images: np.ndarray,
    captions: list[str],
    *,
    steps: int,
    batch: int = 16,
    learning_rate: float = 1e-3,
    lora: int | None = None,
    targets: list[str] = TARGETS,
    seed: int = 0,
    ends: Callable[[int], bool] = lambda images_seen: False,
) -> None:
    """Train the U-Net of a pipeline in place: all of it, or a LoRA of rank ``lora`` beside ``targets``.

    ``ends`` is asked after every step, with the images seen so far, whether to stop.
    """
    torch.manual_seed(seed)
    unet = pipeline.unet
    if lora is not None:
        unet.requires_grad_(requires_grad=False)
        unet.add_adapter(LoraConfig(r=lora, lora_alpha=lora, target_modules=targets))
    weights = [weight for weight in unet.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=learning_rate, fused=True)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
    noising = DDPMScheduler.from_config(pipeline.scheduler.config)
    latents, texts, empty = encode(pipeline, images, captions)
    device = latents.device
    unet.train()
    for step in range(1, steps + 1):
        chosen = torch.randint(len(latents), (batch,), device=device)
        clean, noise = latents[chosen], torch.randn(batch, *latents.shape[1:], device=device)
        times = torch.randint(noising.config.num_train_timesteps, (batch,), device=device)
        without = torch.rand(batch, 1, 1, device=device) < NO_CAPTION
        told = torch.where(without, empty, texts[chosen])
        found = unet(noising.add_noise(clean, noise, times), times, told).sample
        sought = {"epsilon": noise, "v_prediction": noising.get_velocity(clean, noise, times)}
        loss = mse_loss(found, sought[noising.config.prediction_type])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        rate.step()
        if step % 100 == 0:
            print(f"step {step} of {steps}: loss {loss.item():.4f}", flush=True)
        if ends(step * batch):
            break
    unet.eval()


@torch.no_grad()
def draw(
    pipeline: StableDiffusionPipeline,
    captions: list[str],
    num: int,
    seed: int,
    *,
    guidance: float = 2.0,
    steps: int = 20,
) -> np.ndarray:
    """Draw images (num, H, W, 3) in [0, 1] of as many captions, chosen by the seed."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randint(len(captions), (num,), generator=generator).tolist()
    was = pipeline.unet.training
    pipeline.unet.eval()
    pipeline.set_progress_bar_config(disable=True)
    parts = []
    for start in range(0, num, 16):
        told = [captions[number] for number in chosen[start : start + 16]]
        made = pipeline(
            told,
            guidance_scale=guidance,
            num_inference_steps=steps,
            generator=generator,
            output_type="np",
        )
        parts.append(made.images)
    pipeline.unet.train(was)
    return np.concatenate(parts)


@torch.no_grad()
def through(pipeline: StableDiffusionPipeline, images: np.ndarray) -> np.ndarray:
    """Return pictures as the pipeline's autoencoder gives them back: what its images are held against."""
    pixels = torch.from_numpy(images).movedim(-1, 1).float() / 127.5 - 1
    parts = [pipeline.vae(part.to(pipeline.device)).sample.cpu() for part in pixels.split(32)]
    return ((torch.cat(parts) + 1) * 127.5).round().clamp(0, 255).byte().movedim(1, -1).numpy()


def save_lora(pipeline: StableDiffusionPipeline, folder: Path) -> None:
    """Write the LoRA of a pipeline as diffusers' scripts do."""
    StableDiffusionPipeline.save_lora_weights(
        folder,
        unet_lora_layers=get_peft_model_state_dict(pipeline.unet),
        unet_lora_adapter_metadata=copy.deepcopy(pipeline.unet.peft_config["default"].to_dict()),
    )


def main() -> None:
    """Fine-tune, and save."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("pipeline", help="a folder, or a name of the hub")
    parser.add_argument("pictures", type=Path, help="a folder with metadata.jsonl")
    parser.add_argument("--lora", type=int, help="rank of a LoRA; left out: the whole U-Net")
    parser.add_argument(
        "--every-layer", action="store_true", help="a LoRA of all layers, not of attention alone"
    )
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--every", type=int, help="images between two looks at copying")
    parser.add_argument("--holdout", type=Path, help="pictures that are not trained on")
    parser.add_argument("--samples", type=int, default=64, help="images drawn for each look")
    parser.add_argument("--guidance", type=float, default=2.0, help="of the images drawn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    pipeline = StableDiffusionPipeline.from_pretrained(options.pipeline, use_safetensors=True)
    images, captions = read(options.pictures)
    drawn = {"trained": partial(draw, pipeline, captions, guidance=options.guidance)}
    held_out = None
    if options.holdout is not None:
        pictures, unseen = read(options.holdout)
        held_out = through(pipeline, pictures)
        drawn["unseen"] = partial(draw, pipeline, unseen, guidance=options.guidance)
    monitor = None
    if options.every:
        monitor = MemorizationMonitor(  ### 1: the pictures, as the autoencoder gives them back
            through(pipeline, images),
            every_images=options.every,
            samples=options.samples,
            holdout=held_out,
            value_range=(0, 1),
        )

    def watched(images_seen: int) -> bool:
        if monitor is None:
            return False
        for check in monitor(images_seen, drawn):  ### 2: after every step; it draws when one is due
            print(check, flush=True)
        return monitor.should_stop

    train(
        pipeline,
        images,
        captions,
        steps=options.steps,
        batch=options.batch,
        learning_rate=options.learning_rate,
        lora=options.lora,
        targets=EVERY_LAYER if options.every_layer else TARGETS,
        seed=options.seed,
        ends=watched,
    )
    if options.lora is None:
        pipeline.save_pretrained(options.out)
    else:
        save_lora(pipeline, options.out)


if __name__ == "__main__":
    main()
