"""Up to how many pictures does a fine-tune copy? A trainer for `rote emm`: all of the U-Net, or a LoRA.

    cd examples/text_to_image
    rote emm --trainer trainer:trainer --data pictures/rest --out emm \
      --set trainer.pipeline=/path/to/pipeline --set trainer.lora=8 --set trainer.steps=600

Every run starts at the pipeline and trains on its subset with the captions of that, for the same number
of steps whatever the size. Images are of these captions.
"""

from functools import partial

import torch
from diffusers import StableDiffusionPipeline
from fine_tune import EVERY_LAYER, TARGETS, draw, train

import rote

BATCH = 16


def trainer(job: rote.TrainingJob) -> rote.TrainedModel:
    """Fine-tune ``pipeline`` in ``steps`` steps; ``lora`` is the rank of a LoRA, 0 the whole U-Net.

    With ``every_layer`` the LoRA is of all layers, and not of the attention alone.
    """
    torch.set_num_threads(job.threads)
    pipeline = StableDiffusionPipeline.from_pretrained(
        job.settings["pipeline"], use_safetensors=True
    )
    pipeline = pipeline.to(job.device)
    captions = [text or "" for text in job.data.captions]
    steps = job.settings.get("steps", 600)
    train(
        pipeline,
        job.data.items,
        captions,
        steps=steps,
        batch=BATCH,
        learning_rate=job.settings.get("learning_rate", 1e-3),
        lora=job.settings.get("lora", 0) or None,
        targets=EVERY_LAYER if job.settings.get("every_layer") else TARGETS,
        seed=job.seed,
        ends=lambda images_seen: job.should_stop(),
    )
    return rote.TrainedModel(
        images_seen=steps * BATCH,
        sample=partial(draw, pipeline, captions),
        reusable=True,
        value_range=(0, 1),
    )
