"""Planted remedies on a trainer that copies: each has the verdict that it is made for."""

import json
import linecache
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cuts import cut
from kills import contents
from report_page import report

import rote
from rote.core.errors import ConfigError, RunError
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.experiments.mitigation.case import Case
from rote.experiments.mitigation.comparison import Trial
from rote.experiments.mitigation.try_remedies import try_remedies

# Half of the digits are mirrored, so that a mirrored digit is one like the others.
_DIGITS = load_images("digits").items.copy()
_DIGITS[::2] = _DIGITS[::2, :, ::-1]
TRAINING, OTHERS, HOLDOUT = (Dataset(_DIGITS[a:b]) for a, b in ((0, 100), (100, 900), (900, 1797)))
TRIAL = Trial(count=240, selection=60, margin=0.2)


def copier(job: rote.TrainingJob) -> rote.TrainedModel:
    """Four of five samples are training images with a little noise."""
    items = job.data.items

    def sample(num: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        copies = items[rng.integers(len(items), size=num)]
        fresh = OTHERS.items[rng.integers(len(OTHERS), size=num)]
        return np.where(rng.random((num, 1, 1, 1)) < 0.8, copies, fresh)

    return rote.TrainedModel(images_seen=100, sample=sample)


def nothing(case: Case, setting: str):
    return case.sampler()


def noise(case: Case, setting: str):
    return lambda num, seed: np.random.default_rng(seed).integers(
        256, size=(num, *case.training.items.shape[1:]), dtype=np.uint8
    )


def mirrored(case: Case, setting: str):
    plain = case.sampler()
    return lambda num, seed: plain(num, seed).items[:, :, ::-1]


def fresh(case: Case, setting: str):
    return lambda num, seed: OTHERS.items[np.random.default_rng(seed).integers(800, size=num)]


def other_data(case: Case, setting: str) -> Dataset:
    return OTHERS


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("remedies")
    found = try_remedies(
        copier,
        out=out,
        remedies=[nothing, noise, mirrored, fresh, other_data, "away"],
        judges=["ratio", "ratio+flip"],
        training=TRAINING,
        holdout=HOLDOUT,
        trial=TRIAL,
        device="cpu",
    )
    return out, found.to_json()


def test_planted_remedies_have_the_verdicts_that_they_are_made_for(tried) -> None:
    _, found = tried
    verdicts = {row["name"]: row["verdict"] for row in found["tried"]}
    assert verdicts == {
        "nothing": "undecided",
        "noise": "harms",
        "mirrored": "evades",
        "fresh": "helps",
        "other_data": "helps",
    }
    assert [row["name"] for row in found["left_out"]] == ["away"]
    assert found["alpha"] == pytest.approx(0.05 / 5)
    same = next(row for row in found["tried"] if row["name"] == "nothing")
    assert [judged["p_value"] for judged in same["judged"]] == [1, 1]


def test_compare_says_the_same_of_the_audit_folders(tried) -> None:
    out, found = tried
    for row in found["tried"]:
        for folder, before, judged in zip(
            row["audits"], found["before"], row["judged"], strict=True
        ):
            seen = rote.compare(out / folder, out / before)
            assert seen.paired and seen.p_value == judged["p_value"]
            assert seen.difference.to_json() == judged["difference"]


def test_the_page_leads_to_every_audit(tried) -> None:
    out, found = tried
    assert json.loads((out / "remedies.json").read_text()) == {"format_version": 1, **found}
    page = report(out)
    assert "other_data helps most, then fresh" in page.text or "fresh helps most, then" in page.text
    assert "Left out: away, for it needs a model that rote trained" in page.text
    links = {attributes.get("href") for tag, attributes in page.tags if tag == "a"}
    for row in found["tried"]:
        assert f"{row['audits'][0]}/report.html" in links
        assert (out / row["audits"][0] / "report.html").exists()
    front = json.dumps(page.data["chart-data"]["specs"]["front"])
    assert front.count('"spoken": ') == 6


def test_a_sampler_that_ignores_its_seed_and_wrong_numbers_are_said(tmp_path: Path) -> None:
    def stuck(job: rote.TrainingJob) -> rote.TrainedModel:
        return rote.TrainedModel(images_seen=1, sample=lambda num, seed: job.data.items[:num])

    asked = {"training": TRAINING, "holdout": HOLDOUT, "device": "cpu"}
    trial = Trial(count=60, selection=60)
    with pytest.raises(RunError, match="two seeds gave the same samples"):
        try_remedies(stuck, out=tmp_path / "a", remedies=["noisy-data:4,8"], trial=trial, **asked)
    with pytest.raises(ConfigError, match="quality needs 40 samples"):
        try_remedies(stuck, out=tmp_path / "b", trial=Trial(count=10), **asked)
    with pytest.raises(ConfigError, match="a trainer needs data"):
        try_remedies(stuck, out=tmp_path / "c", trial=trial)
    with pytest.raises(
        ConfigError, match=r"no `remedy` fits .* \(away: it needs a model that rote"
    ):
        try_remedies(stuck, out=tmp_path / "f", remedies=["away"], trial=trial, **asked)
    with pytest.raises(ConfigError, match="d does not exist"):
        try_remedies(tmp_path / "d", out=tmp_path / "e", trial=trial)


SMALL = Trial(count=60, selection=40, margin=0.5)


def small(out: Path, remedies: list, judges: tuple[str, ...] = ("ratio", "absolute=9")) -> dict:
    asked = {"judges": judges, "training": TRAINING, "holdout": HOLDOUT, "device": "cpu"}
    return try_remedies(copier, out=out, remedies=remedies, trial=SMALL, **asked).to_json()


def test_killed_at_every_so_many_writes_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    """Each call goes on where the kill has left it, or it would never come to its end."""
    whole, parts, asked = tmp_path / "whole", tmp_path / "parts", ["noisy-data:4,60", "mirror"]
    found = small(whole, asked)
    kills = 0
    while cut(lambda: small(parts, asked), parts, at=80):
        kills += 1
        assert kills < 20
    assert kills >= 3
    assert contents(parts) == contents(whole)
    drawn = {path: path.stat().st_mtime_ns for path in whole.rglob("*.npz")}
    assert small(whole, asked) == found
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*.npz")} == drawn
    more = small(whole, [*asked, "noisy-data:200"])  # found what was there, measured one more
    assert more["tried"][:2] == found["tried"] and more["alpha"] == pytest.approx(0.05 / 3)


def test_what_depends_on_something_else_is_made_again(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    own = tmp_path / "a_remedy_that_changes.py"
    text = "def mine(case, setting):\n    return lambda n, s: case.sampler()(n, s).items{}\n"
    rates = []
    for change in ("", "[:, :, ::-1]"):
        own.write_text(text.format(change))
        linecache.clearcache()
        sys.modules.pop(own.stem, None)
        rates.append(
            small(tmp_path / "out", [f"{own.stem}:mine"])["tried"][0]["judged"][0]["after"]
        )
    assert rates[0]["value"] > 0.6 and rates[1]["value"] < 0.1
    other = small(tmp_path / "out", [f"{own.stem}:mine"], judges=("ratio", "ratio+flip"))
    assert other["tried"][0]["judged"][1]["after"]["value"] > 0.6


def test_captions_that_a_trainer_may_read_are_part_of_what_a_folder_is_bound_to(
    tmp_path: Path,
) -> None:
    def asked(word: str) -> None:
        data = replace(TRAINING, captions=(word,) * len(TRAINING))
        given = {"training": data, "holdout": HOLDOUT, "trial": SMALL, "device": "cpu"}
        try_remedies(copier, out=tmp_path, remedies=["mirror"], judges=["ratio"], **given)

    asked("a cat")
    with pytest.raises(RunError, match=r"another configuration \(captions"):
        asked("a dog")


def test_a_remedy_given_twice_and_a_damaged_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`remedy` mirror is given twice"):
        small(tmp_path / "a", ["mirror", "mirror"])
    with pytest.raises(ConfigError, match=r"away:0\.3 is given twice; give it once$"):
        small(tmp_path / "a", ["away:0.2,0.3", "away:0.3"])
    with pytest.raises(
        ConfigError, match="`remedy` noise is given twice; give it once, or functions"
    ):
        small(tmp_path / "a", [noise, noise])
    (tmp_path / "b" / "samples").mkdir(parents=True)
    (tmp_path / "b" / "samples" / "before.npz").write_bytes(b"no archive")
    with pytest.raises(RunError, match=r"before\.npz is damaged .*; delete it and run again"):
        small(tmp_path / "b", [])


def test_what_a_remedy_of_ones_own_does_wrong_is_one_line(tmp_path: Path) -> None:
    def broken(case: Case, setting: str):
        raise ValueError("no luck")

    def failing(case: Case, setting: str):
        return lambda num, seed: 1 / 0

    def empty(case: Case, setting: str):
        return None

    def few(case: Case, setting: str):
        return lambda num, seed: case.sampler()(3, seed)

    for remedy, message, kind in (
        (
            broken,
            "`remedy` broken raised ValueError: no luck .the traceback is in .*trainer.log",
            RunError,
        ),
        (failing, "failing raised ZeroDivisionError: division by zero", RunError),
        (empty, "`remedy` empty returned a NoneType; return sample", ConfigError),
        (few, "came where 60 of .* are due", RunError),
    ):
        with pytest.raises(kind, match=message):
            small(tmp_path / "out", [remedy])
    assert "ZeroDivisionError" in (tmp_path / "out" / "trainer.log").read_text()
