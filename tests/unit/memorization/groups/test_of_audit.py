"""A whole audit of slices of patients: what groups change, and what they must not."""

import json

import numpy as np
import pytest

import rote
from rote.core.errors import ConfigError, DataError
from rote.data.dataset import Dataset

SLICES = 6


def volumes(count, *, first, seed=0):
    """Return slices that drift within a patient, with its number in their names."""
    rng = np.random.default_rng([seed, first])
    start = rng.uniform(40, 215, (count, 1, 6, 6, 1))
    drift = np.cumsum(rng.normal(0, 3, (count, SLICES, 6, 6, 1)), axis=1)
    items = np.clip(start + drift, 0, 255).astype(np.uint8).reshape(-1, 6, 6, 1)
    names = tuple(f"p{first + n}/s{k}.png" for n in range(count) for k in range(SLICES))
    return Dataset(items, names=names)


TRAINING, HOLDOUT = volumes(8, first=0), volumes(24, first=100)
NOISE = np.random.default_rng(5).normal(0, 6, (4, 6, 6, 1))
COPIES = np.clip(TRAINING.items[[1, 2, 14, 15]] + NOISE, 0, 255).astype(np.uint8)
GENERATED = Dataset(np.concatenate([COPIES, volumes(2, first=200).items]))
ASKED = {"positive_control": 5, "false_positive_rate": 0.05, "device": "cpu", "duplicate_rms": 0.0}


@pytest.fixture(scope="module")
def found():
    return rote.audit(GENERATED, TRAINING, holdout=HOLDOUT, group_by="folder", **ASKED)


def test_copies_of_slices_are_found_with_groups_alone(found):
    plain = rote.audit(GENERATED, TRAINING, holdout=HOLDOUT, **ASKED)
    assert not plain.memorized[:4].any() and "families" in {n.topic for n in plain.notices}
    assert found.memorized[:4].all() and not found.memorized[4:].any()
    groups = found.training.groups
    assert all(
        groups[a] != groups[b] for a, b in zip(found.nn1_index, found.nn2_index, strict=True)
    )
    assert (found.reproduced.reproduced["ratio"].count, len(found.reproduced.names)) == (2, 8)


def test_the_control_and_its_threshold_count_groups(found):
    ratio, calibrated = found.criteria
    assert calibrated.description["calibration"]["groups"] == 24
    plain = rote.audit(GENERATED, TRAINING, holdout=HOLDOUT, **ASKED)
    # No item of 24 groups is flagged: as of 24 trials, not of 144.
    assert ratio.control.count == 0 and ratio.control.high > 2 * plain.control.high


def test_files_and_gate(found, tmp_path):
    found.save(tmp_path)
    told = json.loads((tmp_path / "audit.json").read_text())
    assert told["groups"]["reproduced"]["ratio"]["count"] == 2
    assert {row["name"] for row in told["groups"]["top"][:2]} == {"p0", "p2"}
    assert len((tmp_path / "groups.csv").read_text().splitlines()) == 9
    assert (tmp_path / "pairs.csv").read_text().splitlines()[0].endswith("nn1_group,nn2_group")
    page = rote.write_report(tmp_path).read_text()
    assert "2 of 8 groups reproduced" in page and 'id="groups"' in page
    asked = {**ASKED, "group_by": "folder", "fail_above_groups": 0.01}
    gate = rote.audit(GENERATED, TRAINING, fail_above=0.9, **asked).gate
    assert (gate.unit, gate.decision, gate.exit_code) == ("groups", "above", 3)
    gate = rote.audit(GENERATED, TRAINING, **{**asked, "fail_above_groups": 0.3}).gate
    assert gate.decision == "undecided" and "too few groups" in gate.sentence


def test_whole_groups_are_set_aside_and_the_order_of_files_changes_nothing(found):
    again = np.random.default_rng(2).permutation(len(TRAINING))
    asked = {**ASKED, "group_by": "folder", "set_aside": 10}
    one = rote.audit(GENERATED, TRAINING, **asked)
    other = rote.audit(GENERATED, TRAINING.take(again), **asked)
    assert set(one.holdout.groups) == set(other.holdout.groups) and len(one.holdout) == 12
    assert np.array_equal(one.ratio, other.ratio)
    assert len(one.reproduced.names) == 6


