"""Planted copies in real images: what is found with and without invariances, against plain code."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from audits import answer
from audits import ratio_audit as audit

from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.memorization.corruptions import degradations
from rote.memorization.invariances import Invariances
from rote.neighbors.search import nearest_neighbors

KINDS = {f"{kind.name} {kind.strength:g}": kind for kind in degradations()}
PLANTED = ("exact", "jpeg 30", "noise 16", "flip 1", "shift 2")


def planted(images, holdout, *, each, novel):
    """Return (generated, training, held out): copies of ``each`` kind, then novel images.

    Every second source has an exact twin in training, the others a JPEG twin.
    """
    order = np.random.default_rng(0).permutation(len(images))[: each * len(PLANTED)]
    twins = [images[order[::2]], KINDS["jpeg 90"](images[order[1::2]], seed=9)]
    copies = []
    for number, name in enumerate(PLANTED):
        source = images[order[number * each : (number + 1) * each]]
        copies.append(source if name == "exact" else KINDS[name](source, seed=number))
    generated = np.concatenate([*copies, holdout[:novel]])
    return (
        Dataset(generated),
        Dataset(np.concatenate([images, *twins])),
        Dataset(holdout[novel:]),
    )


def counts(memorized, each):
    """Return found copies per kind, and the false ones."""
    end = each * len(PLANTED)
    kinds = memorized[:end].reshape(len(PLANTED), each).sum(axis=1)
    return dict(zip(PLANTED, kinds.tolist(), strict=True)), int(memorized[end:].sum())


def plain_ratio(generated, training):
    """Return the verdicts of the ratio as it is usually computed: no groups, 0/0 is no copy."""
    sq = nearest_neighbors(generated.items, training.items, k=2).sq_distances
    return 9 * sq[:, 0] < sq[:, 1]


@pytest.fixture(scope="module")
def digits():
    images = load_images("digits").items
    images = images[np.random.default_rng(1).permutation(len(images))]
    return planted(images[:800], images[800:], each=20, novel=500)


def test_twins_hide_copies_from_plain_code(digits):
    generated, training, _ = digits
    found, false = counts(plain_ratio(generated, training), 20)
    # A source with an exact twin is 0/0, or has its twin as near as itself; one with a JPEG twin keeps
    # its exact copies alone.
    assert found == {"exact": 10, "jpeg 30": 0, "noise 16": 0, "flip 1": 0, "shift 2": 0}
    assert false == 0


def test_groups_and_invariances_find_them(digits):
    generated, training, holdout = digits
    plain = audit(generated, training, holdout=holdout, duplicate_rms=10.0)
    found, false = counts(plain.memorized, 20)
    assert (found["exact"], found["flip 1"], found["shift 2"], false) == (20, 0, 0, 0)
    calibrated = {c.name: c.memorized for c in plain.criteria}["calibrated"]
    better, _ = counts(calibrated, 20)
    assert better["noise 16"] >= 18  # at 8 pixels a third gives few of them
    assert better["noise 16"] > found["noise 16"]
    with_flip = audit(
        generated, training, duplicate_rms=10.0, invariances=Invariances.parse("flip,shift")
    )
    found, _ = counts(with_flip.memorized, 20)
    assert (found["exact"], found["flip 1"], found["shift 2"]) == (20, 20, 20)


@pytest.mark.cifar10
def test_planted_copies_of_cifar10(cifar10_folder: Path):
    with np.load(cifar10_folder / "cifar10_train.npz") as arrays:
        images = arrays["images"][:2000]
    with np.load(cifar10_folder / "cifar10_test.npz") as arrays:
        holdout = arrays["images"][:3000]
    generated, training, held = planted(images, holdout, each=20, novel=1000)
    found, false = counts(plain_ratio(generated, training), 20)
    assert sum(found.values()) <= 12
    plain = audit(generated, training, holdout=held, duplicate_rms=10.0)
    found, false = counts(plain.memorized, 20)
    assert (found["exact"], found["flip 1"], false) == (20, 0, 0)
    flip = audit(
        generated, training, holdout=held, duplicate_rms=10.0, invariances=Invariances(flip=True)
    )
    found, false = counts(flip.memorized, 20)
    assert (found["exact"], found["flip 1"], false) == (20, 20, 0)


def test_a_copier_of_a_set_with_jpeg_twins_copies_always():
    images = load_images("digits").items[:300]
    training = Dataset(np.concatenate([images, KINDS["jpeg 90"](images, seed=0)]))
    noisy = Dataset(KINDS["noise 4"](images, seed=1))
    assert audit(noisy, training).rate.value < 0.1
    assert audit(noisy, training, duplicate_rms=10.0).rate.value > 0.95
    doubled = Dataset(np.concatenate([images, images]))
    assert audit(Dataset(images), doubled, duplicate_rms=10.0).rate.value == 1.0


def text_of(found):
    """Return the JSON of an audit without what shuffling must change: digests and positions."""
    value = answer(found.to_json())
    for side in ("generated", "training", "control"):
        value[side].pop("digest")
    # Which of several equally often copied images come first, and their numbers, follow positions.
    value["coverage"]["top"] = [entry["count"] for entry in value["coverage"]["top"]]
    return json.dumps(value)


def test_order_and_threads_change_nothing(digits):
    generated, training, holdout = digits
    text = verdicts = None
    for seed, threads in [(0, 1), (1, 2), (2, 1)]:
        generator = np.random.default_rng(seed)
        sides = [
            side.take(generator.permutation(len(side))) for side in (generated, training, holdout)
        ]
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            found = audit(
                sides[0],
                sides[1],
                holdout=sides[2],
                duplicate_rms=10.0,
                invariances=Invariances(flip=True),
                criterion=["calibrated", "carlini", "tiles"],
                positive_control=20,
            )
        finally:
            torch.set_num_threads(before)
        by_name = dict(zip(sides[0].names, found.verdict.tolist(), strict=True))
        text, verdicts = text or text_of(found), verdicts or by_name
        assert text_of(found) == text
        assert by_name == verdicts


def test_images_set_aside_do_not_depend_on_their_order(digits):
    generated, training, _ = digits
    texts = []
    for seed in (0, 1):
        order = np.random.default_rng(seed).permutation(len(training))
        found = audit(generated, training.take(order), set_aside=200, duplicate_rms=10.0)
        value = found.to_json()
        texts.append(json.dumps([value["rate"], value["control"]["rate"], value["calibrated"]]))
    assert texts[0] == texts[1]
