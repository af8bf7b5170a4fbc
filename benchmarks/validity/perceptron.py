"""Images by a network without convolutions: rote's residual perceptron on their values, as a trainer.

rote study dimension --trainer benchmarks.validity.perceptron:trainer --data cifar10_train.npz
    --value 16 --sizes 32 --seeds 3 --seed 1 --out perceptron

Told by `--set`: `trainer.images` seen (64,000) and `trainer.width` (1,024 units, to be more than
the values of an image, or the noise of its input stays in its samples: decision 49).
`cross_scoring.py` then scores the same samples by other rulers.
"""

import numpy as np
import numpy.typing as npt

import rote
from rote.data.dataset import Dataset
from rote.diffusion.config import ModelConfig, SampleConfig, TrainConfig
from rote.diffusion.draw import draw
from rote.diffusion.training.loop import train


def trainer(job: rote.TrainingJob) -> rote.TrainedModel:
    """Train on (N, H * W * C) values from -1 to 1, with EDM's loss; draw with EDM's sampler."""
    shape = job.data.items.shape[1:]
    values = job.data.items.reshape(len(job.data), -1).astype(np.float32) / 127.5 - 1
    model = ModelConfig(architecture="mlp", width=job.settings.get("width", 1024), blocks=4)
    images = job.settings.get("images", 64_000)
    config = TrainConfig(
        batch=64, images=images, learning_rate=1e-3, ema_halflife_images=2000, log_images=images
    )
    checkpoint = train(Dataset(values), model, config, out=job.folder / "training", seed=job.seed)

    def sample(num: int, seed: int) -> npt.NDArray[np.uint8]:
        drawn = draw(checkpoint, num, seed=seed, device="cpu", config=SampleConfig()).items
        levels = np.clip(np.rint((drawn + 1) * 127.5), 0, 255).astype(np.uint8)
        return levels.reshape(num, *shape)

    return rote.TrainedModel(images_seen=images, sample=sample, reusable=True)
