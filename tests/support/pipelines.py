"""A text-to-image pipeline of random weights: real classes of diffusers, in milliseconds."""

import json
import string
from pathlib import Path
from typing import Any

import torch

WORDS = ("cat", "dog", "house", "red", "blue", "green", "a", "of", "the")


def tiny_pipeline(seed: int = 0, *, tokens: int = 12) -> Any:
    """Return a StableDiffusionPipeline of 8x8 images whose text encoder is a BERT of random weights."""
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline
    from transformers import BertConfig, BertModel, BertTokenizer

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        vae = AutoencoderKL(
            block_out_channels=(8, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            norm_num_groups=4,
            latent_channels=4,
            sample_size=8,
        )
        vocabulary = _vocabulary()
        config = BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=tokens,
            use_attention_mask=True,
        )
        text = BertModel(config)
        return StableDiffusionPipeline(
            vae=vae.eval(),
            text_encoder=text.eval(),
            tokenizer=BertTokenizer(vocab=vocabulary, model_max_length=tokens),
            unet=tiny_unet().eval(),
            scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )


def tiny_unet() -> Any:
    """Return its network, of random weights of torch's generator."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        norm_num_groups=4,
        cross_attention_dim=8,
        attention_head_dim=4,
    )


def _vocabulary() -> dict[str, int]:
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    letters = (*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase))
    return {word: number for number, word in enumerate(dict.fromkeys((*special, *letters, *WORDS)))}


def saved(folder: Path) -> Path:
    """Write the pipeline into a folder, as people have theirs."""
    tiny_pipeline().save_pretrained(folder)
    return folder


def configured(folder: Path, *, xl: bool) -> Path:
    """Write the configuration files of Stable Diffusion 1.5 or XL into a folder, and no weights."""
    clip = {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "projection_dim": 768,
        "vocab_size": 49408,
    }
    index: dict[str, Any] = {
        "_class_name": f"StableDiffusion{'XL' * xl}Pipeline",
        "_diffusers_version": "0.31.0",
        "text_encoder": ["transformers", "CLIPTextModel"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "safety_checker": [None, None],
    }
    parts: dict[str, dict[str, Any]] = {
        "text_encoder": clip,
        "unet": {"cross_attention_dim": 768, "attention_head_dim": 8, "sample_size": 64},
        "vae": {
            "block_out_channels": [128, 256, 512, 512],
            "down_block_types": ["DownEncoderBlock2D"] * 4,
            "up_block_types": ["UpDecoderBlock2D"] * 4,
            "layers_per_block": 2,
            "sample_size": 512,
        },
    }
    if xl:
        index["text_encoder_2"] = ["transformers", "CLIPTextModelWithProjection"]
        parts["text_encoder_2"] = clip | {
            "hidden_size": 1280,
            "intermediate_size": 5120,
            "num_hidden_layers": 32,
            "num_attention_heads": 20,
            "projection_dim": 1280,
        }
        parts["unet"] = {
            "sample_size": 128,
            "block_out_channels": [320, 640, 1280],
            "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
            "transformer_layers_per_block": [1, 2, 10],
            "attention_head_dim": [5, 10, 20],
            "cross_attention_dim": 2048,
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
        }
    for name, config in parts.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text(json.dumps(config))
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder
