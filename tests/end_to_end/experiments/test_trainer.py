"""The EMM of models that rote does not train: functions, and commands."""

import importlib
import importlib.util
import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command import ENVIRONMENT, ok, run
from kernel_density import copied, kernel_density

import rote
from rote.core.errors import RunError
from rote.experiments.rescore.search import rescore_search
from rote.experiments.search.cost import RunSeconds
from rote.experiments.search.plan import plan_search, time_text
from rote.experiments.trainers.command import command_trainer
from rote.experiments.trainers.config import with_trainer

BANDWIDTH, EMM = 0.1, 24.8
"""In four dimensions: the quadrature of `kernel_density.copied` gives 0.9 at this size."""
SEARCH = {"snapshot": "last", "fresh_samples": 400, "start": 16, "tolerance": 0.5, "max_runs": 16}


def rows(count=3000, seed=0):
    rng = np.random.default_rng(seed)
    return rote.Dataset(rng.normal(size=(count, 4)).astype(np.float32))


def config(**search):
    tiny = rote.preset("tiny", kind="vector")
    return tiny.model_copy(
        update={"search": tiny.search.model_copy(update={**SEARCH, **search})},
    )


def searched(trainer, out, *, seed=0, **search):
    told = {"bandwidth": BANDWIDTH}
    asked = config(**search)
    return rote.estimate_emm(rows(), asked, trainer=trainer, settings=told, out=out, seed=seed)


def test_the_emm_of_a_kernel_density_estimate_is_that_of_its_quadrature(tmp_path):
    assert copied(EMM, BANDWIDTH, dimension=4) == pytest.approx(0.9, abs=0.005)
    found = searched(kernel_density, tmp_path / "emm")
    assert found.status == "bracketed"
    assert found.low <= EMM <= found.high
    value = found.to_json()
    assert value["config"]["trainer"]["settings"] == {"bandwidth": BANDWIDTH}
    assert "kernel_density:kernel_density" in value["estimand"]["text"]
    assert all(point["seconds"] > 0 for point in value["points"])
    assert rote.write_report(tmp_path / "emm").exists()
    # The samples are kept: under the same ratio they give the same EMM.
    scored = rescore_search(tmp_path / "emm", rows(), criteria=["ratio"], quality=False)
    assert scored["criteria"][0]["emm"] == found.found.to_json()
    # Asked again, nothing is trained; another epsilon is answered from the same runs.
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "emm").rglob("point.json")}
    again = searched(kernel_density, tmp_path / "emm", epsilon=0.3)
    assert again.low > found.low
    assert times == {p: p.stat().st_mtime_ns for p in (tmp_path / "emm").rglob("point.json")}


KEEP = """
import os, shutil, sys
shutil.copy(sys.argv[1], sys.argv[2] + "/kept.npz")
print("on GPU", os.environ["CUDA_VISIBLE_DEVICES"])
"""
DRAW = """
import sys, numpy as np
out, samples, num, seed, bandwidth = sys.argv[1:]
rows = np.load(out + "/kept.npz")["images"].astype(float)
rng = np.random.default_rng(int(seed))
found = rows[rng.integers(len(rows), size=int(num))]
found = found + float(bandwidth) * rng.normal(size=found.shape)
np.save(samples + "/samples.npy", found.astype(np.float32))
"""


def test_a_command_gives_the_numbers_of_the_function_and_has_one_gpu(tmp_path, monkeypatch):
    monkeypatch.setitem(ENVIRONMENT, "CUDA_VISIBLE_DEVICES", "4,7")  # there need not be any
    few = {**SEARCH, "max_runs": 4}
    function = searched(kernel_density, tmp_path / "function", seed=1, **few).to_json()
    (tmp_path / "train.py").write_text(KEEP)
    (tmp_path / "draw.py").write_text(DRAW)
    np.save(tmp_path / "rows.npy", rows().items)
    told = ("--set", f"trainer.bandwidth={BANDWIDTH}", "--seed", "1", "--json")
    for key, value in few.items():
        told += ("--set", f"search.{key}={value}")
    value = json.loads(
        ok(
            *("emm", "--data", "rows.npy", "--out", "emm", "--workers", "2", *told),
            *("--train-command", f"{sys.executable} -I -S train.py {{data}} {{out}}"),
            "--sample-command",
            f"{sys.executable} draw.py {{out}} {{samples}} {{num}} {{seed}} {{bandwidth}}",
            cwd=tmp_path,
        )
    )
    assert value["emm"] == function["emm"]
    keys = ("size", "replicate", "rate")
    one, two = ([[p[key] for key in keys] for p in each["points"]] for each in (value, function))
    assert one == two
    logs = list((tmp_path / "emm").rglob("command.log"))
    assert len(logs) == len(value["points"])
    said = [line for log in logs for line in log.read_text().splitlines() if "GPU" in line]
    assert len(said) == len(logs)
    assert set(said) <= {"on GPU 4", "on GPU 7"}


