"""Planted remedies on a trainer that copies: each has the verdict that it is made for."""

import json
from pathlib import Path

import numpy as np
import pytest
from report_page import report

import rote
from rote.core.errors import ConfigError, RunError
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.experiments.mitigation.attempt import Trial, try_remedies
from rote.experiments.mitigation.case import Case

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
    with pytest.raises(ConfigError, match="holds no training"):
        try_remedies(tmp_path / "d", out=tmp_path / "e", trial=trial)
