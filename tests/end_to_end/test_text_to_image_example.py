"""`examples/text_to_image` in two steps of training: pictures, a pipeline, a LoRA, their images."""

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from command import run_here
from PIL import Image
from pipelines import tiny_pipeline

import rote
from rote.spaces.autoencoder import load_autoencoder

pytest.importorskip("diffusers")
FOLDER = Path(__file__).parents[2] / "examples" / "text_to_image"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.chdir(tmp_path)

    def run(name: str, *arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        importlib.import_module(name).main()

    yield run
    for name in ("pictures", "fine_tune", "make", "trainer"):
        sys.modules.pop(name, None)


def package(folder: Path) -> None:
    """Lay out ten pictures as the npm package does."""
    images = folder / "img" / "google" / "64"
    images.mkdir(parents=True)
    rows = []
    for number in range(10):
        pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 4)).astype(np.uint8)
        Image.fromarray(pixels).save(images / f"{number}.png")
        row = {"name": f"CAT {number}", "image": f"{number}.png", "has_img_google": True}
        rows.append(row | {"category": "Cats & Dogs" if number < 6 else "Cats"})
    (folder / "emoji.json").write_text(json.dumps(rows))


def test_the_example_makes_what_rote_can_sample(script, tmp_path: Path, capsys) -> None:
    package(tmp_path / "package")
    sizes = ("--size", "3", "--repeat", "1x3", "--holdout", "2", "--resolution", "16")
    script("pictures", "package", *sizes, "--out", "pictures")
    rows = [json.loads(line) for line in open_lines(tmp_path / "pictures/train/metadata.jsonl")]
    assert [row["text"] for row in rows].count(rows[0]["text"]) == 3 and len(rows) == 5
    script("pictures", "package", *sizes, "--by-category", "--out", "sorted")
    read = rote.load_images("sorted/train")
    assert set(read.classes) <= {"Cats & Dogs", "Cats"} and read.labels is not None
    assert sorted(read.captions) == sorted(row["text"] for row in rows)
    tiny = tiny_pipeline(tokens=24)
    tiny.text_encoder.save_pretrained("bert")
    tiny.tokenizer.save_pretrained("bert")
    few = ("--steps", "2", "--autoencoder-steps", "2", "--batch", "2")
    script("make", "pictures", *few, "--text-encoder", "bert", "--out", "pipeline")
    watch = ("--every", "4", "--samples", "2", "--holdout", "pictures/holdout", "--batch", "2")
    tune = ("--lora", "2", "--every-layer", "--steps", "2", *watch, "--out", "lora")
    script("fine_tune", "pipeline", "pictures/train", *tune)
    assert "memorized" in capsys.readouterr().out, "a look after four images"
    ask = ("--prompts", "pictures/train", "--per-caption", "1", "--steps", "2", "--out", "tuned")
    done = run_here("sample", "pipeline", "--lora", "lora", *ask, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert rote.load_images("tuned").items.shape == (3, 16, 16, 3)


COPY = """
import numpy as np, rote

def trainer(job):
    items = job.data.items
    give = lambda num, seed: items[np.random.default_rng(seed).integers(len(items), size=num)]
    return rote.TrainedModel(images_seen=1, sample=give, reusable=True)
"""


def test_a_search_trains_on_pictures_as_the_autoencoder_gives_them_back(tmp_path: Path) -> None:
    tiny_pipeline().save_pretrained(tmp_path / "pipeline")
    (tmp_path / "copies_what_it_is_given.py").write_text(COPY)
    digits = rote.load_images("digits", channels=3).take(range(12))
    np.savez(tmp_path / "digits.npz", images=digits.items)
    few = ("search.start=4", "search.max_runs=2", "search.fresh_samples=16")
    ask = ["emm", "digits.npz", "--trainer", "copies_what_it_is_given:trainer", "--workers", "1"]
    ask += [word for setting in few for word in ("--set", setting)]
    ask += ["--through-autoencoder", "pipeline", "--out", "emm"]
    done = run_here(*ask, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "emm/emm.json").read_text())
    assert told["data"]["source"].endswith("through pipeline")
    (made, *_) = sorted((tmp_path / "emm").rglob("fresh.npz"))
    expected = load_autoencoder(str(tmp_path / "pipeline")).round_trip(digits).items
    with np.load(made) as file:
        assert {one.tobytes() for one in file["images"]} <= {one.tobytes() for one in expected}


def test_the_trainer_trains_on_the_captions_of_its_subset(script, tmp_path: Path) -> None:
    tiny_pipeline().save_pretrained("pipeline")
    module = importlib.import_module("trainer")
    digits = rote.load_images("digits", channels=3).take(range(3))
    data = replace(digits, captions=("a cat", "the dog", "red"))
    before = tiny_pipeline().unet.state_dict()
    for rank in (0, 2):
        job = rote.TrainingJob(
            data=data,
            seed=1,
            folder=tmp_path,
            device="cpu",
            threads=1,
            settings={"pipeline": "pipeline", "steps": 2, "lora": rank},
            should_stop=lambda: False,
        )
        model = module.trainer(job)
        assert model.images_seen == 32
        pipeline, captions = model.sample.args
        assert captions == ["a cat", "the dog", "red"]
        kept = pipeline.unet.state_dict()
        same = all(torch.equal(kept[key], value) for key, value in before.items() if key in kept)
        assert same == (rank == 2), "a LoRA leaves the weights beside it as they are"
        one = model.sample(2, 5)
        assert one.shape == (2, 8, 8, 3) and one.min() >= 0 and one.max() <= 1
        assert (one == model.sample(2, 5)).all() and (one != model.sample(2, 6)).any()


def open_lines(path: Path) -> list[str]:
    return path.read_text().splitlines()
