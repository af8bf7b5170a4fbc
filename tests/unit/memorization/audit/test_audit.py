"""The audit on tables that can be worked out by hand, and on real digits."""

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from audits import ratio_audit as audit

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.data.scaling import Scaling


def grey(*values, names=()):
    """Images of 1x2 pixels from (left, right)."""
    return Dataset(np.array(values, np.uint8).reshape(-1, 1, 2, 1), names=names)


TRAINING = grey((0, 0), (30, 40), (100, 0), (200, 200), names=("a", "b", "c", "d"))
# Query: nearest, squared; second, squared; 9 * nearest < second?
# (3, 4):    a 25;    b 27^2 + 36^2 = 2025;     225 < 2025   copied
# (100, 0):  c 0;     b 70^2 + 40^2 = 6500;       0 < 6500   copied
# (15, 20):  a 625 (tie: lowest index); b 625;               not
# (160, 160): d 3200; c 60^2 + 160^2 = 29200; b 130^2 + 120^2 = 31300;  28800 < 29200  copied
GENERATED = grey((3, 4), (100, 0), (15, 20), (160, 160))


@pytest.fixture(scope="module")
def digits():
    return load_images("digits")


def test_four_rows_by_hand():
    found = audit(GENERATED, TRAINING)
    assert found.memorized.tolist() == [True, True, False, True]
    assert found.nn1_index.tolist() == [0, 2, 0, 3]
    assert found.nn2_index.tolist() == [1, 1, 1, 2]
    assert found.nn1_sq.tolist() == [25, 0, 625, 3200]
    assert found.nn2_sq.tolist() == [2025, 6500, 625, 29200]
    assert (found.rate.count, found.rate.total, found.rate.value) == (3, 4, 0.75)
    assert found.ratio.tolist() == pytest.approx([1 / 9, 0, 1, (3200 / 29200) ** 0.5], abs=1e-15)
    assert found.control is None


def test_swapping_the_sides_changes_the_answer():
    swapped = audit(TRAINING, GENERATED)
    # a (0, 0): 25, 625: 225 < 625 copied; b: 625, 2025: not; c: 0: copied; d (200, 200): 3200, then
    # (100, 0) 50000: 28800 < 50000 copied
    assert swapped.memorized.tolist() == [True, False, True, True]
    assert swapped.nn1_sq.tolist() == [25, 625, 0, 3200]


def test_a_stricter_rule_flags_fewer():
    found = audit(GENERATED, TRAINING, ratio_threshold=0.1)
    assert found.memorized.tolist() == [False, True, False, False]


def test_coverage_counts_the_training_items_reproduced():
    generated = grey((100, 0), (3, 4), (99, 0), (0, 1), (101, 1), (15, 20))
    found = audit(generated, TRAINING).coverage()
    assert found == {
        "distinct_references": 2,
        "distinct_groups": 2,
        "references": 4,
        "top_share": 3 / 5,  # one image is the 1 % of four
        "effective": pytest.approx(25 / 13),  # (3 + 2)^2 / (3^2 + 2^2)
        "top": [
            {"index": 2, "name": "c", "count": 3},
            {"index": 0, "name": "a", "count": 2},
        ],
    }


def test_the_second_neighbor_is_of_another_group():
    doubled = grey((0, 0), (0, 0), (30, 40), (30, 40), (0, 0))
    found = audit(grey((0, 0), (3, 4)), doubled)
    assert found.nn1_index.tolist() == [0, 0]
    assert found.nn2_index.tolist() == [2, 2]
    assert found.memorized.tolist() == [True, True]
    counts = {"groups": 2, "images": 5, "distinct": 2}
    assert found.to_json()["duplicates"] == {
        **counts,
        "near": {"rms": 0.0, "spacing": None, **counts},
    }


def test_a_copier_of_a_doubled_training_set_copies_always(digits):
    training = digits.take([*range(100), *range(100)])
    assert audit(digits.take(range(100)), training).rate.value == 1.0


def test_held_out_digits_are_not_copies(digits):
    order = np.random.default_rng(0).permutation(len(digits))
    training, rest = digits.take(order[:1000]), digits.take(order[1000:])
    found = audit(training, training, holdout=rest)
    assert found.rate.value == 1.0
    assert (found.control.count, found.control.total) == (0, 797)
    assert found.to_json()["control"]["rate"] == found.control.to_json()