def test_a_budget_of_time_is_kept_and_the_plan_says_what_it_buys(tmp_path):
    """Every run after the first round ends in time if it is as slow as the slowest before it."""

    def slow(job):
        time.sleep(0.01 * len(job.data))
        return kernel_density(job)

    budget = 3.0
    asked = {"tolerance": 0.01, "budget_seconds": budget, "fresh_samples": 128}
    told = {"trainer": slow, "settings": {"bandwidth": BANDWIDTH}}
    planned = with_trainer(config(**asked), **told, here=True)

    def plan():
        return plan_search(planned, rows(), source="rows", out=tmp_path / "emm")["time"]

    assert "not known yet" in time_text(plan())
    found = rote.estimate_emm(rows(), config(**asked), out=tmp_path / "emm", **told)
    took = {(point.size, point.replicate): point.seconds for point in found.points}
    left, known = budget, []
    for each in json.loads((tmp_path / "emm" / "rounds.json").read_text())["rounds"]:
        runs = [(size, number) for size, number in each["runs"]]
        if known:
            takes = RunSeconds.learned(known)
            assert sum(takes.most(size) for size, _ in runs) <= left
        known += [(size, took[size, number]) for size, number in runs]
        left -= each["seconds"]
    assert len(known) == len(found.points)
    why = found.to_json()["design"]["stopped"]
    assert "of the budget are left, and a run of size" in why or "3 seconds is spent" in why
    said = plan()
    assert said["runs"] == len(found.points)
    larger = planned.search.model_copy(update={"budget_seconds": 60.0})
    planned = planned.model_copy(update={"search": larger})
    said = plan()
    for row in said["sizes"]:
        most = np.array([row["most"] + 0.001, row["most"] - 0.001])  # seconds are rounded
        fewest, largest = said["left"] / most
        assert fewest - 1 <= row["buys"] <= largest + 1
        assert f"{row['buys']:,} runs of {row['size']}" in time_text(said)


def broken(kind):
    """Return a trainer with one fault."""

    def trainer(job):
        if kind == "raises":
            raise ValueError("out of\nluck")
        if kind == "exits":
            sys.exit(0)
        if kind == "yields another thing":
            return job.data
        if kind == "ends without a model":
            return iter(())
        if kind == "goes back":
            model = rote.TrainedModel(10, lambda num, seed: job.data.items[seed % 9 :][:num])
            return iter([model, model])

        def sample(num, seed):
            noise = np.random.default_rng(seed).normal(size=(num, 4)).astype(np.float32)
            if kind == "too few":
                return noise[:-1]
            if kind == "another shape":
                return noise[:, :3]
            if kind == "NaN":
                noise[0] = np.nan
            if kind == "several shapes":
                return [noise[0], noise[1, :3]]
            if kind == "ragged":
                return [[1.0, 2.0], [3.0]]
            if kind == "words":
                return ["no", "numbers"]
            if kind == "ignores its seed":
                return np.random.default_rng(0).normal(size=(num, 4)).astype(np.float32)
            return noise

        return rote.TrainedModel(len(job.data), sample)

    return trainer


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("raises", "raised ValueError: out of luck (the traceback is in"),
        ("exits", "raised SystemExit"),
        ("yields another thing", "yielded a Dataset; a rote.TrainedModel is expected"),
        ("ends without a model", "ended without a model"),
        ("goes back", "yielded images_seen 10 after 10"),
        ("too few", "7 samples where 8 were asked for"),
        ("another shape", "samples have shape (3,), the training items (4,)"),
        ("NaN", "1 of 8 samples hold NaN or infinity"),
        ("several shapes", "samples have shapes (3,) and (4,); make them alike"),
        ("ragged", "samples are no array; floats (num, columns)"),
        ("words", "floats (num, columns)"),
        ("ignores its seed", "the same 8 samples for two seeds"),
    ],
)
def test_a_broken_trainer_is_one_line(kind, said, tmp_path):
    with pytest.raises(RunError) as error:
        searched(broken(kind), tmp_path / "emm", fresh_samples=256)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_trainer_that_cannot_be_imported_is_one_line(tmp_path):
    for name, said in (
        ("nothing_here:trainer", "give the name of a file in the current folder, without .py"),
        ("json:nothing", "json has no function nothing"),
        ("json", "is no module:function, such as my_training:trainer"),
    ):
        done = run("emm", "--trainer", name, "--data", "digits", "--out", "emm", cwd=tmp_path)
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_samples_that_a_killed_command_left_are_not_taken_for_new_ones(tmp_path):
    job = rote.TrainingJob(
        data=rows(8),
        seed=0,
        folder=tmp_path,
        device="cpu",
        threads=1,
        settings={},
        should_stop=lambda: False,
    )
    (tmp_path / "samples").mkdir()
    np.save(tmp_path / "samples" / "old.npy", np.zeros((3, 4), np.float32))
    (tmp_path / "train.py").write_text(
        "import sys, numpy as np\n"
        "np.save(sys.argv[1] + '/samples.npy', np.ones((int(sys.argv[2]), 4), np.float32))\n"
    )
    command = f"{sys.executable} {tmp_path}/train.py {{samples}} {{num}}"
    model = command_trainer(rote.TrainerConfig(train_command=command), samples=3)(job)
    assert isinstance(model, rote.TrainedModel)
    assert model.sample(3, 1).any()
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["samples.npy"]


