"""A folder of a pipeline's images: three sets, resumed after a kill, bound to its settings."""

import json
from dataclasses import replace

import pytest

import rote.diffusion.pipelines.folder as module
from rote.core.errors import ConfigError, RunError
from rote.data.load import load_images
from rote.diffusion.pipelines.folder import PromptSets, sample_pipeline

HOW = {"guidance": 3.0, "steps": 2}


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prompts")
    (folder / "trained.txt").write_text("a cat\nthe dog\nred house\n")
    (folder / "others.txt").write_text("green\n")
    return PromptSets(
        prompts=folder / "trained.txt",
        control_prompts=folder / "others.txt",
        empty_prompt=True,
        per_caption=2,
    )


def files(folder):
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    skipped = ("manifest.json", ".lock")
    return {
        name: path.read_bytes()
        for name, path in found.items()
        if path.is_file() and name not in skipped
    }


def test_images_lie_beside_their_prompts(opened, sets, tmp_path):
    out = sample_pipeline(opened, sets, out=tmp_path / "out", **HOW)
    assert {path.name for path in out.iterdir() if path.is_dir()} == {"prompts", "control", "empty"}
    trained = load_images(out / "prompts")
    assert trained.items.shape == (6, 8, 8, 3)
    assert trained.captions == ("a cat",) * 2 + ("the dog",) * 2 + ("red house",) * 2
    whole = load_images(out)
    assert len(whole.captions) == 6 + 2 + 6 and "" in whole.captions and None not in whole.captions
    config = json.loads((out / "config.json").read_text())
    assert config["steps"] == 2 and config["sets"]["empty"]["images"] == 6


def test_a_kill_costs_one_tile_and_changes_nothing(opened, sets, tmp_path, monkeypatch):
    wanted = files(sample_pipeline(opened, sets, out=tmp_path / "whole", **HOW))
    real, calls = module.draw, []

    def dies(*given, **named):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*given, **named)

    monkeypatch.setattr(module, "draw", dies)
    with pytest.raises(KeyboardInterrupt):
        sample_pipeline(opened, sets, out=tmp_path / "cut", **HOW)
    assert not any(name.startswith("prompts/") for name in files(tmp_path / "cut"))
    sample_pipeline(opened, sets, out=tmp_path / "cut", **HOW)
    assert files(tmp_path / "cut") == wanted
    count = len(calls)
    assert count == 1 + 1 + 1 + 1 + 2, "the first tile, the one that died, then what was missing"
    sample_pipeline(opened, sets, out=tmp_path / "cut", **HOW)
    assert len(calls) == count


def test_a_folder_belongs_to_its_settings(opened, sets, tmp_path):
    few = replace(sets, control_prompts=None, empty_prompt=False, per_caption=1)
    sample_pipeline(opened, few, out=tmp_path, **HOW)
    with pytest.raises(RunError, match=r"belongs to another configuration \(guidance is 3.0 there"):
        sample_pipeline(opened, few, out=tmp_path, steps=2)
    with pytest.raises(RunError, match="seed is 0 there and 1 here"):
        sample_pipeline(opened, few, out=tmp_path, seed=1, **HOW)
    with pytest.raises(ConfigError, match="`per_caption` is 0"):
        sample_pipeline(opened, replace(few, per_caption=0), out=tmp_path, **HOW)
    with pytest.raises(ConfigError, match="`count` is 0"):
        sample_pipeline(opened, replace(few, count=0), out=tmp_path, **HOW)
    with pytest.raises(ConfigError, match="`steps` is 0"):
        sample_pipeline(opened, few, out=tmp_path, steps=0)


def test_prompts_that_are_cut_are_noted(opened, tmp_path):
    (tmp_path / "long.txt").write_text("the " * 30 + "\n")
    out = sample_pipeline(
        opened, PromptSets(prompts=tmp_path / "long.txt", per_caption=1), out=tmp_path / "o", **HOW
    )
    notes = json.loads((out / "manifest.json").read_text())["notes"]
    assert notes == ["1 prompts are longer than the 12 tokens that the pipeline reads"]
