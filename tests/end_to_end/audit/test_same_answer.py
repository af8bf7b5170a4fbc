"""`rote audit` and `rote.audit` say the same of the same files."""

import io
import json

import numpy as np
from audits import answer
from command import run_here
from PIL import Image

import rote


def twin(image):
    """Return an image as JPEG keeps it."""
    held = io.BytesIO()
    Image.fromarray(image).save(held, "JPEG", quality=90, subsampling=0)
    return np.asarray(Image.open(held))


def textures(count, *, seed):
    rng = np.random.default_rng(seed)
    for small in rng.integers(0, 256, (count, 6, 6, 3), dtype=np.uint8):
        large = Image.fromarray(small).resize((32, 32), Image.Resampling.BICUBIC)
        yield np.asarray(large)


def said(*words, cwd):
    done = run_here("audit", *words, "--no-cache", "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return answer(json.loads(done.stdout))


def as_json(found):
    return answer(json.loads(json.dumps(found.to_json())))


def test_of_noisy_copies_where_the_training_set_holds_twins(tmp_path, monkeypatch):
    pictures = np.stack(list(textures(120, seed=0)))
    noise = np.random.default_rng(1).normal(0, 6, (40, 32, 32, 3))
    made = (pictures[:40] + noise).round().clip(0, 255).astype(np.uint8)
    np.savez(tmp_path / "made.npz", images=np.concatenate([made, *[list(textures(20, seed=2))]]))
    np.savez(tmp_path / "training.npz", images=[*pictures, *map(twin, pictures)])
    monkeypatch.chdir(tmp_path)
    command = said("--generated", "made.npz", "--training", "training.npz", cwd=tmp_path)
    found = rote.audit(rote.load_images("made.npz"), rote.load_images("training.npz"))
    assert as_json(found) == command
    assert (found.rate.count, found.rate.total) == (40, 60)
    assert found.positive and len(found.within.nn1_index) == 240


def test_of_vectors_with_all_that_may_stand_beside_the_rate(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(160, 3)) * [1, 10, 1000]).astype(np.float32)
    np.savez(tmp_path / "made.npz", images=rows[60:120], labels=np.arange(60) // 10)
    np.savez(tmp_path / "training.npz", images=rows[:80])
    np.savez(tmp_path / "fresh.npz", images=rows[120:])
    monkeypatch.chdir(tmp_path)
    words = ["--quality", "--population", "--cluster-by", "label", "--fail-above", "0.9"]
    words += ["--criterion", "ratio", "--criterion", "carlini", "--seed", "5"]
    sides = ["--generated", "made.npz", "--training", "training.npz", "--holdout", "fresh.npz"]
    command = said(*sides, *words, cwd=tmp_path)
    made, training, fresh = (rote.load_images(f"{n}.npz") for n in ("made", "training", "fresh"))
    options = {"quality": True, "population": True, "cluster_by": "label", "fail_above": 0.9}
    found = rote.audit(
        made, training, holdout=fresh, criterion=["ratio", "carlini"], seed=5, **options
    )
    assert as_json(found) == command
    assert found.rate.count == 20 and found.supplement.clusters.by == "label"
