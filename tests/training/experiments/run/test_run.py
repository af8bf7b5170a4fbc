"""One run of a search: its own draw of everything, staged samples, early ends, what it leaves."""

import numpy as np
import pytest

from rote.core.atomic_files import read_json
from rote.core.errors import Interrupted
from rote.data.convert import for_models
from rote.data.load import load_images
from rote.diffusion.config import ModelConfig, SampleConfig, TrainConfig
from rote.experiments.config import ExperimentConfig, SearchConfig
from rote.experiments.run.run import execute, observed_at_most, settled
from rote.experiments.run.score import stages
from rote.experiments.search.runs import search_run
from rote.results.run import Observation, PointFile
from rote.stats.rates import wilson

# Rows of four numbers and a perceptron of a few units: a run takes a fraction of a second.
CONFIG = ExperimentConfig(
    model=ModelConfig(architecture="mlp", width=8, blocks=1),
    train=TrainConfig(batch=16, images=640, snapshot_images=320, log_images=160),
    sample=SampleConfig(steps=2),
    search=SearchConfig(start=50, selection_samples=256, fresh_samples=300),
)


@pytest.fixture(scope="module")
def rows():
    return for_models(load_images("iris"))[0]


def task(out, size=50, replicate=0, *, train=None, **search):
    config = CONFIG.model_copy(
        update={
            "search": CONFIG.search.model_copy(update=search),
            "train": CONFIG.train.model_copy(update=train or {}),
        }
    )
    return search_run(size, replicate, seed=5, out=out, config=config, device="cpu")


def finish(rows, asked):
    execute(asked, rows, should_stop=lambda: False)
    return asked.finished(PointFile)


def split(asked, data):
    drawn = asked.draw(data)
    return drawn.dataset, asked.rest(data, drawn)


def samples(asked):
    with np.load(asked.folder / "samples" / "fresh.npz") as arrays:
        return dict(arrays)


def test_no_two_runs_share_their_draw(rows, tmp_path):
    tasks = [task(tmp_path, size, replicate) for size in (50, 60) for replicate in (0, 1)]
    assert len({one.root_seed for one in tasks}) == 4
    assert [one.name for one in tasks[:2]] == [
        "points/size-000050-run-00",
        "points/size-000050-run-01",
    ]
    subsets = [split(one, rows)[0] for one in tasks]
    assert len({subset.digest for subset in subsets}) == 4
    # Not nested either: a smaller subset that is part of a larger one would tie their runs together.
    first, second = (set(map(tuple, subset.items.tolist())) for subset in (subsets[0], subsets[2]))
    assert not first <= second


def test_the_archive_order_is_the_same_for_every_run(rows, tmp_path):
    for replicate in (0, 1):
        subset, rest = split(task(tmp_path, 50, replicate, subset="archive"), rows)
        assert (subset.items == rows.items[:50]).all()
        assert (rest.items == rows.items[50:]).all()
    whole, rest = split(task(tmp_path, len(rows)), rows)
    assert len(whole) == len(rows) and rest is None


def test_totals_of_the_stages():
    assert stages(128, 1000) == [128, 256, 512, 1000]
    assert stages(128, 128) == [128] and stages(128, 60) == [60]


def test_sample_i_is_the_same_whatever_the_stages(rows, tmp_path):
    asked = [
        task(tmp_path / str(first), first_samples=first, fresh_samples=192)
        for first in (64, 100, 192)
    ]
    for one in asked:
        finish(rows, one)
    found = [samples(one) for one in asked]
    # Nothing is memorized: with 128 samples or more that is sure, and no more are drawn.
    assert [len(arrays["images"]) for arrays in found] == [128, 192, 192]
    for arrays in found[:2]:
        count = len(arrays["seeds"])
        assert (arrays["images"] == found[2]["images"][:count]).all()
        assert (arrays["seeds"] == found[2]["seeds"][:count]).all()


def test_a_hopeless_run_ends_early_and_says_so(rows, tmp_path):
    # 0 of 128: below 0.03 (Wilson); four logits more within one doubling of the images: 0.62.
    point = finish(rows, task(tmp_path / "early"))
    assert (point.images_trained, point.images_seen) == (320, 320)
    assert [one.images_seen for one in point.selection] == [320]
    assert point.observation == observed_at_most(wilson(0, 128), 320, 640)
    assert point.observation.bound == "at-most" and point.observation.count == 79
    assert len(point.gap) == 1 and point.gap[0].images_seen == 320
    folder = tmp_path / "early" / point.run
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["320.safetensors"]
    assert read_json(folder / "point.json")["observation"]["error"] == 0.02


@pytest.mark.parametrize(
    ("search", "seen", "scored"),
    [
        ({"early_stop": False}, 640, [320, 640]),
        ({"snapshot": "last", "gap": False}, 640, []),
    ],
)
def test_whole_trainings(rows, tmp_path, search, seen, scored):
    point = finish(rows, task(tmp_path, **search))
    assert point.images_trained == seen
    assert [one.images_seen for one in point.selection] == scored
    expected = Observation(bound="exact", count=point.rate.count, total=point.rate.total, error=0.0)
    assert point.observation == expected
    assert len(point.gap) == (2 if search.get("gap", True) else 0)
    if not scored:
        assert point.images_seen == 640


def test_both_early_ends_by_hand():
    assert settled(wilson(256, 256), 100, 400, epsilon=0.1) == "at-least"
    assert settled(wilson(230, 256), 100, 400, epsilon=0.1) == "exact"
    assert settled(wilson(0, 256), 200, 400, epsilon=0.1) == "at-most"
    assert settled(wilson(0, 256), 100, 400, epsilon=0.1) == "exact"  # time enough to rise


def test_a_run_stopped_anywhere_ends_as_if_it_had_not(rows, tmp_path):
    whole = finish(rows, task(tmp_path / "whole", early_stop=False))
    whole_folder = tmp_path / "whole" / whole.run
    asked, calls, stops = task(tmp_path / "stopped", early_stop=False), 0, 0

    def should_stop():
        nonlocal calls
        calls += 1
        return calls % 9 == 0

    while True:
        try:
            execute(asked, rows, should_stop=should_stop)
            break
        except Interrupted:
            stops += 1
            assert stops < 50
    assert stops > 3
    assert asked.finished(PointFile) == whole
    audits = [read_json(run / "audit" / "audit.json") for run in (asked.folder, whole_folder)]
    for audit in audits:
        del audit["provenance"]["created"]
    assert audits[0] == audits[1]
