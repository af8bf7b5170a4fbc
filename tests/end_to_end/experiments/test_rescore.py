"""`rote rescore` and `rote membership` as processes."""

import json

import pytest
from command import ok, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("rescore")
    quick = ["train.batch=16", "train.images=640", "train.snapshot_images=640", "model.width=8"]
    quick += ["model.blocks=1", "search.snapshot=last", "search.start=8", "search.max_runs=2"]
    quick += ["search.fresh_samples=64", "sample.steps=3", "search.gap=false"]
    changes = [word for change in quick for word in ("--set", change)]
    ok("emm", "--data", "iris", "--out", "run", *changes, cwd=made)
    return made


def test_all_criteria_from_the_same_runs(folder):
    said = json.loads(ok("rescore", "run", "--json", cwd=folder))
    names = ["ratio", "calibrated", "carlini", "authenticity"]
    assert [entry["name"] for entry in said["criteria"]] == names
    assert said["criteria"][0]["emm"] == json.loads((folder / "run/emm.json").read_text())["emm"]
    assert all(set(run["rates"]) >= {"ratio", "carlini", "authenticity"} for run in said["runs"])
    assert all(run["quality"]["count"] == 64 for run in said["runs"])
    shown = run("rescore", "run", "--criterion", "authenticity", "--no-quality", cwd=folder)
    assert shown.returncode == 0, shown.stderr
    assert [line.split(":")[0] for line in shown.stdout.splitlines()] == ["ratio", "authenticity"]
    page = (folder / "run" / "report.html").read_text()
    assert "Under other definitions" in page


def test_bad_input_is_one_line(folder):
    for arguments, expected in (
        (["rescore", "nowhere"], "nowhere does not exist; give the --out of a finished"),
        (["rescore", "run", "--data", "wine"], "is not what the search in run drew from"),
        (["rescore", "run", "--criterion", "ratoi"], "did you mean"),
        (["membership", "nowhere"], "nowhere does not exist; give the --out of `rote train`"),
        (["membership", "."], "holds no training"),
    ):
        done = run(*arguments, cwd=folder)
        assert done.returncode == 1 and expected in done.stderr, done.stderr
        said = done.stderr.strip()
        assert said.startswith("error: ") and "\n" not in said


def test_membership_of_a_trained_run(folder):
    train = ["train", "--size", "16", "--set", "train.batch=16", "--set", "train.images=640"]
    train += ["--set", "model.width=8", "--set", "model.channel_mult=[1]", "--out", "m"]
    ok(*train, cwd=folder)
    wrong = run("membership", "m", "--false-positive-rate", "2", cwd=folder)
    assert wrong.returncode == 1 and "--false-positive-rate is 2" in wrong.stderr
    said = json.loads(ok("membership", "m", "--draws", "1", "--json", cwd=folder))
    assert [level["sigma"] for level in said["levels"]] == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert (said["training"]["count"], said["holdout"]["count"]) == (16, 1781)
    assert json.loads((folder / "m" / "membership.json").read_text())["levels"] == said["levels"]
    for level in said["levels"]:
        roc = level["roc"]
        assert roc["auc_low"] <= roc["auc"] <= roc["auc_high"]
        assert roc["tpr_low"] <= roc["tpr"] <= roc["tpr_high"]
