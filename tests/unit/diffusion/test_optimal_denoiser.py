"""The theoretical optimum against the softmax written out, over all noise levels."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from audits import ratio_audit as audit
from scipy.special import softmax

from rote.core.errors import ConfigError, DataError
from rote.data.convert import from_model
from rote.data.dataset import Dataset
from rote.diffusion import optimal_denoiser as optimum
from rote.diffusion.optimal_denoiser import OptimalDenoiser
from rote.diffusion.sample import sample

SIGMAS = [0.002, 0.01, 0.05, 0.2, 0.5, 1.0, 3.0, 10.0, 80.0]


def naive(points, x, sigma):
    """The posterior mean from differences, float64: points (N, D), x (B, D)."""
    sq = ((x[:, None] - points) ** 2).sum(2)
    return softmax(-sq / (2 * sigma**2), axis=1) @ points


def in_model_units(dataset):
    """The images as models see them: float32 (N, D), widened to float64."""
    scaled = dataset.items.astype(np.float32) / np.float32(127.5) - np.float32(1)
    return scaled.reshape(len(dataset), -1).astype(np.float64)


def noisy(dataset, sigma, count=6):
    rng = np.random.default_rng(0)
    clean = in_model_units(dataset)[:count]
    return clean + sigma * rng.normal(size=clean.shape)


@pytest.mark.parametrize("chunk_bytes", [1, 64 * 8 * 7, 192 * 2**20])
@pytest.mark.parametrize("sigma", SIGMAS)
def test_equals_the_naive_posterior_mean(digits, sigma, chunk_bytes, monkeypatch):
    monkeypatch.setattr(optimum, "CHUNK_BYTES", chunk_bytes)
    data = digits.subset(200 if chunk_bytes == 1 else len(digits), seed=0)
    x = noisy(data, sigma)
    denoiser = OptimalDenoiser(data)
    found = denoiser(torch.from_numpy(x).view(-1, 1, 8, 8), torch.full((6,), sigma).double())
    expected = naive(in_model_units(data), x, sigma)
    # float64: |x|^2 - 2 x.y + |y|^2 over 64 dimensions is off by about 64 * 1e-16 * 64 = 4e-13 while
    # |x|^2 is near 64, an exponent by that over 2 sigma^2. Where several digits carry weight (the
    # nearest two are 1.5 apart, so above sigma = 0.2) this is 5e-12; below, one weight is 1.
    assert np.abs(found.numpy().reshape(6, -1) - expected).max() < 1e-10


def test_float64_vectors_equal_the_naive_mean_tightly():
    # Vectors are float32 at rest and are widened exactly: only float64 roundings remain. At sigma =
    # 0.01 a rounding of |x|^2 of 1e-15 moves an exponent by 1e-11 / 2.
    rng = np.random.default_rng(0)
    points = rng.normal(size=(50, 5)).astype(np.float32) * 0.1
    x = points[:7].astype(np.float64) + 0.01 * rng.normal(size=(7, 5))
    sigmas = np.geomspace(0.01, 80, 7)
    found = OptimalDenoiser(Dataset(points))(torch.from_numpy(x), torch.from_numpy(sigmas))
    for row, sigma in enumerate(sigmas):
        expected = naive(points.astype(np.float64), x[row : row + 1], sigma)
        assert np.allclose(found[row].numpy(), expected[0], rtol=0, atol=1e-11)


def test_conditional_sums_run_over_the_own_label(digits):
    data = digits.subset(300, seed=0)
    x = noisy(data, 1.0, count=20)
    labels = (torch.from_numpy(data.labels[:20]) + 3) % 10
    denoiser = OptimalDenoiser(data, conditional=True)
    assert denoiser.label_count == 10
    found = denoiser(torch.from_numpy(x).view(-1, 1, 8, 8), torch.ones(20).double(), labels)
    points = in_model_units(data)
    for row in range(20):
        own = points[data.labels == int(labels[row])]
        expected = naive(own, x[row : row + 1], 1.0)[0]
        assert np.abs(found[row].numpy().ravel() - expected).max() < 1e-10  # as above


def test_labels_of_ones_own_replace_those_of_the_data(digits):
    data = digits.subset(5, seed=0)
    unique = OptimalDenoiser(data, conditional=True, labels=torch.arange(5))
    x = torch.zeros(5, 1, 8, 8)
    found = unique(x, torch.full((5,), 80.0), torch.tensor([4, 3, 2, 1, 0]))
    # one point per label: that point, whatever x and sigma
    assert np.array_equal(found.numpy().reshape(5, -1), in_model_units(data)[::-1])


def test_small_noise_gives_the_nearest_point_and_large_noise_the_mean(digits):
    data = digits.subset(300, seed=0)
    points = in_model_units(data)
    denoiser = OptimalDenoiser(data)
    x = noisy(data, 0.3, count=40)
    batch = torch.from_numpy(x).view(-1, 1, 8, 8)
    near = denoiser(batch, torch.full((40,), 0.002)).numpy().reshape(40, -1)
    nearest = ((x[:, None] - points) ** 2).sum(2).argmin(1)
    assert np.array_equal(near, points[nearest])  # all other weights are below 1e-26
    far = denoiser(batch, torch.full((40,), 1e6)).numpy().reshape(40, -1)
    # weights differ from 1 / N by |x - y|^2 / 2e12 < 1e-10 of themselves
    assert np.abs(far - points.mean(0)).max() < 1e-10


def test_one_point_is_always_returned(digits):
    data = digits.subset(1, seed=0)
    x = torch.randn(9, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = OptimalDenoiser(data)(x, torch.logspace(-3, 3, 9))
    expected = torch.from_numpy(in_model_units(data).reshape(1, 1, 8, 8)).float()
    assert torch.equal(found, expected.expand(9, 1, 8, 8))


def test_duplicates_count_twice(digits):
    data = digits.subset(20, seed=0)
    doubled = data.take([*range(20), *range(20)])
    skewed = data.take([*range(20), 0])
    x = torch.from_numpy(noisy(data, 2.0)).view(-1, 1, 8, 8)
    sigma = torch.full((6,), 2.0).double()
    found = OptimalDenoiser(data)(x, sigma)
    assert torch.allclose(OptimalDenoiser(doubled)(x, sigma), found, rtol=0, atol=1e-12)  # float64
    points = in_model_units(skewed)
    expected = naive(points, x.numpy().reshape(6, -1), 2.0)
    assert np.abs(OptimalDenoiser(skewed)(x, sigma).numpy().reshape(6, -1) - expected).max() < 1e-10


@pytest.mark.parametrize("conditional", [False, True])
def test_sampling_it_returns_training_points_only(digits, conditional):
    data = digits.subset(200, seed=0)
    labels = torch.arange(100) % 10 if conditional else None
    denoiser = OptimalDenoiser(data, conditional=conditional)
    samples = sample(denoiser, range(100), shape=data.shape, labels=labels)
    generated = Dataset(from_model(samples, kind="image"))
    found = audit(generated, data)
    assert found.rate.value == 1.0
    assert (found.nn1_sq == 0).all()
    if conditional:
        assert data.labels[found.nn1_index].tolist() == labels.tolist()


def test_labels_that_are_not_there_are_one_line(digits):
    data = digits.subset(5, seed=0)
    x, sigma = torch.zeros(1, 1, 8, 8), torch.ones(1)
    with pytest.raises(DataError, match="bare has no labels to be conditional on"):
        OptimalDenoiser(Dataset(data.items, source="bare"), conditional=True)
    with pytest.raises(ConfigError, match="needs labels, one per image"):
        OptimalDenoiser(data, conditional=True)(x, sigma)
    with pytest.raises(ConfigError, match="a label was asked for that no training point has"):
        OptimalDenoiser(data, conditional=True, labels=torch.arange(5))(x, sigma, torch.tensor([5]))


MEMORY = """
import resource
import numpy as np
import torch
from rote.data.dataset import Dataset
from rote.diffusion.optimal_denoiser import OptimalDenoiser

torch.set_num_threads(1)
images = np.random.default_rng(0).integers(0, 256, (50_000, 32, 32, 3), dtype=np.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
denoiser = OptimalDenoiser(Dataset(images))
denoiser(torch.zeros(16, 3, 32, 32), torch.full((16,), 80.0))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_fifty_thousand_references_take_less_than_two_gigabytes():
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True)
    assert int(done.stdout) * 1024 < 2 * 10**9, done.stderr