def test_what_cannot_be_is_one_line():
    with pytest.raises(DataError, match=r"share 8 of 8 groups \(p0, p1, p2 and 5 more\)"):
        rote.audit(GENERATED, TRAINING, holdout=TRAINING, group_by="folder", **ASKED)
    with pytest.raises(ConfigError, match="`fail_above_groups` is of groups"):
        rote.audit(GENERATED, TRAINING, fail_above_groups=0.1, **ASKED)


def test_the_radius_is_between_patients_and_finds_one_under_two_names():
    # Patients differ by 70 levels and more, slices of one by 3. The first two were exported once more,
    # under other names; a third was re-encoded and held out.
    rng = np.random.default_rng(8)
    bodies = rng.integers(30, 225, (44, 1, 6, 6, 1))
    drift = np.cumsum(rng.normal(0, 3, (44, SLICES, 6, 6, 1)), axis=1)
    people = np.clip(bodies + drift, 0, 255).round()

    def noisy(items, levels):
        return np.clip(items + rng.normal(0, levels, items.shape), 0, 255).round()

    def side(groups, names):
        items = np.concatenate(groups).astype(np.uint8)
        return Dataset(items, groups=tuple(name for name in names for _ in range(SLICES)))

    training = side([*people[:22], *noisy(people[:2], 2)], [*map(str, range(22)), "0b", "1b"])
    holdout = side([*people[22:], noisy(people[2], 2)], [*map(str, range(22, 44)), "2b"])
    generated = Dataset(noisy(np.concatenate([people[0], people[5]]), 8).astype(np.uint8))
    asked = {**ASKED, "holdout": holdout, "duplicate_rms": None}
    found = rote.audit(generated, training, **asked)
    spacing = found.settings.spacing
    assert spacing > 50 and found.settings.duplicate_rms == pytest.approx(0.23 * spacing, rel=0.05)
    # Each slice of the two with the same one of the other export, and through it with its neighbors.
    assert sorted(found.groups.sizes.tolist())[-3:] == [1, 2 * SLICES, 2 * SLICES]
    assert found.memorized.all()
    assert found.leaks.near == SLICES
    (shared,) = [notice for notice in found.notices if notice.topic == "groups"]
    assert "'0' and '0b', '1' and '1b'" in shared.text
    narrow = rote.audit(generated, training, **{**asked, "duplicate_rms": 0.7})
    assert not narrow.memorized[:SLICES].any() and narrow.leaks.near == 0


def test_what_makes_the_calibrated_threshold_strict_is_said():
    # One of 24 held-out patients shows what a training patient shows: a threshold at 5 % is set by it.
    items = HOLDOUT.items.copy()
    items[:4] = np.clip(TRAINING.items[:4] + NOISE // 4, 0, 255)
    asked = {**ASKED, "group_by": "folder", "positive_control": 0}
    found = rote.audit(GENERATED, TRAINING, holdout=Dataset(items, names=HOLDOUT.names), **asked)
    threshold = found.criteria[1].description["threshold"]
    (said,) = [notice for notice in found.notices if notice.topic == "calibration"]
    assert said.numbers == {"threshold": threshold, "groups": 1} and threshold < 1 / 3
    assert "1 of 24 held-out groups" in said.text and not said.doubtful
    assert "'p100/s" in said.text and "to 'p0/s" in said.text
    # A patient of the training side who left as a leak is none of the 24 that it was calibrated on.
    more = np.concatenate([items, TRAINING.items[SLICES : 2 * SLICES]])
    names = (*HOLDOUT.names, *(f"again/s{n}.png" for n in range(SLICES)))
    again = rote.audit(GENERATED, TRAINING, holdout=Dataset(more, names=names), **asked)
    assert again.leaks.exact == SLICES
    (said,) = [notice for notice in again.notices if notice.topic == "calibration"]
    assert said.numbers == {"threshold": threshold, "groups": 1}
    assert "1 of 24 held-out groups" in said.text
    usual = rote.audit(GENERATED, TRAINING, holdout=HOLDOUT, **asked)
    assert usual.criteria[1].description["threshold"] > 1 / 3
    assert "calibration" not in {notice.topic for notice in usual.notices}
