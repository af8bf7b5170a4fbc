"""A LoRA of peft, diffusers and kohya: the same images; 0 is the base; nothing is left out silently."""

import json

import numpy as np
import pytest
import torch
from pipelines import tiny_pipeline, tiny_unet
from safetensors.torch import save_file

from rote.core.errors import ConfigError
from rote.diffusion.pipelines.drawing import draw
from rote.diffusion.pipelines.opened import open_pipeline
from rote.diffusion.pipelines.prompts import images_of

peft = pytest.importorskip("peft")
TARGETS = ["to_q", "to_k", "to_v", "to_out.0"]
ASKED = images_of(["a cat", "the dog"], each=2, seed=0)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Write one LoRA as three kinds of files; its alpha is not its rank, so that a scale lost shows."""
    folder = tmp_path_factory.mktemp("lora")
    torch.manual_seed(1)
    config = peft.LoraConfig(r=2, lora_alpha=6, target_modules=TARGETS, init_lora_weights=False)
    network = peft.get_peft_model(tiny_unet(), config)
    for name, weight in network.named_parameters():
        if "lora_B" in name:
            weight.data.mul_(3)
    network.save_pretrained(folder / "peft")
    state = peft.get_peft_model_state_dict(network)
    plain = {key.removeprefix("base_model.model."): value for key, value in state.items()}
    # As diffusers writes it: with the alpha in the header.
    header = {f"unet.{key}": value for key, value in config.to_dict().items()}
    header = {
        key: sorted(value) if isinstance(value, set) else value for key, value in header.items()
    }
    (folder / "diffusers").mkdir()
    save_file(
        {f"unet.{key}": value.contiguous() for key, value in plain.items()},
        folder / "diffusers" / "pytorch_lora_weights.safetensors",
        metadata={"format": "pt", "lora_adapter_metadata": json.dumps(header)},
    )
    kohya = {}
    for key, value in plain.items():
        layer, side = key.removesuffix(".weight").rsplit(".", 1)
        name = "lora_unet_" + layer.replace(".", "_")
        kohya[f"{name}.{'lora_down' if side == 'lora_A' else 'lora_up'}.weight"] = (
            value.contiguous()
        )
        kohya[f"{name}.alpha"] = torch.tensor(6.0)
    save_file(kohya, folder / "kohya.safetensors")
    return folder


@pytest.fixture(scope="module")
def base(opened):
    return draw(opened, ASKED, guidance=3.0, steps=2)


@pytest.mark.parametrize("name", ["peft", "diffusers", "kohya.safetensors"])
def test_each_kind_of_file_is_the_same_fine_tune(name, files, pipeline_folder, base):
    def drawn(**how):
        tuned = open_pipeline(pipeline_folder, lora=files / name, device="cpu", **how)
        assert tuned.lora is not None and tuned.lora[0] == name
        return draw(tuned, ASKED, guidance=3.0, steps=2)

    assert (drawn(lora_scale=0.0) == base).all()
    changed = drawn()
    assert (changed != base).mean() > 0.1
    # What it should be, by the definition: W + alpha / r B A.
    merged = tiny_pipeline()
    with torch.no_grad():
        for layer, down, up in _pairs(files):
            merged.unet.get_submodule(layer).weight += 6 / 2 * up @ down
    wanted = draw(open_pipeline(merged, device="cpu"), ASKED, guidance=3.0, steps=2)
    # Sums in another order: a level of 255 here and there.
    assert np.abs(changed.astype(int) - wanted.astype(int)).max() <= 1


def _pairs(files):
    from safetensors.torch import load_file

    state = load_file(files / "peft" / "adapter_model.safetensors")
    for key, down in state.items():
        if key.endswith("lora_A.weight"):
            layer = key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            yield layer, down, state[key.replace("lora_A", "lora_B")]


def test_what_does_not_fit_is_one_line(files, pipeline_folder, tmp_path):
    def opened(path):
        return open_pipeline(pipeline_folder, lora=path, device="cpu")

    with pytest.raises(ConfigError, match=r"expected is a \.safetensors file, or a folder with"):
        opened(tmp_path)
    with pytest.raises(ConfigError, match=r"expected is a \.safetensors file"):
        opened(tmp_path / "gone.safetensors")
    none = tmp_path / "none.safetensors"
    save_file({"x": torch.zeros(1)}, none)
    with pytest.raises(ConfigError, match="has no layer of a LoRA"):
        opened(none)
    dora = tmp_path / "dora.safetensors"
    save_file({"unet.a.lora_A.weight": torch.zeros(1), "unet.a.dora_scale": torch.zeros(1)}, dora)
    with pytest.raises(ConfigError, match="is a DoRA"):
        opened(dora)
    other = tmp_path / "other.safetensors"
    weights = {"lora_down.weight": torch.zeros(2, 8), "lora_up.weight": torch.zeros(8, 2)}
    save_file(
        {f"lora_unet_mid_block_elsewhere.{key}": value for key, value in weights.items()}, other
    )
    with pytest.raises(ConfigError, match=r"0 of its 1 layers fit|does not fit this pipeline \("):
        opened(other)
