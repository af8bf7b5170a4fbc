"""Write docs/reference/configuration.md from the configuration models.

    python docs/generate_configuration.py

A test holds the file to what this script writes.
"""

import re
from pathlib import Path

from rote.experiments.config import PRESETS, ExperimentConfig

TARGET = Path(__file__).parent / "reference" / "configuration.md"
HEAD = """# Configuration

<!-- Written by docs/generate_configuration.py; do not edit. -->

A preset sets every key; `--set key=value` changes one, such as `--set train.batch=128` or
`--set model.channel_mult=[1,2,2]` (lists and null are JSON). `--dry-run` prints the result. An unknown
key is an error that names the nearest known one.

The presets are for images. For vectors (`--data wine`, arrays of numbers) the same presets take a
residual perceptron (`model.architecture=mlp`) in place of the U-Net, for series a U-Net along their times
(`unet1d`). For volumes it is a U-Net of three dimensions (`unet3d`), and `tiny` takes blocks of 8 voxels
each way (`model.patch`) at a width of 64 and one resolution, noise of `model.p_mean=1` and
`model.p_std=1.5`, `model.sigma_data=0.07`, 16,000 volumes seen in batches of 16, and 10 noise levels
down to `sample.sigma_min=0.3`.

| preset | for | parameters |
|---|---|---|
| `tiny` | minutes on two CPU cores: 8x8 grey images | 0.18 M at 1x8x8 |
| `small` | within an hour on two CPU cores: 8x8 to 16x16 color images | 0.72 M at 3x16x16 |
| `paper` | the basic configuration of Gu et al. (2025), CIFAR-10 at 32x32 on a GPU | 35.13 M at 3x32x32 |

NCSN++ is `model.time_embedding=fourier`, `model.encoder=residual`,
`model.resampling_filter=[1,3,3,1]` and `model.preconditioning=ve` (35.79 M).
"""


def shown(value: object) -> str:
    """Return a value as `--set` takes it."""
    if isinstance(value, tuple):
        return "[" + ",".join(map(str, value)) + "]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def one_line(text: str) -> str:
    """Return a docstring as one table cell."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|").replace("``", "`")


def page() -> str:
    """Return the whole page."""
    presets = {name: make() for name, make in PRESETS.items()}
    parts = [HEAD]
    for room, field in ExperimentConfig.model_fields.items():
        if room == "trainer":  # of no preset; `docs/how-to/trainer.md` tells of it
            continue
        assert isinstance(field.annotation, type)
        summary = one_line((field.annotation.__doc__ or "").strip().split("\n\n")[0])
        parts.append(f"\n## `{room}`\n\n{summary}\n\n| key | {' | '.join(presets)} | |\n")
        parts.append("|---" * (len(presets) + 2) + "|\n")
        for key, info in field.annotation.model_fields.items():
            values = [f"`{shown(getattr(getattr(p, room), key))}`" for p in presets.values()]
            about = one_line(info.description or "")
            parts.append(f"| `{room}.{key}` | {' | '.join(values)} | {about} |\n")
    return "".join(parts)


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
