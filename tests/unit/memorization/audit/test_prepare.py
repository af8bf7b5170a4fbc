"""What is done to images before they are measured: resolution, and a latent model's autoencoder."""

import json

import numpy as np
import pytest
import torch
from audits import ratio_audit as audit

from rote.core.errors import ConfigError, DataError
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.data.resample import fit_images
from rote.report import write_report
from rote.spaces.autoencoder import load_autoencoder


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


def test_the_ruler_measures_at_its_resolution(digits, tmp_path):
    generated, training = digits.take(range(100, 150)), digits.take(range(100))
    found = audit(generated, training, ruler_resolution=4)
    small = [
        Dataset(fit_images(side.items, resolution=4, channels=None))
        for side in (generated, training)
    ]
    assert found.nn1_sq.tolist() == audit(*small).nn1_sq.tolist()
    found.save(tmp_path)
    value = json.loads((tmp_path / "audit.json").read_text())
    assert value["ruler"] == {"resolution": 4, "given": [1, 8, 8], "autoencoder": None}
    assert value["training"]["shape"] == [1, 4, 4]
    page = write_report(tmp_path).read_text()
    assert '<dt>Measured at</dt><dd class="num"><bdi>4 × 4</bdi></dd>' in page


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory):
    diffusers = pytest.importorskip("diffusers")
    torch.manual_seed(0)
    network = diffusers.AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        latent_channels=4,
    )
    folder = tmp_path_factory.mktemp("latent") / "vae"
    network.save_pretrained(folder)
    return folder


def test_real_images_go_through_the_autoencoder(digits, autoencoder):
    training, holdout = digits.take(range(30)), digits.take(range(30, 60))
    loaded = load_autoencoder(str(autoencoder))
    through = loaded.round_trip(training)
    assert through.items.shape == training.items.shape
    assert not (through.items == training.items).all()
    (autoencoder.parent / "model_index.json").write_text("{}")  # the folder of a pipeline
    whole = load_autoencoder(str(autoencoder.parent))
    names = (loaded.name, whole.name)
    assert (
        names == ("vae", autoencoder.parent.name) and whole.weights_sha256 == loaded.weights_sha256
    )
    one = loaded.round_trip(training.take(np.array([17])))
    assert (one.items[0] == through.items[17]).all()
    # Copies as a latent model makes them, and the same audit without the round trip.
    found = audit(through, training, holdout=holdout, through_autoencoder=str(autoencoder))
    assert found.rate.value == 1.0 and (found.nn1_sq == 0).all()
    assert found.control is not None and found.control.total == 30
    assert (audit(through, training).nn1_sq > 0).all()
    assert found.preprocessing is not None and found.preprocessing.autoencoder is not None
    assert found.preprocessing.autoencoder["name"] == "vae"
    assert len(found.preprocessing.autoencoder["weights_sha256"]) == 64


def test_what_does_not_fit_is_one_line(digits, autoencoder, tmp_path):
    images = Dataset(np.zeros((3, 9, 9, 1), np.uint8))
    with pytest.raises(DataError, match=r"takes sizes that are multiples of 2, and .* of 9x9"):
        load_autoencoder(str(autoencoder)).round_trip(images)
    vectors = Dataset(np.eye(3, dtype=np.float32))
    with pytest.raises(DataError, match="`through_autoencoder` is for images"):
        load_autoencoder(str(autoencoder)).round_trip(vectors)
    with pytest.raises(ConfigError, match=r"cannot be loaded .* give a folder with config.json"):
        load_autoencoder(str(tmp_path))
    with pytest.raises(ConfigError, match="`ruler_resolution` is for images"):
        audit(vectors, vectors, ruler_resolution=2)
    with pytest.raises(ConfigError, match="`ruler_resolution` is 0"):
        audit(digits, digits, ruler_resolution=0)
