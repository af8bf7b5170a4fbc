"""Notices: sides that overlap or differ silently, chains of duplicates, controls that are no control."""

import json

import numpy as np
import pytest
from picture_kinds import changed, digits, faint_objects

import rote
from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.memorization.audit.audit import audit
from rote.memorization.audit.options import AuditOptions


def of(images):
    return Dataset(np.ascontiguousarray(images))


def check(generated, training, **options):
    return audit(of(generated), of(training), positive_control=0, **options)


def topics(found):
    return [notice.topic for notice in found.notices]


def test_honest_sides_have_no_notice():
    training, fresh = digits()
    found = check(fresh[:200], training, holdout=of(fresh[200:]))
    assert found.notices == ()
    assert found.settings.duplicate_rms == pytest.approx(7, abs=2)  # a share of their own spacing


def test_a_silent_difference_is_said_and_no_gate_decides():
    training, _ = digits()
    copies = changed("mirrored", training[:200])
    found = check(copies, training, fail_above=0.5)
    assert topics(found) == ["difference"]
    assert "mirrored" in found.notices[0].text
    assert found.gate.decision == "undecided"
    assert found.gate.exit_code == 4
    assert "mirrored" in found.gate.sentence
    # Where matches undo mirrors there is nothing to say.
    assert check(copies, training, invariances="flip").notices == ()


def test_a_radius_wider_than_the_spacing_is_said():
    training, fresh = faint_objects()
    found = check(fresh[:100], training, duplicate_rms=10, fail_above=0.5)
    assert topics(found)[0] == "radius"
    assert "nearest different image of a typical one lies at 2." in found.notices[0].text
    assert found.gate.decision == "undecided"
    # The radius that the images themselves ask for joins none.
    found = check(fresh[:100], training, holdout=of(fresh[100:]))
    assert found.notices == ()
    assert found.rate.count == 0
    assert found.control.count == 0
    assert found.control.total == 200


def test_volumes_are_called_so_where_a_radius_is_too_wide():
    training, fresh = (items.reshape(-1, 4, 4, 4, 1) for items in digits())
    found = check(fresh[:20], training[:100], duplicate_rms=60)
    text = next(notice.text for notice in found.notices if notice.topic == "radius")
    assert "too wide for these volumes: the nearest different volume of a typical one" in text


def test_chains_of_near_images_are_said():
    # A ramp of brightness: each image lies one level from the next and far from most.
    ramp = np.repeat(np.arange(0, 240, dtype=np.uint8), 64).reshape(-1, 8, 8, 1)
    training = np.concatenate([ramp, digits()[0][:240]])
    found = check(training[:20], training, duplicate_rms=2)
    assert "chains" in topics(found)
    (chains,) = [notice for notice in found.notices if notice.topic == "chains"]
    # All but the five nearest to the first of the chain lie more than two radii from it.
    assert chains.numbers == {"chained": 235, "items": 480}


def test_folders_whose_images_belong_together_are_said():
    training, fresh = digits()
    rng = np.random.default_rng(0)
    series = training[:60, None] + rng.normal(0, 4, (60, 8, 8, 8, 1))
    names = tuple(f"patient_{n // 8:03d}/{n % 8}.png" for n in range(480))
    slices = np.clip(np.rint(series), 0, 255).astype(np.uint8).reshape(480, 8, 8, 1)
    found = audit(of(fresh[:50]), Dataset(slices, names=names), positive_control=0, duplicate_rms=0)
    assert topics(found) == ["families"]
    assert "same folder" in found.notices[0].text
    # Folders of classes are no such thing.
    names = tuple(
        f"{label}/{n}.png" for n, label in enumerate(rote.load_images("digits").labels[:1000])
    )
    found = audit(of(fresh[:50]), Dataset(training, names=names), positive_control=0)
    assert found.notices == ()


def test_a_control_that_lies_mostly_in_the_training_set_is_said():
    training, fresh = digits()
    near = np.clip(training[:100].astype(int) + 2, 0, 255).astype(np.uint8)
    found = check(fresh[:50], training, holdout=of(np.concatenate([near, fresh[50:150]])))
    assert topics(found) == ["control"]
    assert found.notices[0].numbers == {"near": 100, "items": 200}


def test_near_ones_that_set_the_calibrated_threshold_are_said():
    training, fresh = digits()
    near = np.clip(training[:4].astype(int) + 2, 0, 255).astype(np.uint8)
    holdout = of(np.concatenate([near, fresh[50:350], training[5:7]]))
    found = check(fresh[:50], training, holdout=holdout)
    assert topics(found) == ["calibration"]
    assert found.notices[0].doubtful is False
    # The two that equal a training image leave; the four near ones stay, in control and calibration.
    assert found.leaks.to_json() == {"exact": 2, "near": 4, "near_flagged": 4, "images": 306}
    assert found.control.total == 304
    assert found.criteria[1].description["calibration"]["images"] == 304
    assert topics(check(fresh[:50], training, holdout=of(fresh[50:350]))) == []


