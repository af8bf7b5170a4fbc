"""`rote study`: run, run again, extend, resume after a kill, report, status, bad input."""

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace

import pytest
from command import ENVIRONMENT, command, run

from rote.core.atomic_files import read_json, write_json
from rote.core.errors import RunError
from rote.data.load import load_images
from rote.experiments.run.score import Scorer
from rote.experiments.studies.plan import plan_study, source_of
from rote.experiments.studies.study import StudyOptions, run_studies, run_study
from rote.report import write_report


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


@pytest.fixture(scope="module")
def labels(digits, labels_study, tmp_path_factory):
    out = tmp_path_factory.mktemp("studies") / "labels"
    shutil.copytree(labels_study, out)
    return out, run_study("labels", digits, scale="smoke", out=out, values=["true"])


def files(out):
    return {p: p.stat().st_mtime_ns for p in out.rglob("*.safetensors")}


def test_a_study_compares_its_values_and_writes_them_down(labels):
    out, found = labels
    value = read_json(out / "study.json")
    assert value == found.to_json()
    assert found.summary().startswith(value["sentence"])
    assert found.to_pandas().groupby("value").size().to_dict() == {"none": 2, "true": 1}
    assert "<svg" in found._repr_html_()
    assert [cell["value"] for cell in value["cells"]] == ["none", "true"]
    assert [len(cell["runs"]) for cell in value["cells"]] == [2, 1]
    (effect,) = value["effects"]
    assert (effect["first"]["value"], effect["second"]["value"]) == ("true", "none")
    assert effect["paper"] == "more"
    assert effect["difference"]["low"] <= effect["difference"]["value"]
    none, true = value["cells"]
    assert none["runs"][0]["own_label"] is None
    run = true["runs"][0]
    assert 0 <= run["own_label"] <= run["rate"]["count"]


def test_runs_of_one_replicate_start_from_the_same_noise(labels):
    import numpy as np

    out, found = labels
    seeds = []
    for cell in found.json["cells"]:
        with np.load(out / "runs" / cell["runs"][0]["key"] / "samples" / "fresh.npz") as arrays:
            seeds.append(arrays["seeds"])
    assert np.array_equal(*seeds)


def test_a_second_call_does_nothing_and_an_extension_keeps_what_was_there(labels, digits):
    out, found = labels
    before = files(out)
    run_study("labels", digits, scale="smoke", out=out)
    assert files(out) == before
    more = run_study("labels", digits, scale="smoke", out=out, values=["random"])
    assert [cell["value"] for cell in more.json["cells"]] == ["none", "true", "random"]
    assert more.json["cells"][:2] != [] and before.items() <= files(out).items()
    assert [c["runs"] for c in more.json["cells"][:2]] == [c["runs"] for c in found.json["cells"]]
    page = write_report(out).read_text()
    assert more.sentence in page
    assert "random like true" in page
    overview = write_report(out.parent).read_text()
    assert 'href="labels/report.html"' in overview


def test_a_study_of_its_baseline_alone_does_not_grow_when_called_again(labels, digits, tmp_path):
    shutil.copytree(labels[0] / "runs", tmp_path / "runs")
    once, again = (
        run_study("labels", digits, scale="smoke", out=tmp_path, values=["none"]) for _ in range(2)
    )
    assert again.json["cells"] == once.json["cells"]
    assert again.json["design"] == once.json["design"]


def test_a_study_stays_with_its_runs_alone_and_among_several(labels, digits, tmp_path):
    out, _ = labels
    before = read_json(out / "study.json")
    # As `rote study all` lays it out: the runs beside the studies.
    shutil.copytree(out, tmp_path / "all" / "labels")
    (tmp_path / "all" / "labels" / "runs").rename(tmp_path / "all" / "runs")
    plan = read_json(tmp_path / "all" / "labels" / "plan.json")
    write_json(tmp_path / "all" / "labels" / "plan.json", plan | {"runs_folder": "../runs"})
    alone = run_study("labels", digits, scale="smoke", out=tmp_path / "all" / "labels")
    assert alone.json["runs_folder"] == "../runs"
    assert not (tmp_path / "all" / "labels" / "runs").exists()
    # Begun alone, then one of several.
    shutil.copytree(out, tmp_path / "mixed" / "labels")
    (together,) = run_studies(
        ["labels"],
        digits,
        StudyOptions("smoke"),
        outs=[tmp_path / "mixed" / "labels"],
        runs=tmp_path / "mixed" / "runs",
    )
    assert together.json["runs_folder"] == "runs"
    assert not (tmp_path / "mixed" / "runs").exists()
    for again in (alone, together):
        assert again.json["cells"] == before["cells"]


@pytest.mark.slow
def test_killed_and_started_again_it_ends_as_if_never_killed(labels, digits, tmp_path):
    _, found = labels
    arguments = ["study", "labels", "--scale", "smoke", "--value", "true", "--out", str(tmp_path)]
    process = subprocess.Popen(
        command(*arguments),
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("runs/*/trial.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    again = run_study("labels", digits, scale="smoke", out=tmp_path, values=["true"])

    def bare(value):
        kept = {k: v for k, v in value.items() if k not in ("cost", "design")}
        for cell in kept["cells"]:
            for entry in cell["runs"]:
                entry.pop("seconds")
        return kept

    assert bare(again.to_json()) == bare(found.to_json())


def test_a_damaged_result_is_one_line(labels, tmp_path):
    out, _ = labels
    text = (out / "study.json").read_text()
    for old, new, message in [
        ('"kind": "study"', '"kind": "stud"', "kind"),
        ('"runs_folder": "runs"', '"runs_folder": "../../elsewhere"', "runs_folder"),
        ('"verdict"', '"verdicts"', "verdict"),
    ]:
        (tmp_path / "study.json").write_text(text.replace(old, new))
        with pytest.raises(RunError, match=message) as caught:
            write_report(tmp_path)
        assert "\n" not in str(caught.value)


def test_mirrored_copies_count_after_mirrored_training_alone(digits, tmp_path):
    source = source_of(digits)
    plan = plan_study("augmentation", source, scale_name="smoke", runs=tmp_path)
    rates = []
    for trials in plan.trials.values():
        references = trials[0].draw(digits).dataset
        mirrored = replace(references, items=references.items[:, :, ::-1].copy())
        scorer = Scorer(trials[0], references)
        rates.append(scorer.audit(mirrored).rate.value)
    assert rates[0] < 0.5
    assert rates[1] == 1


def test_status_and_list_and_bad_input_from_the_command(labels, tmp_path):
    out, _ = labels
    found = json.loads(run("study", "status", out, "--json", cwd=tmp_path).stdout)
    assert found["studies"][0]["study"] == "labels"
    assert found["studies"][0]["done"]
    listed = json.loads(run("study", "list", "--json", cwd=tmp_path).stdout)
    assert len(listed["studies"]) == 26
    plain = run("study", "list", cwd=tmp_path)
    assert not plain.stderr
    rows = [line for line in plain.stdout.splitlines() if line.startswith("│")]
    assert [row.split("│")[1].strip() for row in rows] == [f["name"] for f in listed["studies"]]
    assert "labels" in run("study", "status", out, cwd=tmp_path).stdout
    for arguments, message in [
        (["widht", "--out", "x"], "did you mean 'width'"),
        (["width", "--scale", "big", "--out", "x"], "--scale big is unknown"),
        (["width"], "--out"),
    ]:
        done = run("study", *arguments, cwd=tmp_path)
        assert done.returncode == 1
        assert message in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
