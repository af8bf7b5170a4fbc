"""`rote emm` as a person uses it: run, kill, resume, read."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command import ENVIRONMENT, QUICK, command, ok, run, without_times

from rote.emm.curve import Observation, fit_curve


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of one finished quick search."""
    folder = tmp_path_factory.mktemp("emm")
    done = run("emm", "--data", "digits", "--workers", "2", "--out", "run", *QUICK, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 2, "the result is a sentence, and one of its budget"
    assert done.stdout.startswith("The EMM ")
    assert "report.html" in done.stderr
    return folder / "run"


def test_the_result_has_the_promised_form(finished: Path) -> None:
    value = json.loads((finished / "emm.json").read_text())
    assert list(value)[:4] == ["format_version", "kind", "emm", "sentence"]
    assert value["emm"]["status"] in ("bracketed", "above", "below")
    runs = [(p["size"], p["replicate"]) for p in value["points"]]
    assert runs == sorted(set(runs)) and len(runs) == 4
    asked = [r for entry in value["design"]["rounds"] for r in entry["runs"]]
    assert sorted((r["size"], r["replicate"]) for r in asked) == runs
    for point in value["points"]:
        rate = point["rate"]
        assert rate["total"] == 64
        assert rate["low"] <= rate["value"] == rate["count"] / 64 <= rate["high"]
        assert [entry["images_seen"] for entry in point["selection"]] == [800, 1600]
        assert [entry["images_seen"] for entry in point["gap"]] == [800, 1600]
        best = max(entry["rate"]["value"] for entry in point["selection"])
        chosen = [e for e in point["selection"] if e["images_seen"] == point["images_seen"]]
        assert chosen[0]["rate"]["value"] == best
        run_folder = finished / point["run"]
        assert json.loads((run_folder / "point.json").read_text())["rate"] == rate
        assert json.loads((run_folder / "audit" / "audit.json").read_text())["rate"] == rate
        assert {path.name for path in (run_folder / "checkpoints").iterdir()} == {
            "800.safetensors",
            "1600.safetensors",
        }
    assert value["controls"]["optimum"]["rate"]["value"] == 1.0
    assert value["controls"]["holdout"]["rate"]["value"] < 0.02
    assert value["cost"]["images_trained"] == 4 * 1600
    assert value["cost"]["images_sampled"] == 4 * 3 * 64
    assert value["cost"]["whole"] == {"images_trained": 4 * 1600, "images_sampled": 4 * 3 * 64}
    assert [run["size"] for run in value["onset"]["runs"]] == [p["size"] for p in value["points"]]
    assert value["onset"]["sentence"].endswith(".")
    # An open interval has no width that a grid could be asked for.
    assert (value["cost"]["fixed_grid"] is None) == (value["emm"]["status"] != "bracketed")
    assert value["without_sampling"]["statistic"] == "gap at sigma 0.4"
    assert (value["without_sampling"]["emm"] is None) != (
        value["without_sampling"]["reason"] is None
    )
    assert value["estimand"]["over"] == ["subset", "weights", "order", "noise"]


def test_another_epsilon_is_answered_at_once_and_writes_nothing(finished: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in finished.rglob("*") if "report" not in p.name}
    arguments = ("emm", "--out", "run", *QUICK, "--epsilon", "0.95", "--json")
    done = run(*arguments, cwd=finished.parent)
    assert "from the runs of a search for epsilon 0.1" in done.stderr
    value, searched = json.loads(done.stdout), json.loads((finished / "emm.json").read_text())
    table = {row.pop("epsilon"): row for row in searched["other_epsilons"]}
    assert searched["emm"] == table[0.1]
    sizes = value["design"]["sizes"]
    runs = [Observation(p["size"], **p["observation"]) for p in value["points"]]
    expected = fit_curve(runs, epsilon=0.95, reach=(sizes[0], sizes[-1])).emm().to_json()
    assert value["epsilon"] == 0.95 and value["emm"] == expected
    unchanged = ("cost", "design", "controls", "config", "estimand")
    assert all(value[key] == searched[key] for key in unchanged)
    after = {p: p.stat().st_mtime_ns for p in finished.rglob("*") if "report" not in p.name}
    assert before == after


@pytest.mark.slow
def test_a_search_ended_by_its_budget_can_be_asked_for_more(finished: Path, tmp_path: Path) -> None:
    """The answer is that of the command, whatever the folder was asked before."""
    shutil.copytree(finished, tmp_path / "run")
    rounds = json.loads((finished / "emm.json").read_text())["design"]["rounds"]
    assert [len(entry["runs"]) for entry in rounds] == [2, 2]
    for later in rounds[1]["runs"]:  # as if nothing beyond the first round had ever been trained
        name = f"size-{later['size']:06d}-run-{later['replicate']:02d}"
        shutil.rmtree(tmp_path / "run" / "points" / name)
    for budget, words in (("100", "100 training images"), ("0.1s", "0.1 seconds")):
        ok("emm", *QUICK, "--budget", budget, "--out", "run", cwd=tmp_path)
        value = json.loads((tmp_path / "run" / "emm.json").read_text())
        assert len(value["points"]) == 2 and words in value["design"]["stopped"]
    before = {p: p.stat().st_mtime_ns for p in tmp_path.glob("run/points/*/point.json")}
    assert len(before) == 2
    ok("emm", *QUICK, "--workers", "2", "--out", "run", cwd=tmp_path)
    assert without_times(tmp_path / "run" / "emm.json") == without_times(finished / "emm.json")
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_a_second_run_does_nothing(finished: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in finished.rglob("*") if "report" not in p.name}
    said = ok("emm", "--workers", "2", "--out", "run", *QUICK, cwd=finished.parent)
    after = {p: p.stat().st_mtime_ns for p in finished.rglob("*") if "report" not in p.name}
    assert said.startswith("The EMM ")
    assert before.keys() == after.keys()
    assert {p.name for p in before if before[p] != after[p]} <= {".lock", "run"}


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing(finished: Path, tmp_path: Path) -> None:
    ok("emm", "--workers", "1", "--out", "run", *QUICK, cwd=tmp_path)
    assert without_times(tmp_path / "run" / "emm.json") == without_times(finished / "emm.json")


def test_json_is_all_that_stdout_gets(finished: Path) -> None:
    said = ok("emm", "--workers", "2", "--out", "run", "--json", *QUICK, cwd=finished.parent)
    assert json.loads(said) == json.loads((finished / "emm.json").read_text())


def test_another_configuration_is_refused(finished: Path) -> None:
    done = run("emm", "--out", "run", "--seed", "1", *QUICK, cwd=finished.parent)
    assert done.returncode == 1
    assert "seed is 0 there and 1 here" in done.stderr
    assert "--out" in done.stderr


@pytest.mark.slow
def test_stopped_then_killed_then_resumed_gives_the_same_answer(
    finished: Path, tmp_path: Path
) -> None:
    arguments = ("emm", "--workers", "2", "--out", "run", *QUICK)
    for sign in (signal.SIGINT, signal.SIGKILL):
        process = subprocess.Popen(
            command(*arguments),
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        trained = tmp_path / "run" / "points"
        written = sum(path.stat().st_size for path in trained.glob("*/metrics.jsonl"))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if sum(path.stat().st_size for path in trained.glob("*/metrics.jsonl")) > written:
                break
            time.sleep(0.05)
        time.sleep(0.7)  # somewhere within the first trainings
        os.kill(process.pid, sign)
        # Waits for the end of the workers, too: they hold the pipe.
        _, said = process.communicate(timeout=60)
        if sign == signal.SIGINT:
            assert process.returncode == 130, said
            assert "the same command carries on" in said
        assert not (tmp_path / "run" / "emm.json").exists()
    ok(*arguments, cwd=tmp_path)
    assert without_times(tmp_path / "run" / "emm.json") == without_times(finished / "emm.json")
    assert not list((tmp_path / "run").rglob("*.tmp"))


@pytest.mark.slow
def test_an_idle_worker_ends_with_its_parent(tmp_path: Path) -> None:
    one_size = ["--set", "search.max_size=4", "--set", "search.min_size=4"]
    long = ["--set", "train.images=480000", "--set", "train.snapshot_images=480000"]
    process = subprocess.Popen(
        command("emm", "--workers", "2", "--out", "run", *QUICK, *one_size, *long),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("run/points/*/metrics.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.communicate(timeout=60)  # returns when the last worker has let go of the pipe
    assert list(tmp_path.glob("run/points/*/checkpoints/state.safetensors"))


@pytest.mark.slow
def test_vectors_work_as_images_do(tmp_path: Path) -> None:
    quick = ["--set", "train.images=1600", "--set", "train.snapshot_images=800"]
    quick += ["--set", "search.start=4", "--set", "search.max_size=16", "--set", "model.width=32"]
    quick += ["--set", "search.selection_samples=64", "--set", "search.fresh_samples=64"]
    quick += ["--set", "search.max_runs=2"]
    said = ok("emm", "--data", "wine", "--out", "run", "--json", *quick, cwd=tmp_path)
    value = json.loads(said)
    assert value["data"]["kind"] == "vector"
    assert value["criterion"]["space"] == "columns"
    assert value["controls"]["optimum"]["rate"]["value"] == 1.0


def test_dry_run_prints_the_plan_and_writes_nothing(tmp_path: Path) -> None:
    plan = json.loads(ok("emm", "--out", "run", "--dry-run", cwd=tmp_path))
    assert plan["parameters"] == 180193
    assert plan["config"]["train"]["batch"] == 64
    assert not (tmp_path / "run").exists()
