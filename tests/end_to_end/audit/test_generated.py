"""The generated side as a function, as a run of `rote train`, and as a point of `rote emm`."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command import Done, run_here

from rote.data.load import load_images

SAMPLER = """
import numpy as np
from rote.data.load import load_images

DIGITS = load_images("digits").items
CALLS = []

def copies(num, seed):
    CALLS.append((num, seed))
    print("sampling", num)  # must not reach stdout
    return DIGITS[np.random.default_rng(seed).integers(len(DIGITS), size=num)]

def channels_first(num, seed):
    return copies(num, seed).transpose(0, 3, 1, 2)

def noise(num, seed):
    return np.random.default_rng(seed).integers(0, 256, (num, 8, 8, 1)).astype(np.uint8)

def with_captions(num, seed):
    return copies(num, seed), [f"digit {n % 3}" for n in range(num)]

def captioned_once(num, seed):
    return with_captions(num, seed) if num == 256 else copies(num, seed)

def one_caption(num, seed):
    return copies(num, seed), "d" * num

def three_things(num, seed):
    return copies(num, seed), ["a digit"] * num, [seed] * num

def as_list(num, seed):
    return copies(num, seed).tolist()

def unit(num, seed):
    return (copies(num, seed) / 255).astype(np.float32)

def whole_floats(num, seed):
    return copies(num, seed).astype(np.float32)

def cast_to_nothing(num, seed):
    return (copies(num, seed) / 255).astype(np.uint8)

def too_few(num, seed):
    return copies(num, seed)[:-1]

def flat(num, seed):
    return copies(num, seed).reshape(num, 64)

def no_argument():
    return None

def raises(num, seed):
    raise RuntimeError("out of memory\\non the device")

def leaves(num, seed):
    raise SystemExit(0)

def two_sizes(num, seed):
    side = 8 if num == 256 else 9
    return np.full((num, side, side, 1), 7, np.uint8)

def infinite(num, seed):
    return np.full((num, 8, 8, 1), np.inf, np.float32)