def test_scaled_vectors_are_audited_as_they_are():
    vectors = np.array([[0, 0], [3, 4], [100, 0]], np.float32)
    as_it_is = Scaling(np.zeros(2), np.ones(2))
    training = Dataset(vectors).scaled(as_it_is)
    found = audit(Dataset(vectors[:1] + np.float32(0.5)).scaled(as_it_is), training)
    assert found.nn1_sq.tolist() == [0.5]
    assert found.nn2_sq.tolist() == [2.5**2 + 3.5**2]
    assert found.memorized.tolist() == [True]
    assert found.to_json()["criterion"]["space"] == "columns"


def test_other_vectors_are_brought_into_units_of_the_training_spread():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 2)).astype(np.float32) * np.float32([1, 1000])
    made, training = Dataset(vectors[:9] + np.float32([0.001, 0])), Dataset(vectors[:50])
    found = audit(made, training, holdout=Dataset(vectors[50:]))
    scaling = Scaling.fit(training.items)
    assert found.training.scaling is not None and found.holdout.scaling is not None
    moved = scaling.scaled(made.items).astype(np.float64) - scaling.scaled(training.items[:9])
    assert found.nn1_index.tolist() == list(range(9))
    assert found.nn1_sq == pytest.approx(np.square(moved).sum(1), rel=1e-6)
    with pytest.raises(DataError, match="`generated` is in units of each column's spread and"):
        audit(made.scaled(scaling), training)


@pytest.mark.parametrize(
    ("generated", "message"),
    [
        (np.zeros((1, 2, 2, 1), np.uint8), "has items of 2x2 pixels in grey and"),
        (np.zeros((1, 1, 2, 3), np.uint8), "has items of 2x1 pixels in color and"),
        (np.zeros((1, 2), np.float32), "has items of 2 numbers and"),
    ],
)
def test_sides_that_do_not_fit_are_one_line(generated, message):
    with pytest.raises(DataError, match=f"`generated` array {message}"):
        audit(Dataset(generated), TRAINING)
    with pytest.raises(DataError, match=f"`holdout` array {message}"):
        audit(GENERATED, TRAINING, holdout=Dataset(generated))


def test_one_distinct_training_image_is_not_enough():
    with pytest.raises(DataError, match=r"has 1 distinct item; .* needs at least two"):
        audit(GENERATED, grey((5, 5), (5, 5)))


# -- files -----------------------------------------------------------------------------------------


def test_files_are_as_documented(tmp_path):
    found = audit(GENERATED, TRAINING, holdout=grey((7, 90)))
    found.save(tmp_path, labels=np.array([5, 6, 7, 8]))
    assert sorted(p.name for p in tmp_path.glob("[!.]*")) == [
        *("audit.json", "duplicates.csv", "gallery.npz", "neighbors.npz", "pairs.csv", "tables.npz")
    ]
    written = json.loads((tmp_path / "audit.json").read_text())
    assert list(written) == [
        *("format_version", "kind", "provenance", "notices"),
        *("rate", "criterion", "generated", "training"),
        *("duplicates", "coverage", "control", "calibrated", "excess", "verdicts", "criteria"),
        *("collapse", "holdout_in_training", "set_aside", "positive_control", "tolerance"),
        *("per_class", "per_label", "invariances", "seed", "gate", "quality", "population"),
        *("groups", "clusters", "captions", "ruler", "spaces", "agreement", "recall_at_rate"),
    ]
    assert written == {"format_version": 1, **found.to_json()}
    side = {"source": "array", "digest": TRAINING.digest, "count": 4, "shape": [1, 1, 2]}
    assert written["training"] == {**side, "kind": "image", "unreadable": 0, "classes": []}
    with np.load(tmp_path / "neighbors.npz") as arrays:
        dtypes = {name: arrays[name].dtype for name in arrays.files}
        assert dtypes == {
            **dict.fromkeys(("nn1_index", "nn2_index", "nn1_sq", "nn2_sq"), np.int64),
            **dict.fromkeys(("training_group", "generated_group", "label"), np.int64),
            **dict.fromkeys(("holdout_nn1_sq", "holdout_nn2_sq"), np.int64),
            **dict.fromkeys(("memorized", "memorized_ratio"), np.bool_),
            "verdict": np.int8,
            "transform": np.int16,
            "score_ratio": np.float64,
        }
        assert arrays["nn1_sq"].tolist() == [25, 0, 625, 3200]
    with np.load(tmp_path / "gallery.npz") as arrays:
        # by ratio: 0, 1/9, 0.33, 1
        assert arrays["generated_index"].tolist() == [1, 0, 3, 2]
        assert arrays["labels"].tolist() == [6, 5, 8, 7]
        assert arrays["nn1_index"].tolist() == [2, 0, 3, 0]
        assert arrays["memorized"].tolist() == [True, True, True, False]
        assert np.array_equal(arrays["generated"], GENERATED.items[[1, 0, 3, 2]])
        assert np.array_equal(arrays["nn1"], TRAINING.items[[2, 0, 3, 0]])
        assert np.array_equal(arrays["nn2"], TRAINING.items[[1, 1, 2, 1]])
        assert arrays["ratio"].dtype == np.float64
        assert (arrays["generated"].dtype, arrays["labels"].dtype) == (np.uint8, np.int64)


