"""A LoRA put into a pipeline: as diffusers, kohya's scripts and peft save them.

All layers of the file have to find their place. diffusers leaves out what does not fit, with a warning,
and the base would then be measured in place of the fine-tune.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rote.core.errors import ConfigError, first_line
from rote.data.messages import shown

NAME = "lora"
SAVED = "pytorch_lora_weights.safetensors"
PEFT_CONFIG, PEFT_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_DOWN = ("lora_A.weight", "lora_down.weight", "lora.down.weight")
"""How the names of the first matrix of each layer end."""


def add_lora(pipeline: Any, path: Path, scale: float) -> None:
    """Load a LoRA into a pipeline.

    Parameters
    ----------
    pipeline
        Of diffusers; changed.
    path
        A .safetensors file, or a folder that peft (``adapter_config.json``) or diffusers saved.
    scale
        What the LoRA is multiplied by.

    Raises
    ------
    ConfigError
        If the files cannot be read, or not all of them fits this pipeline.
    """
    from peft import LoraConfig

    of_peft = path.is_dir() and (path / PEFT_CONFIG).exists()
    file = path / (PEFT_WEIGHTS if of_peft else SAVED) if path.is_dir() else path
    if not file.is_file() or file.suffix != ".safetensors":
        raise ConfigError(
            f"`lora` {shown(path)}: expected is a .safetensors file, or a folder with {PEFT_CONFIG} and "
            f"{PEFT_WEIGHTS}, or with {SAVED}"
        )
    try:
        wanted = _layers(file, of_peft=of_peft)
        if of_peft:
            _load_peft(pipeline, path, LoraConfig)
        else:
            pipeline.load_lora_weights(
                str(file.parent), weight_name=file.name, adapter_name=NAME, local_files_only=True
            )
        if there := _loaded(pipeline):
            pipeline.set_adapters([NAME], [scale])
    except ConfigError:
        raise
    except Exception as error:
        reason = first_line(error, longest=200)
        raise ConfigError(
            f"`lora` {shown(path)} does not fit this pipeline ({reason}); give the LoRA of this base"
        ) from error
    if there != wanted:
        raise ConfigError(
            f"`lora` {shown(path)}: {there} of its {wanted} layers fit this pipeline; give "
            "the LoRA of this base"
        )


def _load_peft(pipeline: Any, folder: Path, config: Any) -> None:
    """Load what `PeftModel.save_pretrained` wrote of the network that predicts noise."""
    from safetensors.torch import load_file

    network = getattr(pipeline, "unet", None) or pipeline.transformer
    content = json.loads((folder / PEFT_CONFIG).read_text(encoding="utf-8"))
    if content.get("peft_type") != "LORA":
        raise ConfigError(
            f"`lora` {shown(folder)} is a {shown(content.get('peft_type'))} of peft; only LORA is taken"
        )
    told = config.from_pretrained(str(folder)).to_dict()
    weights = {
        key.removeprefix("base_model.model."): tensor
        for key, tensor in load_file(folder / PEFT_WEIGHTS).items()
    }
    network.load_lora_adapter(weights, prefix=None, adapter_name=NAME, metadata=told)


def _layers(file: Path, *, of_peft: bool) -> int:
    """Return how many layers a file has; DoRA, which diffusers would drop from it, is refused."""
    from safetensors import safe_open

    with safe_open(file, "pt") as opened:
        keys = list(opened.keys())
    if not of_peft and any("dora_scale" in key for key in keys):
        raise ConfigError(
            f"`lora` {shown(file)} is a DoRA, whose scales diffusers leaves out; merge it into its base "
            "and give the merged pipeline"
        )
    found = sum(key.endswith(_DOWN) for key in keys)
    if not found:
        raise ConfigError(f"`lora` {shown(file)} has no layer of a LoRA; give another file")
    return found


def _loaded(pipeline: Any) -> int:
    import torch

    parts = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    keys = [key for part in parts for key, _ in part.named_parameters()]
    return sum(key.endswith(f"lora_A.{NAME}.weight") for key in keys)
