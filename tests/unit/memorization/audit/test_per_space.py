"""One audit in several spaces: each equals an audit of its rows, and rulers are compared exactly."""

import json

import numpy as np
import pytest
from audits import ratio_audit as audit
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from rote.core.errors import ConfigError, DataError
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.data.scaling import Scaling
from rote.memorization.audit.agreement import agreement, kappa, recall_at_fpr, spearman
from rote.memorization.corruptions import degradations
from rote.memorization.invariances import Invariances
from rote.spaces import open_space

SPACES = ("pixel", "lowres:4", "lowres:2")
CRITERIA = ("ratio", "calibrated", "carlini")


@pytest.fixture(scope="module")
def sides():
    digits = load_images("digits")
    order = np.random.default_rng(0).permutation(len(digits))
    training, holdout = digits.take(order[:600]), digits.take(order[600:1100])
    copies = training.items[:60].astype(np.int64)
    noise = np.random.default_rng(1).normal(size=copies.shape)
    noise *= np.linspace(0, 40, len(copies)).reshape(-1, 1, 1, 1)
    noisy = np.clip(copies + noise, 0, 255)
    images = np.concatenate([noisy.astype(np.uint8), digits.items[order[1100:1300]]])
    return Dataset(images), training, holdout


@pytest.fixture(scope="module")
def found(sides):
    generated, training, holdout = sides
    return audit(
        generated,
        training,
        holdout=holdout,
        space=SPACES,
        criterion=CRITERIA,
        positive_control=20,
    )


def test_a_space_says_what_an_audit_of_its_rows_says(sides, found):
    space = open_space("lowres:4")
    as_they_are = Scaling(np.zeros(1), np.ones(1))
    rows = [Dataset(space.features(side.items)).scaled(as_they_are) for side in sides]
    alone = audit(rows[0], rows[1], holdout=rows[2], criterion=CRITERIA)
    mine = found.spaces[1]
    assert mine.measured.matches.nn1_index.tolist() == alone.nn1_index.tolist()
    assert mine.measured.matches.nn2_sq.tolist() == alone.nn2_sq.tolist()
    for own, other in zip(mine.criteria, alone.criteria, strict=True):
        assert own.memorized is not None and other.memorized is not None
        assert own.memorized.tolist() == other.memorized.tolist()
        assert own.control == other.control
    thresholds = [r.criteria[1].description["threshold"] for r in found.spaces]
    assert len(set(thresholds)) == 3


def test_the_first_space_is_the_audit(sides, found):
    generated, training, holdout = sides
    plain = audit(generated, training, holdout=holdout, criterion=CRITERIA, positive_control=20)
    both, one = found.to_json(), plain.to_json()
    for key in one.keys() - {"provenance", "spaces", "agreement", "recall_at_rate"}:
        assert both[key] == one[key], key
    assert one["spaces"][0]["criteria"] == one["criteria"]
    assert [entry["space"]["name"] for entry in both["spaces"]] == list(SPACES)
    turned = audit(generated, training, space=("lowres:4", "pixel"), positive_control=0)
    assert turned.to_json()["criterion"]["space"] == "lowres:4"
    assert turned.nn1_sq.tolist() == found.spaces[1].measured.matches.nn1_sq.tolist()


def test_leaks_are_found_in_pixels_whatever_the_space(sides):
    generated, training, holdout = sides
    images = np.concatenate([holdout.items, training.items[:7]])
    leaky = audit(
        generated,
        training,
        holdout=Dataset(images),
        space=("lowres:2",),
        positive_control=0,
    )
    assert leaky.leaks is not None and leaky.leaks.exact == 7
    assert leaky.control is not None and leaky.control.total == 500


def test_agreement_is_that_of_other_implementations(found):
    agreed = agreement(found.spaces, seed=0)
    assert agreed is not None and len(agreed.rulers) == 9
    for i, a in enumerate(agreed.rulers):
        for j, b in enumerate(agreed.rulers):
            expected = stats.spearmanr(a.score, b.score).statistic
            assert agreed.spearman[i][j] == pytest.approx(expected, abs=1e-12)
            if len(np.unique([a.memorized, b.memorized])) == 1:
                assert agreed.kappa[i][j] is None
                continue
            expected = cohen_kappa_score(a.memorized, b.memorized)
            assert agreed.kappa[i][j] == pytest.approx(expected, abs=1e-12)
    assert agreed.kappa[0][0] == 1.0
    verdicts = np.stack([ruler.memorized for ruler in agreed.rulers])
    yes = verdicts.sum(axis=0)
    assert sorted(agreed.disputed) == np.flatnonzero((yes > 0) & (yes < 9)).tolist()
    minority = np.minimum(yes, 9 - yes)[agreed.disputed]
    assert (np.diff(minority) <= 0).all() and minority[0] > minority[-1]


