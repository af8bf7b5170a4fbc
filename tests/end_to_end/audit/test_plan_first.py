"""`rote audit` tells its plan before anything is decoded, and brings photographs to the samples' size."""

import json
from pathlib import Path

import numpy as np
import pytest
from command import run_here
from PIL import Image

from rote.data.files import archives


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Square samples of 16 pixels, and photographs of several sizes, of which one is their square."""
    folder = tmp_path_factory.mktemp("sizes")
    rng = np.random.default_rng(0)
    (folder / "made").mkdir()
    (folder / "photographs").mkdir()
    for number in range(30):
        width, height = ((24, 16), (16, 32), (40, 20))[number % 3]
        picture = Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))
        picture.save(folder / "photographs" / f"{number}.png")
        if number < 4:
            side = min(width, height)
            left, top = (width - side) // 2, (height - side) // 2
            square = picture.crop((left, top, left + side, top + side))
            square = square.resize((16, 16), Image.Resampling.LANCZOS)
            square.save(folder / "made" / f"{number}.png")
    return folder


SIDES = ("audit", "--generated", "made", "--training", "photographs")


def test_photographs_are_brought_to_the_size_of_the_samples(room: Path) -> None:
    done = run_here(*SIDES, "--positive-control", "0", "--out", "out", "--json", cwd=room)
    assert done.returncode == 0, done.stderr
    said = (
        "--training: images of 24x16, 16x32, 40x20 are brought to 16x16, as the generated ones are"
    )
    assert said in done.stderr
    assert "--resize crop" in done.stderr
    found = json.loads(done.stdout)
    assert found["training"]["shape"] == [3, 16, 16]
    treated = {one["what"]: one["count"] for one in found["training"]["account"]["treated"]}
    assert treated["not square"] == treated["of another size"] == 30
    assert found["rate"]["count"] == 4  # the trainer's crop finds every copy


def test_samples_in_buckets_of_several_sizes_are_cut_to_squares_as_their_photographs_are(
    room: Path,
) -> None:
    (room / "buckets").mkdir()
    for number, path in enumerate(sorted((room / "photographs").iterdir())[:8]):
        picture = Image.open(path)
        width, height = ((24, 16), (16, 24))[number % 2]
        scale = max(width / picture.width, height / picture.height)
        wide, high = round(scale * picture.width), round(scale * picture.height)
        left, top = (wide - width) // 2, (high - height) // 2
        picture = picture.resize((wide, high), Image.Resampling.LANCZOS)
        picture.crop((left, top, left + width, top + height)).save(room / "buckets" / path.name)
    sides = ("audit", "--generated", "buckets", "--training", "photographs")
    done = run_here(*sides, "--positive-control", "0", "--json", cwd=room)
    assert done.returncode == 0, done.stderr
    for side, sizes in (("generated", "24x16, 16x24"), ("training", "24x16, 16x32, 40x20")):
        said = f"--{side}: images of {sizes} are brought to 16x16, the largest square that all"
        assert said in done.stderr
    assert json.loads(done.stdout)["rate"]["count"] > 0


def test_each_folder_is_listed_once(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = []
    walk = archives._walk
    monkeypatch.setattr(archives, "_walk", lambda path: listed.append(path.name) or walk(path))
    done = run_here(*SIDES, "--positive-control", "0", cwd=room)
    assert done.returncode == 0, done.stderr
    assert listed == ["made", "photographs"]


def test_a_dry_run_tells_all_and_writes_nothing(room: Path) -> None:
    before = set(room.rglob("*"))
    done = run_here(*SIDES, "--dry-run", "--json", "--memory", "3GB", "--out", "new", cwd=room)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["sides"]["training"]["images"] == 30
    assert plan["sides"]["training"]["shape"] == [3, 16, 16]
    assert plan["memory"] == 3 * 10**9 >= plan["peak"] > plan["held"]
    assert plan["seconds"]["decode"] > 0
    assert set(room.rglob("*")) == before
    shown = run_here(*SIDES, "--dry-run", cwd=room)
    assert "peak memory" in shown.stdout


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (("--memory", "100MB"), "error: --memory is 100 MB, and this audit needs"),
        (("--memory", "much"), "error: --memory 'much' is no size"),
    ],
)
def test_a_budget_that_cannot_do_is_one_line(room: Path, more, expected: str) -> None:
    done = run_here(*SIDES, *more, cwd=room)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(expected)


def test_a_dry_run_is_for_folders(room: Path) -> None:
    done = run_here("audit", "--generated", "made", "--training", "digits", "--dry-run", cwd=room)
    assert done.returncode == 1
    assert "looks at folders and archives of images, and --training digits is none" in done.stderr
