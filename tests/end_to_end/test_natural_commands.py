"""What people type in a shell before they have read anything: it works, or one line says what does."""

import json
from pathlib import Path

import pytest
from command import run_here
from PIL import Image

from rote.data.load import load_images


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill a folder with samples/, of 25 digits with five copies, and train/, of 200."""
    folder = tmp_path_factory.mktemp("natural")
    images = load_images("digits").items[..., 0]
    for name, places in (("train", range(200)), ("samples", [*range(5), *range(1500, 1520)])):
        (folder / name).mkdir()
        for place in places:
            Image.fromarray(images[place]).save(folder / name / f"{place:04}.png")
    (folder / "pipeline" / "unet").mkdir(parents=True)
    (folder / "pipeline" / "model_index.json").write_text("{}")
    (folder / "lora.safetensors").write_bytes(b"weights")
    (folder / "lora").mkdir()
    (folder / "lora" / "pytorch_lora_weights.safetensors").write_bytes(b"weights")
    return folder


AUDIT = ("--positive-control", "0", "--device", "cpu", "--no-cache")
WORKS = {
    "two folders": (("audit", "samples", "train"), 0, "memorization rate 0.2 "),
    "folders with a slash": (("audit", "samples/", "train/"), 0, "5 of 25"),
    "flags": (("audit", "--generated", "samples", "--training", "train"), 0, "5 of 25"),
    "one of each": (("audit", "samples", "--training", "train"), 0, "5 of 25"),
    "a gate in percent": (("audit", "samples", "train", "--fail-above", "1%"), 3, "5 of 25"),
    "a gate as a fraction": (("audit", "samples", "train", "--fail-above", ".01"), 3, "5 of 25"),
    "a gate that holds": (("audit", "samples", "train", "--fail-above", "50%"), 0, "5 of 25"),
    "a name": (("audit", "samples", "digits"), 0, "5 of 25"),
}
ONE_LINE = {
    "a pipeline": (
        ("audit", "pipeline", "train"),
        "pipeline is a pipeline of diffusers; `rote sample pipeline --prompts TRAINING --out samples`",
    ),
    "a LoRA": (
        ("audit", "lora.safetensors", "train"),
        "of a LoRA, `rote sample PIPELINE --lora lora.safetensors --prompts TRAINING --out samples`",
    ),
    "the folder of a LoRA": (
        ("audit", "lora", "train"),
        "of a LoRA, `rote sample PIPELINE --lora lora --prompts TRAINING --out samples`",
    ),
    "both ways": (
        ("audit", "samples", "train", "--training", "train"),
        "TRAINING is given twice, as train and as --training train; give it once",
    ),
    "data twice": (("emm", "digits", "--data", "wine", "--out", "o"), "DATA is given twice"),
    "five for five percent": (
        ("audit", "samples", "train", "--fail-above", "5"),
        "--fail-above is 5",
    ),
    "a near device": (("train", "--out", "o", "--device", "gpu"), "--device gpu is unknown"),
    "a near preset": (("emm", "--out", "o", "--preset", "tinny"), "did you mean 'tiny'"),
    "a near word": (("audit", "samples", "train", "--resize", "crob"), "did you mean 'crop'"),
    "a near set": (("audit", "samples", "digit"), "did you mean 'digits'"),
    "a missing folder": (
        ("audit", "sample/", "train"),
        "'sample/' does not exist (did you mean 'samples'?); give --generated",
    ),
}
USAGE = {
    "one side": (("audit", "samples"), "Missing TRAINING (or --training)."),
    "three sides": (("audit", "samples", "train", "test"), "unexpected extra argument"),
    "a near option": (("audit", "samples", "train", "--fail-abov", "1%"), "--fail-above"),
    "a near command": (("audti", "samples", "train"), "Did you mean 'audit'?"),
    "no number": (("audit", "samples", "train", "--fail-above", "few"), "such as 0.01 or 1%"),
}


@pytest.mark.parametrize("name", WORKS)
def test_it_works(name: str, room: Path) -> None:
    arguments, code, said = WORKS[name]
    done = run_here(*arguments, *AUDIT, cwd=room)
    assert done.returncode == code, done.stderr
    assert said in done.stdout


@pytest.mark.parametrize("name", ONE_LINE)
def test_one_line_says_what_works(name: str, room: Path) -> None:
    arguments, said = ONE_LINE[name]
    done = run_here(*arguments, cwd=room)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr


@pytest.mark.parametrize("name", USAGE)
def test_wrong_usage_says_the_right_one(name: str, room: Path) -> None:
    arguments, said = USAGE[name]
    done = run_here(*arguments, cwd=room)
    assert done.returncode == 2
    assert said in done.stderr


def test_data_by_position_are_those_of_the_flag(room: Path) -> None:
    plans = []
    for data in (("train",), ("--data", "train")):
        done = run_here("emm", *data, "--out", "o", "--dry-run", cwd=room)
        plans.append(json.loads(done.stdout))
        times = [row.pop("training_seconds") for row in plans[-1]["first_round"]]
        assert min(times) > 0 and f"train for about {min(times):,.3g}" in done.stderr
    assert plans[0] == plans[1]
    done = run_here("train", "train", "--out", "o", "--dry-run", cwd=room)
    assert json.loads(done.stdout)["seconds"] > 0
    assert not (room / "o").exists()


def test_a_shell_completes_commands_flags_and_choices(room: Path, monkeypatch) -> None:
    monkeypatch.setenv("_ROTE_COMPLETE", "complete_bash")
    for typed, expected in (
        ("rote au", {"audit"}),
        ("rote audit --fal", {"--false-positive-rate"}),
        ("rote train --preset s", {"small"}),
        ("rote audit a b --resize ", {"crop", "squeeze", "pad"}),
    ):
        words = typed.split(" ")
        monkeypatch.setenv("COMP_WORDS", typed)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        done = run_here(cwd=room)
        assert set(done.stdout.split()) == expected, typed