constant = 3
"""
QUICK = ("--positive-control", "0", "--duplicate-rms", "0")
TRAIN = (
    *("--set", "train.batch=16", "--set", "train.images=64", "--set", "train.snapshot_images=32"),
    *("--set", "train.log_images=32", "--set", "model.width=8"),
)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generated")
    (folder / "own_sampler.py").write_text(SAMPLER)
    (folder / "own_package").mkdir()
    (folder / "own_package" / "__init__.py").write_text("")
    (folder / "own_package" / "inner.py").write_text("from own_sampler import copies\n")
    (folder / "broken_module.py").write_text("1 / 0\n")
    (folder / "needs_another.py").write_text("import no_such_package\n")
    return folder


@pytest.fixture(autouse=True)
def fresh_modules() -> Iterator[None]:
    """Leave the modules and the path as they were."""
    before, path = set(sys.modules), list(sys.path)
    yield
    assert sys.path == path
    for name in set(sys.modules) - before:
        if name.startswith(("own_", "broken_", "needs_")):
            del sys.modules[name]


def audit(room: Path, generated: str, *options: str, training: str = "digits") -> Done:
    sides = ("--generated", generated, "--training", training)
    return run_here("audit", *sides, *QUICK, *options, cwd=room)


def value_of(room: Path, generated: str, *options: str, training: str = "digits") -> dict:
    done = audit(room, generated, "--json", *options, training=training)
    assert done.returncode == 0, done.stderr
    value: dict = json.loads(done.stdout)
    return value


def test_a_function_is_asked_in_batches_with_child_seeds(room: Path) -> None:
    value = value_of(room, "own_sampler:copies", "--count", "600", "--seed", "3")
    calls = sys.modules["own_sampler"].CALLS
    assert [num for num, _ in calls] == [256, 256, 88]
    assert len({seed for _, seed in calls}) == 3
    assert value["generated"]["count"] == 600
    assert value["generated"]["source"] == "own_sampler:copies"
    assert value["rate"]["value"] == 1


def test_the_seed_decides_and_the_layout_does_not(room: Path) -> None:
    def digest(name: str, seed: str) -> str:
        value = value_of(room, f"own_sampler:{name}", "--count", "40", "--seed", seed)
        found: str = value["generated"]["digest"]
        return found

    first = digest("copies", "0")
    assert digest("copies", "0") == first
    assert digest("channels_first", "0") == first
    assert digest("copies", "1") != first


def test_a_thousand_unless_told_and_a_package_and_a_resolution(room: Path) -> None:
    value = value_of(room, "own_package.inner:copies", "--resolution", "6", "--channels", "3")
    assert value["generated"]["count"] == 1000
    assert value["generated"]["shape"] == [3, 6, 6]


def test_captions_that_a_function_returns_are_kept(room: Path) -> None:
    found = value_of(room, "own_sampler:with_captions", "--count", "9")["captions"]
    each = {one["text"]: one["rate"]["total"] for one in found["captions"]}
    assert each == {"digit 0": 3, "digit 1": 3, "digit 2": 3}


def test_fresh_images_are_no_copies(room: Path) -> None:
    assert value_of(room, "own_sampler:noise", "--count", "50")["rate"]["count"] == 0


WRONG = {
    "own_nothing:copies": ("no module own_nothing",),
    "own_package.nothing:copies": ("no module own_package.nothing",),
    "own_sampler:nothing": ("has no function nothing", "module:function"),
    "own_sampler:constant": ("constant is no function",),
    "broken_module:copies": ("importing broken_module raised ZeroDivisionError",),
    "needs_another:copies": ("importing needs_another raised", "no_such_package"),
    "own_sampler:captioned_once": ("300 items and 256 captions",),
    "own_sampler:one_caption": ("give images, or images and a list of 256 captions",),
    "own_sampler:three_things": ("gave 3 things",),
    "own_sampler:as_list": ("builtins.list", "uint8"),
    "own_sampler:unit": ("from 0 to 1", "255"),
    "own_sampler:whole_floats": ("float32", "astype('uint8')"),
    "own_sampler:cast_to_nothing": ("largest pixel value",),
    "own_sampler:too_few": ("asked for 256 images", "(255, 8, 8, 1)"),
    "own_sampler:flat": ("(256, 64)", "uint8"),
    "own_sampler:no_argument": ("raised TypeError",),
    "own_sampler:raises": ("RuntimeError: out of memory\\non the device", "--debug"),
    "own_sampler:leaves": ("raised SystemExit",),
    "own_sampler:two_sizes": ("(8, 8, 1)", "(9, 9, 1)"),
    "own_sampler:infinite": ("infinity",),
}


@pytest.mark.parametrize("generated", WRONG)
def test_what_is_wrong_with_a_function_is_one_line(room: Path, generated: str) -> None:
    done = audit(room, generated, "--count", "300")
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.stderr.rstrip().endswith(line)
    for part in (generated, *WRONG[generated]):
        assert part in line


@pytest.mark.parametrize("generated", ["digits", "a.npz"])
def test_a_count_of_what_is_not_drawn(room: Path, generated: str) -> None:
    np.savez(room / "a.npz", images=load_images("digits").items[:20])
    done = audit(room, generated, "--count", "10")
    assert done.returncode == 1
    assert "leave --count out" in done.stderr


def test_a_file_goes_before_a_function(room: Path) -> None:
    (room / "own_sampler:copies").write_text("text")
    try:
        done = audit(room, "own_sampler:copies")
    finally:
        (room / "own_sampler:copies").unlink()
    assert done.returncode == 1
    assert "unknown type" in done.stderr


@pytest.mark.parametrize("data", ["digits", "iris"])
def test_a_run_gives_the_samples_of_rote_sample(room: Path, data: str) -> None:
    values = TRAIN if data == "digits" else TRAIN[:-2]
    extra = ("--set", "model.channel_mult=[1]") if data == "digits" else ()
    done = run_here("train", "--data", data, "--out", f"run-{data}", *values, *extra, cwd=room)
    assert done.returncode == 0, done.stderr
    asked = ("--count", "24", "--seed", "5")
    assert run_here("sample", f"run-{data}", "--out", "drawn.npz", *asked, cwd=room).returncode == 0
    drawn = value_of(room, "drawn.npz", training=data)["generated"]
    value = value_of(room, f"run-{data}", *asked, training=data)["generated"]
    assert (value["digest"], value["count"]) == (drawn["digest"], 24)
    assert value["source"].endswith("64.safetensors")
    other = value_of(room, f"run-{data}", "--count", "24", "--seed", "6", training=data)
    assert other["generated"]["digest"] != drawn["digest"]
    # A point of a search is a run with fresh samples: these are what is audited, as a whole.
    fresh = room / f"run-{data}" / "samples" / "fresh.npz"
    fresh.parent.mkdir()
    items = load_images(data).items[:30]
    if data == "iris":
        from rote.data.scaling import Scaling

        scaling = Scaling.fit(load_images(data).items)
        items = load_images(data).scaled(scaling).items[:30]
    np.savez(fresh, images=items)
    point = value_of(room, f"run-{data}", training=data)
    assert point["generated"]["count"] == 30
    assert point["generated"]["source"].endswith("fresh.npz")
    assert point["rate"]["value"] > 0.9
    done = audit(room, f"run-{data}", "--count", "5", training=data)
    assert done.returncode == 1
    assert "leave --count out" in done.stderr


def test_a_run_without_a_snapshot_and_a_whole_search(room: Path) -> None:
    (room / "begun" / "checkpoints").mkdir(parents=True)
    (room / "begun" / "config.json").write_text("{}")
    done = audit(room, "begun")
    assert done.returncode == 1
    assert "train it first" in done.stderr
    (room / "search").mkdir()
    (room / "search" / "emm.json").write_text("{}")
    done = audit(room, "search")
    assert done.returncode == 1
    assert "one of its points" in done.stderr