def test_equal_and_exchanged_sides_are_said():
    training, fresh = digits()
    assert "overlap" in topics(check(training[:200], training[:200]))
    samples = np.concatenate([training[:40], fresh[:40]])
    assert topics(check(training[:400], samples)) == ["overlap"]
    assert topics(check(samples, training[:400])) == []
    # A model that copies a small set again and again is no exchange.
    again = training[np.arange(300) % 60]
    assert topics(check(again, training[:60])) == []


def test_a_held_out_side_that_was_not_held_out_is_said():
    training, fresh = digits()
    found = check(fresh[:50], training, holdout=of(training[:100]))
    assert topics(found)[0] == "overlap"
    assert "`holdout`" in found.notices[0].text


def test_a_folder_inside_the_other_is_refused(tmp_path):
    from PIL import Image

    training, fresh = digits()
    for folder, images in ((tmp_path, training[:20]), (tmp_path / "samples", fresh[:10])):
        folder.mkdir(exist_ok=True)
        for number, image in enumerate(images):
            Image.fromarray(image[..., 0]).save(folder / f"{number}.png")
    with pytest.raises(DataError, match=r"lies inside `training`.*10 images"):
        rote.audit(rote.load_images(tmp_path / "samples"), rote.load_images(tmp_path))


def test_the_file_says_how_it_was_made(tmp_path):
    training, fresh = digits()
    found = check(fresh[:50], training, seed=3)
    found.save(tmp_path)
    told = json.loads((tmp_path / "audit.json").read_text())["provenance"]
    assert told["options"]["seed"] == 3
    assert told["options"]["duplicate_rms"] == found.settings.duplicate_rms
    assert set(told["options"]) == set(AuditOptions.__dataclass_fields__)
    assert told["device"] in ("cpu", "cuda")
    assert "rote" in told["versions"]


def check_vectors(generated, training):
    sides = (np.asarray(side, np.float32) for side in (generated, training))
    return check(*sides, device="cpu")


def scans(seed=0):
    rng = np.random.default_rng(seed)
    values = np.zeros((40, 1500))
    values[:, :500] = rng.random((40, 500)) * 100
    return values, rng


@pytest.mark.parametrize("margin", [0.0, 1000.0, 0.1])
def test_copies_are_found_though_they_leave_constant_columns(margin):
    training, rng = scans()
    training[:, 500:] = margin
    copies = training[:10] + rng.normal(0, 1, (10, 1500))
    found = check_vectors(copies, training)
    assert found.rate.count == 10
    notice = found.notices[0]
    assert (notice.topic, notice.doubtful) == ("columns", False)
    assert "1,000 of 1,500 columns are constant" in notice.text
    assert "the first is number 501" in notice.text
    assert notice.numbers["leaving"] == 10


def test_columns_constant_up_to_rounding_count_for_nothing():
    training, rng = scans()
    training[:, 500:] = 7.0 * (1 + 1e-7 * rng.normal(size=(40, 1000)))
    found = check_vectors(training[:10] + rng.normal(0, 1, (10, 1500)), training)
    assert found.rate.count == 10
    assert found.notices[0].numbers["constant"] == 1000


def test_a_silent_channel_of_series_counts_for_nothing():
    rng = np.random.default_rng(1)
    training = np.concatenate([rng.normal(size=(60, 24, 2)), np.full((60, 24, 1), 3.0)], axis=2)
    made = training[:10] + rng.normal(0, 0.1, (10, 24, 3)) * [1, 1, 500]
    found = check_vectors(made, training)
    assert found.rate.count == 10
    assert (
        "1 of 3 channels are constant in training (the first is number 3)" in found.notices[0].text
    )


def test_jitter_that_generated_items_leave_by_far_is_said():
    training, rng = scans()
    training[:, 500:] = 1e-9 * rng.normal(size=(40, 1000))
    found = check_vectors(training[:10] + rng.normal(0, 1, (10, 1500)), training)
    assert found.rate.count == 0
    assert "1,000 of 1,500 columns" in found.notices[0].text
    assert "copies in all other columns may be missed" in found.notices[0].text


def test_one_column_that_decides_alone_is_said():
    rng = np.random.default_rng(2)
    training = rng.normal(size=(200, 8))
    made = training[:50].copy()
    made[:, 3] += 40
    (notice,) = check_vectors(made, training).notices
    assert "1 of 8 columns (number 4 first) hold 99% of the distance" in notice.text


def test_honest_vectors_have_no_notice():
    for name in ("wine", "breast_cancer", "iris"):
        data = load_images(name)
        order = np.random.default_rng(0).permutation(len(data))
        half = len(data) // 2
        found = audit(data.take(order[:half]), data.take(order[half:]), device="cpu")
        assert found.notices == (), name


def test_many_samples_of_few_captions_are_said_unless_they_are_the_unit():
    training, fresh = digits()
    told = Dataset(fresh[:40], captions=tuple(f"prompt {n % 4}" for n in range(40)))
    plain = audit(told, of(training), positive_control=0)
    assert topics(plain) == ["captions"] and not plain.notices[0].doubtful
    assert "40 generated items are of 4 captions" in plain.notices[0].text
    assert topics(audit(told, of(training), positive_control=0, cluster_by="caption")) == []
    each = Dataset(fresh[:40], captions=tuple(f"prompt {n}" for n in range(40)))
    assert topics(audit(each, of(training), positive_control=0)) == []
