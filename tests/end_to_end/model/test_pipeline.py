"""`rote sample` and `rote prompts` of a pipeline, and an audit of what it made."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command import run_here
from made_once import made_once
from PIL import Image
from pipelines import saved, tiny_pipeline

import rote
from rote.data.load import load_images

pytest.importorskip("diffusers")
COPIES = 0.6


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill a folder with a pipeline, captioned digits to train on, and control prompts."""
    folder = tmp_path_factory.mktemp("room")
    (folder / "pipeline").symlink_to(made_once(tmp_path_factory, "pipeline", saved))
    (folder / "train").mkdir()
    rows = []
    for number, image in enumerate(load_images("digits").items[:40, ..., 0]):
        Image.fromarray(image).convert("RGB").save(folder / "train" / f"{number}.png")
        rows.append({"file_name": f"{number}.png", "text": f"digit {number}"})
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "train" / "metadata.jsonl").write_text(lines)
    (folder / "few.txt").write_text("a cat\nthe dog\n")
    (folder / "control.txt").write_text("red\n")
    return folder


def test_images_of_prompts_are_made_and_audited(room: Path) -> None:
    how = ("--per-caption", "2", "--steps", "2", "--guidance", "2", "--device", "cpu")
    ask = ("--prompts", "few.txt", "--control-prompts", "control.txt")
    done = run_here("sample", "pipeline", *ask, *how, "--out", "samples", cwd=room)
    assert done.returncode == 0, done.stderr
    assert "images: 4 in samples/prompts, 2 in samples/control" in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("which are copies: rote audit samples TRAINING --resolution 8")
    words = last.partition("rote ")[2].replace("TRAINING", "train").split()
    audit = run_here(*words, "--json", "--positive-control", "0", cwd=room)
    assert audit.returncode == 0, audit.stderr
    found = json.loads(audit.stdout)
    assert found["rate"]["total"] == 6 and found["ruler"]["autoencoder"]["name"] == "pipeline"
    assert found["captions"]["sets"]["control"]["captions"] == 3, "none of them is in training"
    again = run_here("sample", "pipeline", *ask, *how, "--out", "samples", cwd=room)
    assert again.returncode == 0, again.stderr
    other = run_here("sample", "pipeline", *ask, *how, "--seed", "1", "--out", "samples", cwd=room)
    assert other.returncode == 1 and "seed is 0 there and 1 here" in other.stderr


def test_a_dry_run_makes_nothing(room: Path) -> None:
    ask = ("sample", "pipeline", "--prompts", "train", "--per-caption", "3", "--dry-run")
    done = run_here(*ask, "--out", "dry", cwd=room)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("120 images of 8 x 8 in 50 steps, 4 at a time\nmemory about ")
    assert not (room / "dry").exists()


def test_prompts_are_screened(room: Path) -> None:
    ask = ("--prompts", "few.txt", "--control-prompts", "control.txt", "--draws", "1")
    done = run_here("prompts", "pipeline", *ask, "--json", "--out", "screened", cwd=room)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    written = json.loads((room / "screened" / "prompts.json").read_text())
    assert written == {"format_version": 1, **found}
    assert found["roc"]["members"] == 2 and found["roc"]["others"] == 1
    text = run_here("prompts", "pipeline", *ask, cwd=room)
    assert (
        text.stdout.startswith("AUC ") and "What is copied, an audit of images says" in text.stdout
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pipeline",), "a pipeline needs --prompts: a text file"),
        (("pipeline", "--prompts", "gone.txt"), "--prompts gone.txt does not exist"),
        (("pipeline", "--prompts", "training"), "--prompts training does not exist"),
        (("pipeline", "--prompts", "few.txt", "--churn", "3"), "--churn is for a model of `rote train`"),
        (("pipelin", "--prompts", "few.txt"), "pipelin does not exist (did you mean 'pipeline'?)"),
        (("train", "--dry-run"), "--dry-run is for a pipeline of diffusers, and train has no"),
        (("train", "--guidance", "3"), "--guidance is for a pipeline of diffusers, and train has no"),
        (
            ("pipeline", "--prompts", "few.txt", "--control-prompts", "train/0.png"),
            "--control-prompts train/0.png is no text file",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)  # fmt: skip
def test_what_cannot_be_sampled_is_one_line(room: Path, arguments, said: str) -> None:
    done = run_here("sample", *arguments, "--out", "none", cwd=room)
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if said in line], done.stderr
    assert not (room / "none").exists()


def test_a_pipeline_that_copies_now_and_then_is_measured(room: Path, tmp_path: Path) -> None:
    """The caption's own image with probability p, else a digit that is no training image."""
    from diffusers import StableDiffusionPipeline

    digits = np.repeat(load_images("digits").items, 3, axis=3)

    class Copier(StableDiffusionPipeline):
        def __call__(
            self,
            prompt: list[str],
            generator: list[torch.Generator],
            guidance_scale: float = 7.5,
            num_inference_steps: int = 50,
            output_type: str = "np",
        ) -> Any:
            images = []
            for text, source in zip(prompt, generator, strict=True):
                copies, other = torch.rand(2, generator=source).tolist()
                own = int(text.split()[1])
                images.append(digits[own if copies < COPIES else 1000 + int(other * 700)] / 255)
            return type("Output", (), {"images": np.stack(images)})

    copier = Copier(**tiny_pipeline().components, requires_safety_checker=False)
    out = rote.sample_pipeline(
        copier, rote.PromptSets(prompts=room / "train", per_caption=5), out=tmp_path / "out"
    )
    found = rote.audit(out / "prompts", room / "train", positive_control=0)
    assert found.rate.total == 200
    assert found.rate.low < COPIES < found.rate.high
    rows = [
        json.loads(line) for line in (out / "prompts" / "metadata.jsonl").read_text().splitlines()
    ]
    prompts = {row["file_name"]: row["text"] for row in rows}
    copied = np.flatnonzero(found.memorized)
    # Training files sort as text, and their caption is their number.
    for place in copied:
        source = Path(found.training.names[found.nn1_index[place]]).stem
        assert prompts[found.generated.names[place]] == f"digit {source}"