def test_each_moment_of_a_training_is_sampled_before_it_goes_on(tmp_path):
    """The sampler reads a state that the loop changes: at 100 images it copies, at 200 it does not."""

    def trainer(job):
        state = {"width": 0.0}

        def sample(num, seed):
            rng = np.random.default_rng(seed)
            x = job.data.items[rng.integers(len(job.data), size=num)]
            return (x + state["width"] * rng.normal(size=x.shape)).astype(np.float32)

        for seen, width in ((100, 1e-3), (200, 100.0)):
            state["width"] = width
            yield rote.TrainedModel(images_seen=seen, sample=sample, planned=200)

    found = rote.estimate_emm(
        rows(200),
        config(snapshot="best", early_stop=False, max_size=32, max_runs=2),
        trainer=trainer,
        out=tmp_path / "emm",
    )
    for point in found.points:
        assert point.images_seen == 100
        assert point.images_trained == 200
        assert point.rate.value == 1
    folder = Path(tmp_path, "emm", found.points[0].run)
    assert [p.name for p in (folder / "samples").iterdir()] == ["fresh.npz"]


TRAINERS = Path(__file__).parents[3] / "examples" / "trainers"


NEEDED = {
    "diffusers_ddpm": ("diffusers",),
    "denoising_diffusion": ("denoising_diffusion_pytorch", "torchvision"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in TRAINERS.glob("*.py")))
def test_the_ready_trainers_go_through_a_search(name, tmp_path):
    for package in NEEDED.get(name, ()):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    data = "iris" if name == "gaussian_copula" else "digits"
    asked = ["emm", "--trainer", f"{name}:trainer", "--data", data, "--out", tmp_path / "emm"]
    for change in ("trainer.images=1280", "search.max_runs=2", "search.start=8"):
        asked += ["--set", change]
    asked += ["--set", "search.fresh_samples=64", "--set", "search.selection_samples=64"]
    asked += ["--workers", "1", "--json"]
    found = json.loads(ok(*asked, cwd=TRAINERS))
    assert len(found["points"]) == 2
    assert found["config"]["trainer"]["function"] == f"{name}:trainer"
    again = json.loads(ok(*asked, cwd=TRAINERS))
    assert again == found


def test_the_copula_keeps_categories_and_gaps_of_a_table(tmp_path, monkeypatch):
    """Each cell that it makes is one of a category, a number or nothing, as in its training rows."""
    monkeypatch.syspath_prepend(TRAINERS)
    made = importlib.import_module("gaussian_copula").trainer
    rng = np.random.default_rng(0)
    cells = [
        f"{'abc'[rng.integers(3)]},{rng.integers(9)},{'' if rng.random() < 0.3 else rng.normal()}"
        for _ in range(300)
    ]
    Path(tmp_path, "t.csv").write_text("\n".join(["kind,count,size", *cells]))
    data = rote.load_images(tmp_path / "t.csv")
    job = rote.TrainingJob(data, 0, tmp_path, "cpu", 1, {}, lambda: False)
    rows = made(job).sample(2000, 1)
    one_hot, (count, size, gap) = rows[:, :3], rows[:, 3:].T
    assert (one_hot.sum(1) == 1).all()
    assert abs(one_hot.mean(0) - data.items[:, :3].mean(0)).max() < 0.05
    assert set(count) <= set(range(9))
    assert set(gap) == {0, 1}
    assert abs(gap.mean() - data.items[:, -1].mean()) < 0.05
    assert size.min() >= data.items[:, 4].min()
