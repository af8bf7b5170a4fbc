"""On a GPU: a training step runs, sampling works, neighbors equal the CPU's integers."""

import numpy as np
import pytest
import torch

from rote.data.load import load_images
from rote.diffusion.config import ModelConfig, SampleConfig, TrainConfig
from rote.diffusion.preconditioning import build_denoiser
from rote.diffusion.sample import sample
from rote.diffusion.training.loop import train
from rote.neighbors.gpu import index as gpu_index
from rote.neighbors.gpu.index import DeviceIndex
from rote.neighbors.gpu.transfer import pinned
from rote.neighbors.search import nearest_neighbors

# tests/conftest.py skips these where torch sees no CUDA device.
pytestmark = pytest.mark.cuda

MODEL = ModelConfig(width=8, channel_mult=(1, 2), blocks=1, attention_resolutions=(4,), dropout=0.1)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_runs_and_leaves_the_global_generators_alone(tmp_path, precision):
    data = load_images("digits").subset(20, seed=0)
    config = TrainConfig(batch=8, images=32, labels="true", precision=precision)
    before = torch.get_rng_state(), torch.cuda.get_rng_state()
    found = train(data, MODEL, config, out=tmp_path, seed=0, device="cuda")
    assert all(torch.isfinite(p).all() for p in found.denoiser().parameters())
    assert torch.equal(before[0], torch.get_rng_state())
    assert torch.equal(before[1], torch.cuda.get_rng_state())


def test_building_leaves_the_gpus_generator_alone():
    before = torch.cuda.get_rng_state()
    build_denoiser(MODEL, (1, 8, 8), label_count=0, seed=7)
    assert torch.equal(before, torch.cuda.get_rng_state())


def test_sampling_agrees_with_the_cpu():
    denoiser = build_denoiser(MODEL, (1, 8, 8), label_count=0, seed=0).eval()
    config = SampleConfig(steps=4, tile=8)
    on_cpu = sample(denoiser, range(8), shape=(1, 8, 8), config=config)
    on_gpu = sample(denoiser.cuda(), range(8), shape=(1, 8, 8), config=config, device="cuda")
    # The same noise, float64 states, strict float32 networks that start near zero.
    assert torch.allclose(on_cpu, on_gpu, rtol=0, atol=1e-3)


def test_neighbors_equal_the_cpus_integers_with_tf32_switched_on():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (500, 32, 32, 3), dtype=np.uint8)
    near = images.copy()
    near[:, 0, 0, 0] ^= 1
    torch.set_float32_matmul_precision("medium")
    try:
        on_gpu = nearest_neighbors(images, near, k=5, device="cuda")
    finally:
        torch.set_float32_matmul_precision("highest")
    on_cpu = nearest_neighbors(images, near, k=5)
    assert np.array_equal(on_cpu.indices, on_gpu.indices)
    assert np.array_equal(on_cpu.sq_distances, on_gpu.sq_distances)
    vectors = rng.normal(size=(300, 200))
    on_gpu = nearest_neighbors(vectors[:50], vectors, k=5, device="cuda")
    on_cpu = nearest_neighbors(vectors[:50], vectors, k=5)
    assert np.array_equal(on_cpu.indices, on_gpu.indices)
    assert np.array_equal(on_cpu.sq_distances, on_gpu.sq_distances)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("room", [0, 100_000, 2**40])
def test_streamed_and_resident_references_give_the_cpus_bits(monkeypatch, dtype, room):
    monkeypatch.setattr(gpu_index, "BLOCK_ROWS", 64)
    monkeypatch.setattr(gpu_index, "FIRST_ROWS", 32)
    rng = np.random.default_rng(1)
    references = rng.integers(0, 256, (1000, 300)).astype(dtype)
    references[700:] = references[:300]
    queries = references[::9].copy()
    queries[:, 0] = 3
    expected = nearest_neighbors(queries, references, k=7)
    search = DeviceIndex(references, device="cuda", room=room)
    for _ in range(3):
        indices, sq = search.nearest(queries, 7)
        assert np.array_equal(indices, expected.indices)
        assert np.array_equal(sq, expected.sq_distances)


def test_pinned_memory_is_sent_from_where_it_lies():
    items = torch.randint(0, 256, (5000, 64), dtype=torch.uint8, pin_memory=True).numpy()
    assert pinned(items) is not None
    assert pinned(items.copy()) is None
    found = DeviceIndex(items, device="cuda", room=0).nearest(items[:50], 3)
    expected = nearest_neighbors(items[:50], items, k=3)
    assert np.array_equal(found[0], expected.indices)