def test_pairs_are_in_order_of_the_ratio(tmp_path):
    names = replace(GENERATED, names=("x", 'quote"', "new\nline", "comma,"))
    audit(names, TRAINING).save(tmp_path)
    with (tmp_path / "pairs.csv").open(newline="", encoding="utf-8") as handle:
        header, *rows = csv.reader(handle)
    assert header == [
        *("generated", "name", "memorized", "ratio", "nn1_index", "nn1_name", "nn1_distance"),
        *("nn2_index", "nn2_name", "nn2_distance"),
        *("verdict", "transform", "training_group", "generated_group"),
        *("caption", "nn1_caption"),
    ]
    copied, novel = ["memorized", "as it is"], ["novel", "as it is"]
    assert rows == [
        ["1", 'quote"', "yes", "0", "2", "c", "0", "1", "b", "80.6226", *copied, "2", "1", "", ""],
        ["0", "x", "yes", "0.111111", "0", "a", "5", "1", "b", "45", *copied, "0", "0", "", ""],
        [
            "3",
            "comma,",
            "yes",
            "0.331042",
            "3",
            "d",
            "56.5685",
            "2",
            "c",
            "170.88",
            *copied,
            "3",
            "3",
            "",
            "",
        ],
        ["2", "new\nline", "no", "1", "0", "a", "25", "1", "b", "25", *novel, "0", "2", "", ""],
    ]


def test_the_gallery_is_spread_over_the_ratio(digits, tmp_path):
    found = audit(digits, digits.take(range(0, 1797, 2)))
    found.save(tmp_path)
    with np.load(tmp_path / "gallery.npz") as arrays:
        ratio = arrays["ratio"][:200]
        assert (np.diff(ratio) >= 0).all()
        assert ratio[0] == found.ratio.min()
        assert ratio[-1] == found.ratio.max()
        assert np.array_equal(arrays["labels"], digits.labels[arrays["generated_index"]])


def test_everything_that_is_listed_has_a_picture(digits, tmp_path):
    """Groups, the most copied training images and leaked held-out images, wherever their ratios lie."""
    images = digits.items
    training = Dataset(np.concatenate([images[:300], images[:3], images[5:6]]))
    collapsed = np.repeat(images[900:901], 40, axis=0)  # near no training image
    generated = Dataset(np.concatenate([images[:150], images[1000:1400], collapsed]))
    found = audit(generated, training, holdout=Dataset(images[[1, 299, *range(1500, 1700)]]))
    found.save(tmp_path)
    with np.load(tmp_path / "gallery.npz") as arrays:
        keys = list(zip(arrays["small_side"].tolist(), arrays["small_index"].tolist(), strict=True))
        sides = (generated, training, found.holdout)
        for (side, index), image in zip(keys, arrays["small"], strict=True):
            assert np.array_equal(image, sides[side].items[index])
        index = arrays["generated_index"]
        assert len(np.unique(index)) == len(index)
        assert (index >= 550).sum() >= 6  # of the collapsed group
    wanted = {(1, entry["index"]) for entry in found.coverage()["top"]}
    wanted |= {(1, n) for n in (0, 1, 2, 5)} | {(0, 550), (2, 0), (2, 1), (1, 299)}
    assert wanted <= set(keys)
    with (tmp_path / "duplicates.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    sides = [row["side"] for row in rows]
    assert (sides.count("training"), sides.count("generated")) == (8, 40)
    leaks = [(r["index"], r["rms"], r["nn1_index"]) for r in rows if r["side"] == "holdout"]
    assert leaks == [("0", "0", "1"), ("1", "0", "299")]


def test_a_second_save_gives_the_same_bytes(digits, tmp_path):
    for name in ("one", "two"):
        audit(digits.take(range(50)), digits.take(range(20, 200))).save(tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        files = (path, tmp_path / "two" / path.name)
        one, two = (re.sub(rb'"(created|date)": "[^"]*"', b"", file.read_bytes()) for file in files)
        assert one == two, path.name
