"""Remedies on a pipeline: its images are those of `rote sample`, of trained captions and of others."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_page import report

import rote
from rote.core.errors import ConfigError, DataError
from rote.data.captions.vary import words_of
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.experiments.mitigation.case import Case
from rote.experiments.mitigation.comparison import Trial
from rote.experiments.mitigation.pipeline_remedies import with_words
from rote.experiments.mitigation.remedies import REMEDIES
from rote.experiments.mitigation.try_remedies import try_remedies

pytest.importorskip("diffusers")
CAPTIONS = ("a red cat", "the blue house", "a dog", "the cat of a house")
OTHERS = ("green dog", "the red of the house", "a dog")  # the last one is trained on, too


def pictures(count: int, captions: tuple[str, ...], first: int) -> Dataset:
    grey = load_images("digits").items[first : first + count]
    told = tuple(captions[n % len(captions)] for n in range(count))
    return Dataset(np.repeat(grey, 3, axis=3), captions=told)


TRAINING, HOLDOUT = pictures(12, CAPTIONS, 0), pictures(60, OTHERS, 100)
TRIAL = Trial(count=48, selection=40, margin=0.5, seed=3)
ASKED = {"training": TRAINING, "holdout": HOLDOUT, "trial": TRIAL, "guidance": 3.0, "steps": 2}
JUDGES = ("ratio", "authenticity")


@pytest.fixture(scope="module")
def opened():
    from pipelines import tiny_pipeline

    return rote.open_pipeline(tiny_pipeline(), device="cpu")


@pytest.fixture(scope="module")
def tried(opened, tmp_path_factory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("remedies")
    remedies = ["embedding-noise:0", "random-words:3", "guidance:2", "mirror", "caption-words"]
    found = try_remedies(opened, out=out, remedies=remedies, judges=JUDGES, **ASKED)
    return out, found.to_json()


def test_strength_0_is_rote_sample_bit_for_bit(opened, tried, tmp_path: Path) -> None:
    (tmp_path / "captions.txt").write_text("\n".join(CAPTIONS))
    sets = rote.PromptSets(prompts=tmp_path / "captions.txt", count=48)
    out = rote.sample_pipeline(opened, sets, out=tmp_path / "s", guidance=3.0, steps=2, seed=3)
    drawn = load_images(out / "prompts")
    for name in ("before", "embedding-noise-0"):
        with np.load(tried[0] / "samples" / f"{name}.npz") as arrays:
            assert np.array_equal(arrays["images"], drawn.items)
            assert tuple(arrays["captions"]) == drawn.captions


def test_trained_captions_and_others_are_asked_for(tried) -> None:
    out, found = tried
    rows = {row["name"]: row for row in found["tried"]}
    assert list(rows) == ["embedding-noise", "random-words", "guidance"]
    left = {row["name"]: row["why"] for row in found["left_out"]}
    assert "is not trained here" in left["mirror"] and "needs a trainer" in left["caption-words"]
    for row in rows.values():
        assert [one["judge"] for one in row["judged"]] == list(JUDGES)
        assert [one["judge"] for one in row["others"]] == list(JUDGES)
        assert [one["name"] for one in row["quality"]][2:] == [
            "precision of other captions",
            "coverage of other captions",
        ]
    same = rows["embedding-noise"]
    assert all(one["p_value"] == 1 for one in (*same["judged"], *same["others"]))
    assert all(one["loss"]["value"] == 0 for one in same["quality"])
    with np.load(out / "samples" / "before-others.npz") as arrays:
        assert set(arrays["captions"].tolist()) == set(OTHERS[:2])
    with (
        np.load(out / "samples" / "random-words-3.npz") as arrays,
        np.load(out / "samples" / "before.npz") as plain,
    ):
        assert not np.array_equal(arrays["images"], plain["images"])
        assert np.array_equal(arrays["captions"], plain["captions"])
    bound = json.loads((out / "config.json").read_text())["model"]
    assert (bound["guidance"], bound["steps"]) == (3.0, 2)


def test_random_words_are_put_in_and_none_is_lost() -> None:
    words = words_of(OTHERS)
    assert words == ("a", "dog", "green", "house", "of", "red", "the")
    assert with_words("a  red cat", words, 0, seed=1) == "a  red cat"
    for seed in range(5):
        found = with_words("one two three", words, 4, seed=seed).split()
        assert len(found) == 7 and [word for word in found if word not in words] == [
            "one",
            "two",
            "three",
        ]
    assert len({with_words("one two three", words, 1, seed=seed) for seed in range(20)}) > 10


def test_captions_are_trained_with_words_and_several_of_them(tmp_path: Path) -> None:
    seen = {}

    def trainer(job: rote.TrainingJob) -> rote.TrainedModel:
        seen[job.folder.name] = job.data
        items = HOLDOUT.items

        def sample(num: int, seed: int) -> np.ndarray:
            return items[np.random.default_rng(seed).integers(len(items), size=num)]

        return rote.TrainedModel(images_seen=1, sample=sample)

    remedies = ["caption-words:2", "several-captions:3", "caption-words:0"]
    asked = {"training": TRAINING, "holdout": HOLDOUT, "trial": TRIAL, "device": "cpu"}
    try_remedies(trainer, out=tmp_path, remedies=remedies, judges=JUDGES, **asked)
    plain, words, several = (seen[n] for n in ("as-it-is", "caption-words-2", "several-captions-3"))
    assert seen["caption-words-0"].captions == plain.captions == TRAINING.captions
    assert all(
        len(new.split()) == len(old.split()) + 2
        for new, old in zip(words.captions, plain.captions, strict=True)
    )
    assert np.array_equal(several.items, np.concatenate([plain.items] * 3))
    assert len(set(several.captions)) > 30


def test_remedies_that_change_the_text_are_left_out_without_guidance(
    opened, tmp_path: Path
) -> None:
    names = ["embedding-noise", "late-text", "prompt-adjustment", "random-words:1"]
    asked = ASKED | {"guidance": 1.0}
    found = try_remedies(opened, out=tmp_path, remedies=names, judges=JUDGES, **asked).to_json()
    left = {row["name"]: row["why"] for row in found["left_out"]}
    assert left == dict.fromkeys(names[:3], "it needs guidance above 1")
    assert [row["name"] for row in found["tried"]] == ["random-words"]


@pytest.mark.parametrize("name", ["caption-words", "several-captions"])
def test_remedies_of_captions_need_one_for_every_picture(name: str) -> None:
    for captions, why in (
        (("a cat", None), "it needs a caption for every picture"),
        ((None, None), "it needs a trainer of pictures with captions"),
        ((), "it needs a trainer of pictures with captions"),
        (("a cat", ""), ""),
    ):
        data = Dataset(TRAINING.items[:2], captions=captions)
        assert REMEDIES[name].unfit(Case(data, HOLDOUT, Path(), "cpu", 0)) == why


def test_what_a_pipeline_needs_is_said(opened, tmp_path: Path) -> None:
    def refused(message: str, kind=ConfigError, **other) -> None:
        with pytest.raises(kind, match=message):
            try_remedies(opened, out=tmp_path / "x", **ASKED | other)

    refused("a pipeline needs data", holdout=None)
    refused("has no caption for 12 of 12 images", training=replace(TRAINING, captions=()))
    small = Dataset(TRAINING.items[:, :4, :4], captions=TRAINING.captions)
    refused(r"load them with `resolution` 8", kind=DataError, training=small)
    refused("`steps` is 0", steps=0)
    with pytest.raises(ConfigError, match="are how a pipeline draws"):
        try_remedies(tmp_path, out=tmp_path / "x", guidance=2.0)
    with pytest.raises(ConfigError, match="does not exist; give the folder of a finished"):
        try_remedies(tmp_path / "gt", out=tmp_path / "x")


def test_the_page_has_other_captions_in_a_table_of_their_own(tried, tmp_path: Path) -> None:
    (tmp_path / "remedies.json").write_bytes((tried[0] / "remedies.json").read_bytes())
    page = report(tmp_path)
    assert "Captions that were not trained on" in page.text
    regions = [told.get("aria-label") for _, told in page.tags if told.get("role") == "region"]
    assert regions[:2] == ["All remedies", "Other captions"]
    _, _, others = page.text.partition("Captions that were not trained on")
    others, end, _ = others.partition("A remedy helps if precision")
    assert end
    for row in tried[1]["tried"]:
        assert page.text.count(row["name"]) >= 3  # in both tables, and in the file
        assert row["name"] in others