def test_agreement_of_constant_rulers_is_not_known():
    yes, no = np.ones(4, bool), np.zeros(4, bool)
    assert kappa(yes, yes) is None and kappa(no, no) is None
    assert kappa(yes, no) == 0.0
    assert spearman(np.zeros(4), np.arange(4)) is None
    assert spearman(np.arange(4), -np.arange(4)) == -1.0


def test_sights_are_recalls_at_the_order_statistic_of_the_held_out(found):
    seen = recall_at_fpr(found.spaces, false_positive_rate=0.01, confidence=0.95)
    assert seen is not None and seen.held_out == 500
    assert len(seen.detectors) == 9 and len(seen.recall) == len(degradations())
    for number, detector in enumerate(seen.detectors):
        result = found.spaces[SPACES.index(detector.space)]

        def score(measured, detector=detector):
            if detector.score == "distance":
                return np.sqrt(measured.matches.nn1_sq)
            return measured.scores[detector.score]

        threshold = np.sort(score(result.held_out))[int(0.01 * 501) - 1]
        assert detector.threshold == threshold
        hits = (score(result.degraded) < threshold).reshape(len(degradations()), 20).sum(axis=1)
        assert [row[number].count for row in seen.recall] == hits.tolist()
    # At the asked rate the ratio is the calibrated criterion, whose recall is told anyway.
    again = recall_at_fpr(found.spaces, false_positive_rate=0.005, confidence=0.95)
    assert again is not None
    for cell, row in zip(found.spaces[1].positive, again.recall, strict=True):
        assert cell.recall["calibrated"] == row[3]


def test_sights_need_both_controls(sides):
    generated, training, holdout = sides
    blind = audit(generated, training, space=SPACES[:2], positive_control=5)
    assert blind.to_json()["recall_at_rate"] is None
    assert blind.to_json()["agreement"] is not None
    few = audit(
        generated,
        training,
        holdout=holdout.take(range(100)),
        space=SPACES[:2],
        positive_control=5,
    )
    assert few.to_json()["recall_at_rate"] is None


def test_files_of_several_spaces(found, tmp_path):
    found.save(tmp_path)
    value = json.loads((tmp_path / "audit.json").read_text())
    assert value["spaces"][1]["space"] == {
        "name": "lowres:4",
        "words": "Area means, 8x8 unless given: fast, and blind to small shifts and noise.",
        "metric": "l2",
        "preprocessing": "means over a grid of 4x4 areas, in 8-bit units",
        "weights_sha256": None,
        "dimension": 16,
        "candidates": None,
        "source": "",
        "license": "",
    }
    with np.load(tmp_path / "spaces.npz") as arrays:
        assert arrays["nn1_index"].shape == (3, 260)
        assert arrays["memorized"].shape == arrays["score"].shape == (9, 260)
        counts = arrays["memorized"].sum(axis=1).tolist()
    assert counts == [ruler["rate"]["count"] for ruler in value["agreement"]["rulers"]]
    with np.load(tmp_path / "disputes.npz") as arrays:
        chosen = arrays["generated_index"]
        assert len(chosen) == min(48, value["agreement"]["disputed"])
        training = found.training.items[arrays["nearest_index"]]
        assert (arrays["nearest"] == training).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": ()}, "needs a space to measure in"),
        (
            {"invariances": Invariances(flip=True)},
            "`invariances` is for pixels; add `space` pixel",
        ),
        ({"criterion": ("tiles",)}, "`criterion` tiles is for pixels"),
        ({"space": ("lowres:9",)}, "takes images from 9x9 on, and these are 8x8"),
    ],
)
def test_options_that_do_not_fit_are_one_line(sides, options, message):
    with pytest.raises((ConfigError, DataError), match=message):
        audit(sides[0], sides[1], **{"space": ("lowres:4",), **options})


def test_spaces_are_for_images():
    vectors = Dataset(np.eye(3, dtype=np.float32))
    with pytest.raises(ConfigError, match="`space` lowres:4 is for images"):
        audit(vectors, vectors, space=("pixel", "lowres:4"))
    value = audit(vectors, vectors).to_json()
    assert value["spaces"][0]["space"]["name"] == value["criterion"]["space"] == "columns"


def test_tiles_are_of_pixels_alone(sides):
    generated, training, _ = sides
    both = audit(
        generated,
        training,
        space=SPACES[:2],
        criterion=("ratio", "tiles"),
        invariances=Invariances(flip=True),
        positive_control=0,
    )
    assert [[c.name for c in r.criteria] for r in both.spaces] == [["ratio", "tiles"], ["ratio"]]
    assert (both.spaces[1].measured.matches.transform == 0).all()


def test_an_audit_of_one_space_leaves_no_files_of_an_earlier_one(sides, found, tmp_path):
    found.save(tmp_path)
    assert (tmp_path / "spaces.npz").is_file() and (tmp_path / "disputes.npz").is_file()
    audit(*sides[:2]).save(tmp_path)
    names = sorted(path.name for path in tmp_path.glob("[!.]*"))
    assert names == [
        *("audit.json", "duplicates.csv", "gallery.npz", "neighbors.npz", "pairs.csv", "tables.npz")
    ]
