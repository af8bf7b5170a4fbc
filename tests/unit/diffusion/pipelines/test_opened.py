"""Pipelines opened: by folder, with what would change their images taken off, and refused in one line."""

import shutil

import pytest
import torch
from pipelines import tiny_pipeline
from safetensors.torch import load_file, save_file

from rote.core.errors import ConfigError
from rote.diffusion.pipelines.opened import open_pipeline


def test_a_folder_is_opened_as_it_was_saved(opened):
    assert (opened.size, opened.longest(), opened.dtype) == (8, 12, "float32")
    assert opened.default("guidance_scale") == 7.5 and opened.default("num_inference_steps") == 50
    again = tiny_pipeline()
    same = open_pipeline(again, device="cpu")
    assert same.digest() == opened.digest()
    halves = open_pipeline(tiny_pipeline().to(torch.bfloat16))
    assert (halves.device, halves.dtype) == ("cpu", "bfloat16"), "its own, whatever is asked for"
    with torch.no_grad():
        again.unet.conv_out.bias[0] += 1e-6
    assert same.digest() != opened.digest()
    assert opened.cut(("a cat", "the " * 10, "the " * 11)) == 1  # two of the 12 tokens are marks


def test_a_checker_and_a_watermark_would_change_images():
    network = tiny_pipeline()
    network.safety_checker, network.watermark = object(), object()
    open_pipeline(network, device="cpu")
    assert network.safety_checker is None and network.watermark is None


def test_what_cannot_be_opened_is_one_line(pipeline_folder, tmp_path):
    with pytest.raises(
        ConfigError, match=r"has no model_index.json; give a folder that a pipeline's"
    ):
        open_pipeline(tmp_path)
    with pytest.raises(ConfigError, match="`dtype` float8 is unknown"):
        open_pipeline(pipeline_folder, dtype="float8")
    with pytest.raises(ConfigError, match="is a AutoencoderKL, which takes no prompts"):
        open_pipeline(tiny_pipeline().vae)
    with pytest.raises(ConfigError, match="`lora` is for a pipeline that is opened here"):
        open_pipeline(tiny_pipeline(), lora=tmp_path)
    broken = tmp_path / "broken"
    shutil.copytree(pipeline_folder, broken)
    (broken / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"the pipeline .*broken cannot be loaded \("):
        open_pipeline(broken)


def test_weights_that_no_file_has_are_refused(pipeline_folder, tmp_path):
    grown = tmp_path / "grown"
    shutil.copytree(pipeline_folder, grown)
    file = grown / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    del weights["conv_out.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(
        ConfigError, match=r"grown: 1 weights of its unet are in no file \(such as conv_out"
    ):
        open_pipeline(grown)
