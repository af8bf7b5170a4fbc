"""Networks that a person brings, and those of the hub: what is taken, and one line for what is not."""

import hashlib
import sys
import warnings

import numpy as np
import pytest
import torch

from rote.core.errors import ConfigError, DataError
from rote.spaces import open_space

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)


class Mean(torch.nn.Module):
    """Mean over places of each channel, thrice."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3)).repeat(1, 3)


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("given") / "mean.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(Mean(), torch.zeros(16, 3, 16, 16)).save(str(path))
    return path


def test_a_torchscript_file_sees_what_the_options_say(script):
    space = open_space(f"torchscript:{script}")
    means = IMAGES.mean(axis=(1, 2)) / 255
    assert space.features(IMAGES) == pytest.approx(np.tile(means, 3), abs=1e-6)
    half = open_space(f"torchscript:{script}?norm=half")
    assert half.features(IMAGES) == pytest.approx(np.tile(means, 3) * 2 - 1, abs=1e-5)
    cosine = open_space(f"torchscript:{script}?metric=cosine&size=8")
    assert np.linalg.norm(cosine.features(IMAGES), axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert "shorter side to 8" in cosine.describe()["preprocessing"]
    assert space.describe()["weights_sha256"] == hashlib.sha256(script.read_bytes()).hexdigest()
    assert space.name == "torchscript:mean.pt"
    assert half.name == "torchscript:mean.pt?norm=half"


def test_a_hash_can_be_pinned(script):
    digest = hashlib.sha256(script.read_bytes()).hexdigest()
    assert open_space(f"torchscript:{script}#sha256={digest}").weights_sha256 == digest
    with pytest.raises(ConfigError, match="it holds other weights"):
        open_space(f"torchscript:{script}#sha256={'0' * 64}")


def test_sscd_has_512_numbers(script):
    space = open_space(f"sscd:{script}")
    assert "shorter side to 288" in space.preprocessing and space.metric == "cosine"
    with pytest.raises(DataError, match="gave rows of 9 numbers, and 512 are expected"):
        space.features(IMAGES)


def test_an_onnx_file_equals_its_own_formula(tmp_path):
    pytest.importorskip("onnxruntime")
    path = tmp_path / "flat.onnx"
    path.write_bytes(flatten_as_onnx())
    space = open_space(f"onnx:{path}?norm=half")
    expected = IMAGES.transpose(0, 3, 1, 2).reshape(5, -1) / 127.5 - 1
    assert space.features(IMAGES) == pytest.approx(expected, abs=1e-6)
    (tmp_path / "no.onnx").write_bytes(b"no network")
    with pytest.raises(ConfigError, match="is no ONNX file"):
        open_space(f"onnx:{tmp_path / 'no.onnx'}")


def flatten_as_onnx() -> bytes:
    """The protobuf of a graph y = Flatten(x), written by hand: no package writes ONNX here."""

    def field(number: int, payload: bytes) -> bytes:
        return bytes([number << 3 | 2, len(payload)]) + payload

    def number(tag: int, value: int) -> bytes:
        return bytes([tag << 3, value])

    def value(name: bytes, rank: int) -> bytes:
        dims = b"".join(field(1, field(2, b"d%d" % n + name)) for n in range(rank))
        tensor = number(1, 1) + field(2, dims)  # elem_type float
        return field(1, name) + field(2, field(1, tensor))

    node = field(1, b"x") + field(2, b"y") + field(4, b"Flatten")
    graph = field(1, node) + field(2, b"g") + field(11, value(b"x", 4)) + field(12, value(b"y", 2))
    return number(1, 8) + field(7, graph) + field(8, number(2, 13))


MODULE = """
import numpy as np

def mean(images):
    return images.mean(axis=(1, 2)).astype("float32")

def broken(images):
    raise KeyError("x")

def few(images):
    return images[:2]

number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    name = f"my_spaces_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    yield name
    sys.modules.pop(name, None)


def test_a_function_is_a_space(module):
    space = open_space(f"{module}:mean")
    assert space.features(IMAGES) == pytest.approx(IMAGES.mean(axis=(1, 2)), abs=1e-4)
    assert space.name == f"{module}:mean" and len(space.describe()["weights_sha256"]) == 64
    with pytest.raises(DataError, match="raised KeyError"):
        open_space(f"{module}:broken").features(IMAGES)
    with pytest.raises(DataError, match=r"gave \(2, 16, 16, 3\) for 32 images"):
        open_space(f"{module}:few").features(IMAGES)
    for name in ("number", "nothing"):
        with pytest.raises(ConfigError, match=f"has no function {name}"):
            open_space(f"{module}:{name}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("torchscript", "`space` torchscript needs a file; give `space` torchscript:PATH"),
        ("torchscript:no.pt", "there is no file no.pt"),
        ("sscd", "get sscd_disc_mixup.torchscript.pt from github.com/facebookresearch"),
        ("no_module_here:f", "is unknown.*and there is no module no_module_here"),
        ("dinov2:nowhere", "nowhere holds no model.safetensors; get config.json and"),
        ("clip?crop=3", r"\?crop= is unknown \(known: size\)"),
    ],
)
def test_what_is_not_there_is_one_line(text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        open_space(text)
    assert "\n" not in str(caught.value)


def test_options_of_files_are_checked(script, tmp_path):
    for query, message in (
        ("norm=imagnet", r"norm=imagnet is unknown \(did you mean 'imagenet'\?\)"),
        ("metric=cosin", "metric=cosin is unknown"),
        ("sise=3", r"\?sise= is unknown \(did you mean 'size'\?\)"),
    ):
        with pytest.raises(ConfigError, match=message):
            open_space(f"torchscript:{script}?{query}")
    (tmp_path / "no.pt").write_bytes(b"no network")
    with pytest.raises(ConfigError, match="is no TorchScript file"):
        open_space(f"torchscript:{tmp_path / 'no.pt'}")


def test_dinov2_and_clip_from_a_folder(tmp_path):
    transformers = pytest.importorskip("transformers")
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    dino = transformers.Dinov2Model(
        transformers.Dinov2Config(**small, image_size=28, patch_size=14, mlp_ratio=2)
    )
    vision = transformers.CLIPVisionConfig(
        **small, intermediate_size=64, image_size=32, patch_size=8, projection_dim=24
    )
    clip = transformers.CLIPVisionModelWithProjection(vision)
    for name, model, size, width in (("dinov2", dino, 28, 32), ("clip", clip, 32, 24)):
        folder = tmp_path / name
        model.save_pretrained(folder)
        space = open_space(f"{name}:{folder}?size={size}")
        rows = space.features(IMAGES)
        assert rows.shape == (5, width)
        assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(5), abs=1e-6)
        prepared = space.prepare(IMAGES)
        with torch.inference_mode():
            output = model.eval()(pixel_values=prepared)
        expected = output.pooler_output if name == "dinov2" else output.image_embeds
        expected = torch.nn.functional.normalize(expected, dim=1).numpy()
        assert rows == pytest.approx(expected, abs=1e-5)
        digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        assert space.weights_sha256 == digest


def test_the_hub_that_cannot_be_reached_is_one_line(monkeypatch, tmp_path):
    pytest.importorskip("transformers")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match=r"its weights cannot be had .* give `space` dinov2:FOLD"):
        open_space("dinov2")
