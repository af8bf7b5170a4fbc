"""A kernel density estimate: training images plus noise. It cannot but copy; the noise says how well.

rote emm --trainer kernel_density:trainer --data digits --out emm --set trainer.bandwidth=16
"""

import numpy as np

import rote


def trainer(job: rote.TrainingJob) -> rote.TrainedModel:
    """Keep the images; a sample is one of them with normal noise of ``bandwidth`` gray levels."""
    items, bandwidth = job.data.items.astype(np.float64), job.settings.get("bandwidth", 16)

    def sample(num: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        chosen = items[rng.integers(len(items), size=num)]
        noisy = chosen + bandwidth * rng.normal(size=chosen.shape)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

    return rote.TrainedModel(images_seen=len(items), sample=sample, reusable=True)
