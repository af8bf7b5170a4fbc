"""Studies with a trainer that is not rote's own: factors of the data, and a file of one's own."""

import json
import shutil
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from catalogs import catalogs_as_they_were
from command import ok, run_here

import rote as library
from rote.core.atomic_files import write_json
from rote.core.config import override
from rote.core.errors import ConfigError, RunError
from rote.data.convert import for_models
from rote.data.load import load_images
from rote.experiments.config import preset as config_of
from rote.experiments.studies.cost import counted
from rote.experiments.studies.plan import plan_study, source_of
from rote.experiments.studies.study import run_study
from rote.experiments.trainers.config import TrainerConfig
from rote.report import write_report

TRAINERS = Path(__file__).parents[3] / "examples" / "trainers"
BANDWIDTH = TRAINERS / "bandwidth.toml"


@pytest.fixture(autouse=True)
def no_factor_is_left():
    with catalogs_as_they_were():
        yield


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


def copies(job: library.TrainingJob) -> library.TrainedModel:
    """Copy training images, of an asked label where there are labels."""
    items, labels = job.data.items, job.data.labels
    told = job.settings.get("bandwidth", 0)

    def sample(num: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        assert labels is None or labels.shape == (len(items),)
        noise = told * rng.normal(size=(num, *items.shape[1:]))
        return np.clip(items[rng.integers(len(items), size=num)] + noise, 0, 255).astype(np.uint8)

    return library.TrainedModel(images_seen=len(items), sample=sample, reusable=True)


def rates(cell):
    return [run["rate"]["value"] for run in cell["runs"]]


@pytest.mark.slow
def test_a_file_of_ones_own_varies_a_setting(digits, tmp_path):
    out = tmp_path / "study"
    found = run_study(str(BANDWIDTH), digits, scale="smoke", out=out, trainer=copies)
    shares = {cell["value"]: rates(cell)[0] for cell in found.json["cells"]}
    assert shares["4"] > shares["16"] > shares["32"]
    assert found.json["trainer"]["function"].endswith("copies")
    assert "Does more noise on the training images copy less?" in write_report(out).read_text()
    again = run_study(str(BANDWIDTH), digits, scale="smoke", out=out, trainer=copies)
    assert again.json["cells"] == found.json["cells"]
    # The folder tells its file, so that it is scored again without it.
    ok("rescore", "study", "--data", "digits", "--criterion", "absolute=20", cwd=tmp_path)
    assert (out / "criteria.json").is_file()


KEEP = """
import shutil, sys
shutil.copy(sys.argv[1], sys.argv[2] + "/kept.npz")
"""
DRAW = """
import sys, types, numpy as np, kernel_density as k
out, samples, num, seed, bandwidth = sys.argv[1:]
given = types.SimpleNamespace(items=np.load(out + "/kept.npz")["images"])
job = types.SimpleNamespace(data=given, settings={"bandwidth": float(bandwidth)})
np.savez(samples + "/s.npz", images=k.trainer(job).sample(int(num), int(seed)))
"""


@pytest.mark.slow
@pytest.mark.enable_socket
def test_ray_and_a_command_on_workers_give_the_numbers_of_the_function(tmp_path):
    shutil.copy(TRAINERS / "kernel_density.py", tmp_path)
    shutil.copy(BANDWIDTH, tmp_path)
    (tmp_path / "keep.py").write_text(KEEP)
    (tmp_path / "draw.py").write_text(DRAW)
    said = ("study", "bandwidth.toml", "--scale", "smoke", "--value", "32", "--seeds", "1")
    function = ("--trainer", "kernel_density:trainer")
    commands = (
        *("--train-command", f"{sys.executable} -I -S keep.py {{data}} {{out}}"),
        "--sample-command",
        f"{sys.executable} draw.py {{out}} {{samples}} {{num}} {{seed}} {{bandwidth}}",
        *("--layout", "npz"),
    )
    ray = ("--engine", "ray") if find_spec("ray") else ()
    ok(*said, *function, "--workers", "1", "--out", "one", cwd=tmp_path)
    ok(*said, *function, *ray, "--workers", "2", "--out", "two", cwd=tmp_path)
    ok(*said, *commands, "--workers", "2", "--out", "three", cwd=tmp_path)
    one, two, three = (
        json.loads((tmp_path / name / "study.json").read_text()) for name in ("one", "two", "three")
    )
    shares = [rates(cell) for cell in one["cells"]]
    assert shares == [rates(cell) for cell in two["cells"]] == [rates(c) for c in three["cells"]]
    assert all(0 < rate < 1 for each in shares for rate in each)
    assert one["effects"] == two["effects"] == three["effects"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value"), [("labels", "true"), ("unique", "unique")])
def test_factors_of_the_data_work_with_any_trainer(name, value, digits, tmp_path):
    found = run_study(name, digits, scale="smoke", out=tmp_path, values=[value], trainer=copies)
    assert [cell["value"] for cell in found.json["cells"]][1] == value


def of_its_caption(job: library.TrainingJob) -> library.TrainedModel:
    """Give the mean of all images of a caption: a copy where it has one image."""
    items, texts = job.data.items.astype(float), np.array(job.data.captions)
    means = np.stack([items[texts == text].mean(0).round() for text in texts]).astype(np.uint8)

    def sample(num: int, seed: int) -> np.ndarray:
        return means[np.random.default_rng(seed).integers(len(means), size=num)]

    return library.TrainedModel(images_seen=1, sample=sample, reusable=True)


def test_the_study_of_captions_finds_who_copies_images_that_captions_tell_apart(digits, tmp_path):
    told = replace(digits, captions=tuple(f"digit {n}" for n in range(len(digits))))
    asked = {"scale": "smoke", "out": tmp_path, "values": ["own", "random"], "seeds": 1}
    found = run_study("captions", told, trainer=of_its_caption, **asked)
    shares = {cell["value"]: set(rates(cell)) for cell in found.json["cells"]}
    assert shares == {"one": {0.0}, "own": {1.0}, "random": {1.0}}
    for texts in ((), tuple("x" for _ in digits.items)):
        other = replace(digits, captions=texts)
        with pytest.raises(RunError, match=r"another configuration \(data.captions"):
            run_study("captions", other, trainer=of_its_caption, **asked)


def test_a_search_is_of_its_captions(digits, tmp_path):
    told = replace(digits, captions=tuple(f"digit {n}" for n in range(len(digits))))
    few = config_of("tiny")
    few = override(few, ["search.max_size=8", "search.start=4", "search.max_runs=2"])

    def search(data):
        return library.estimate_emm(data, few, out=tmp_path, trainer=of_its_caption)

    found = search(told)
    assert [point.rate.value for point in found.points] == [1.0, 1.0]
    # A trainer's one model is scored once: no samples are drawn to choose it.
    assert found.json["cost"]["images_sampled"] == sum(p.rate.total for p in found.points)
    assert search(told).json == found.json and found.sentence in write_report(tmp_path).read_text()
    with pytest.raises(RunError, match=r"another configuration \(data.captions"):
        search(replace(digits, captions=("x",) * len(digits)))


@pytest.mark.slow
def test_a_study_of_series_has_its_page(tmp_path):
    def noisy(job: library.TrainingJob) -> library.TrainedModel:
        def sample(num: int, seed: int) -> np.ndarray:
            rng = np.random.default_rng(seed)
            found = job.data.items[rng.integers(len(job.data), size=num)]
            return (found + 0.01 * rng.normal(size=found.shape)).astype(np.float32)

        return library.TrainedModel(images_seen=1, sample=sample, reusable=True)

    made = np.random.default_rng(0).normal(size=(60, 24, 2)).astype(np.float32)
    np.savez(tmp_path / "series.npz", series=made)
    series = load_images(tmp_path / "series.npz")
    out = tmp_path / "study"
    found = run_study("size", series, scale="smoke", out=out, values=["3"], trainer=noisy)
    assert found.sentence in write_report(out).read_text()


def test_what_a_trainer_cannot_know_is_refused_in_one_line(digits, tmp_path):
    def study(name, **changes):
        run_study(name, digits, scale="smoke", out=tmp_path / "x", **changes)

    with pytest.raises(ConfigError, match=r"width varies what a `trainer` decides.*labels"):
        study("width", trainer=copies)
    with pytest.raises(ConfigError, match=r"sets trainer.bandwidth; give the `trainer`"):
        study(str(BANDWIDTH))
    command = TrainerConfig(train_command="train {data} {out}")
    with pytest.raises(ConfigError, match=r"no command has \{bandwidth\}"):
        study(str(BANDWIDTH), trainer=command)
    (tmp_path / "own.toml").write_text(BANDWIDTH.read_text().replace("trainer.", "model."))
    with pytest.raises(ConfigError):
        study(str(tmp_path / "own.toml"), trainer=copies)
    assert not (tmp_path / "x").exists()


def test_a_plan_tells_the_runs_and_what_is_known_of_their_time(digits, tmp_path):
    out = tmp_path / "out"
    planned = plan_study(
        str(BANDWIDTH),
        source_of(for_models(digits)[0], None),
        scale_name="smoke",
        runs=Path(),
        trainer=TrainerConfig(function="a:b"),
    )
    found = counted([planned], workers=1, runs=out)
    assert found["total"]["seconds"] is None
    first, *missing = planned.all_trials()
    trial = {
        "format_version": 1,
        "key": first.name,
        "size": first.size,
        "replicate": 0,
        "images_seen": 1,
        "selection": [],
        "own_label": None,
        "repeated": None,
        "seconds": 7.0,
        "rate": {"value": 0.5, "low": 0.1, "high": 0.9, "count": 1, "total": 2, "confidence": 0.95},
    }
    write_json(out / first.name / "trial.json", trial)
    found = counted([planned], workers=1, runs=out)
    assert found["total"]["seconds"] == found["studies"][0]["seconds"] == 7 * len(missing)
    shutil.copy(TRAINERS / "kernel_density.py", tmp_path)
    asked = ("study", str(BANDWIDTH), "--scale", "smoke", "--trainer", "kernel_density:trainer")
    assert "not known yet" in ok(*asked, "--dry-run", cwd=tmp_path)


def test_a_study_reads_a_table_by_the_columns_that_are_named(tmp_path):
    """Without its column of labels the table has none, and the study of labels nothing to vary."""
    rng = np.random.default_rng(0)
    cells = [f"{n},{rng.normal()},{rng.normal()},{'ab'[n % 2]}" for n in range(80)]
    (tmp_path / "t.csv").write_text("\n".join(["number,x,y,kind", *cells]))
    shutil.copy(
        TRAINERS / "gaussian_copula.py", tmp_path / "copula_of_cells.py"
    )  # its own name: here, not in a process
    asked = ("study", "labels", "--data", "t.csv", "--scale", "smoke", "--dry-run", "--json")
    asked += ("--trainer", "copula_of_cells:trainer", "--value", "true")
    named = run_here(*asked, "--label", "kind", "--ignore", "number", cwd=tmp_path)
    assert named.returncode == 0, named.stderr
    assert json.loads(named.stdout)["total"]["runs"] >= 2
    plain = run_here(*asked, cwd=tmp_path)
    assert plain.returncode == 1
    assert "t.csv has no labels" in plain.stderr
