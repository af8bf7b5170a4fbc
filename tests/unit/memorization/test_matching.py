"""Matching against brute force: over groups, flips, shifts and tone."""

import numpy as np
import pytest

from rote.core.errors import ConfigError
from rote.data.duplicates import exact_duplicates
from rote.memorization.duplicates import near_duplicates
from rote.memorization.invariances import Invariances, describe, offsets, standardized
from rote.memorization.matching import Matcher
from rote.neighbors import numeric


def images(count, seed, size=6, channels=1):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, size, size, channels), dtype=np.uint8)


def brute_force(queries, references, invariances):
    """Return the distance of every pair, float (Q, R), by the definition, with loops."""
    size = queries.shape[1]
    if invariances.tone:
        queries, references = standardized(queries), standardized(references)
    reach = range(-2, 3) if invariances.shift else [0]
    best = np.full((len(queries), len(references)), np.inf)
    for mirror in [False, True] if invariances.flip else [False]:
        moved = (queries[:, :, ::-1] if mirror else queries).astype(np.float64)
        for down in reach:
            for right in reach:
                total = np.zeros_like(best)
                pixels = 0
                for y in range(size):
                    for x in range(size):
                        if 0 <= y - down < size and 0 <= x - right < size:
                            q = moved[:, None, y - down, x - right]
                            r = references[None, :, y, x].astype(np.float64)
                            total += np.square(q - r).sum(axis=2)
                            pixels += 1
                best = np.minimum(best, total * (size * size / pixels))
    return best


@pytest.mark.parametrize("names", ["", "flip", "shift", "tone", "flip,shift", "flip,shift,tone"])
@pytest.mark.parametrize("channels", [1, 3])
def test_nearest_is_the_minimum_over_transforms(names, channels):
    invariances = Invariances.parse(names)
    references = images(12, 1, channels=channels)
    queries = np.concatenate([images(3, 2, channels=channels), references[:2, :, ::-1]])
    queries = np.concatenate([queries, np.roll(references[2:4], (1, -2), axis=(1, 2))])
    everyone = np.arange(len(references))
    matcher = Matcher(
        references, positions=everyone, group=everyone, invariances=invariances, device="cpu"
    )
    expected = brute_force(queries, references, invariances)
    found = matcher.nearest(queries, 4)
    order = np.argsort(expected, axis=1, kind="stable")[:, :4]
    assert np.array_equal(found.indices, order)
    # Float sums of at most 108 squares: relative error far below 1e-9.
    assert found.sq == pytest.approx(np.take_along_axis(expected, order, axis=1), rel=1e-9)


def test_an_own_mirror_does_not_become_the_second_neighbor():
    references = images(5, 3)
    matcher = Matcher(
        references,
        positions=np.arange(5),
        group=np.arange(5),
        invariances=Invariances(flip=True),
        device="cpu",
    )
    symmetric = references[:1].copy()
    symmetric[:, :, 3:] = symmetric[:, :, 2::-1]
    matches, _ = matcher.match(np.concatenate([references[1:2, :, ::-1], symmetric]))
    assert matches.nn1_index[0] == 1
    assert (matches.nn1_sq[0], matches.nn1_sq.dtype) == (0, np.int64)
    assert matches.nn2_index[0] != 1
    assert describe(int(matches.transform[0]), Invariances(flip=True)) == "mirrored"


def test_the_search_widens_until_another_group():
    # 20 near twins of one image, then two others: the second neighbor is the 21st nearest.
    base = images(3, 4)
    twins = np.repeat(base[:1], 20, axis=0)
    twins[np.arange(20), 0, 0, 0] = np.arange(20)
    training = np.concatenate([twins, base[1:]])
    groups = near_duplicates(training, exact_duplicates(training), rms=4)
    assert groups.sizes.tolist() == [20, 1, 1]
    matcher = Matcher(
        training,
        positions=np.arange(22),
        group=groups.group,
        invariances=Invariances(),
        device="cpu",
    )
    matches, _ = matcher.match(np.concatenate([training[5:6], training[20:21]]))
    assert matches.nn1_index.tolist() == [5, 20]
    assert matches.nn2_index[0] in (20, 21)
    sq = np.square(training[5].astype(int) - training[[20, 21]].astype(int)).sum(axis=(1, 2, 3))
    assert matches.nn2_sq[0] == sq.min()


def test_near_groups_are_connected_components_in_order():
    items = np.array([50, 0, 9, 100, 18, 50], np.uint8).reshape(6, 1, 1, 1)
    groups = near_duplicates(items, exact_duplicates(items), rms=9)
    # 0-9-18 chain, though 0 and 18 are 18 apart; 50 twice; 100 alone
    assert groups.group.tolist() == [0, 1, 1, 2, 1, 0]
    assert groups.representative.tolist() == [0, 1, 3]
    assert groups.repeated.tolist() == [True, True, True, False, True, True]


def test_slices_of_one_patient_join_through_others_alone():
    items = np.array([50, 0, 9, 100, 18, 50, 107, 44], np.uint8).reshape(8, 1, 1, 1)
    exact, kin = exact_duplicates(items), np.array([0, 1, 1, 2, 3, 4, 2, 0])
    groups = near_duplicates(items, exact, rms=9, kin=kin)
    # 0 and 9 are one patient's, 100 and 107 another's; 9 and 18 join. 50 is there of two patients,
    # so that the 44 of one of them is near the 50 of the other.
    assert groups.group.tolist() == [0, 1, 2, 3, 2, 0, 4, 0]
    assert len(near_duplicates(items, exact, rms=9)) == 3


def test_a_symmetric_slice_is_no_duplicate_of_its_own_mirror_image():
    items = np.array([[10, 10], [12, 13], [200, 10], [13, 201]], np.uint8).reshape(4, 1, 2, 1)
    exact, flip = exact_duplicates(items), Invariances(flip=True)
    for kin, expected in (([0, 0, 1, 1], [0, 1, 2, 3]), ([0, 1, 2, 3], [0, 0, 1, 1])):
        assert (
            near_duplicates(items, exact, rms=4, invariances=flip, kin=np.array(kin)).group.tolist()
            == expected
        )


def test_mirrored_and_retoned_twins_join_only_when_asked():
    base = images(2, 5) // 2
    items = np.concatenate([base, base[:1, :, ::-1], base[1:] + 20])
    exact = exact_duplicates(items)
    assert len(near_duplicates(items, exact, rms=2)) == 4
    flip = near_duplicates(items, exact, rms=2, invariances=Invariances(flip=True))
    assert flip.group.tolist() == [0, 1, 0, 2]
    tone = near_duplicates(items, exact, rms=2, invariances=Invariances(tone=True))
    assert tone.group.tolist() == [0, 1, 2, 1]


@pytest.mark.parametrize("rms", [-1.0, 256.0, float("nan")])
def test_radii_out_of_range_are_one_line(rms):
    items = images(2, 6)
    with pytest.raises(ConfigError, match="`duplicate_rms` is"):
        near_duplicates(items, exact_duplicates(items), rms=rms)


def test_unknown_invariances_are_one_line():
    with pytest.raises(ConfigError, match=r"`invariances` 'flop' is unknown \(did you mean 'flip'"):
        Invariances.parse("flop")
    assert Invariances.parse("") == Invariances()
    assert len(offsets(Invariances(shift=True))) == 25


@pytest.mark.parametrize("names", ["", "flip", "tone"])
def test_a_prepared_search_and_chunks_give_the_same(monkeypatch, names):
    from audits import answer
    from audits import ratio_audit as audit

    from rote.data.dataset import Dataset
    from rote.memorization import evaluator as ruler
    from rote.memorization import matching

    sides = [Dataset(images(count, seed, size=20)) for count, seed in ((70, 1), (300, 2), (40, 3))]

    def found():
        value = audit(
            *sides[:2],
            holdout=sides[2],
            positive_control=3,
            invariances=Invariances.parse(names),
        )
        return answer(value.to_json()), value.measured.matches.nn2_sq.tolist()

    before = found()
    monkeypatch.setattr(matching, "INDEX_FROM", 0)
    monkeypatch.setattr(ruler, "QUERY_ROWS", 32)
    assert found() == before


def test_training_items_are_matched_with_the_rest():
    # 0 and 3 are one group; of the others 10 is nearest to both, then 30
    items = np.array([0, 3, 10, 30, 100], np.uint8).reshape(5, 1, 1, 1)
    groups = near_duplicates(items, exact_duplicates(items), rms=3)
    matcher = Matcher(
        items,
        positions=np.arange(5),
        group=groups.group,
        invariances=Invariances(),
        device="cpu",
    )
    matches, _ = matcher.match(items, own=groups.group[None])
    assert matches.nn1_index.tolist() == [2, 2, 1, 2, 3]
    assert matches.nn2_index.tolist() == [3, 3, 3, 1, 2]
    assert matches.nn1_sq.tolist() == [100, 49, 49, 400, 4900]


def test_the_nearest_of_another_group_is_that_of_brute_force():
    references = images(12, 3)
    references[1:5] = references[0] ^ np.arange(1, 5, dtype=np.uint8)[:, None, None, None]
    group = np.array([0, 0, 0, 0, 0, *range(5, 12)])  # five near ones: the search has to widen
    everyone = np.arange(12)
    matcher = Matcher(
        references, positions=everyone, group=group, invariances=Invariances(), device="cpu"
    )
    apart = brute_force(references, references, Invariances())
    apart[group[:, None] == group] = np.inf
    found = matcher.nearest_other_group(references, everyone)
    assert found.tolist() == apart.min(axis=1).tolist()


@pytest.mark.parametrize("names", ["", "flip", "shift"])
def test_long_images_are_read_in_place_and_give_the_same(monkeypatch, names):
    """Duplicates among them do not count; matches are those of images that are copied and multiplied."""
    distinct = images(24, 3, size=11, channels=3)
    training = np.concatenate([distinct, distinct[:5], distinct[3:9]])
    queries = np.concatenate(
        [images(4, 4, size=11, channels=3), distinct[2:6, :, ::-1], distinct[:3]]
    )
    groups = exact_duplicates(training)
    found = []
    for long in (10**6, 1):
        monkeypatch.setattr(numeric, "LONG", long)
        matcher = Matcher(
            training,
            positions=groups.representative,
            group=groups.group,
            invariances=Invariances.parse(names),
            device="cpu",
        )
        found.append(matcher.match(queries, k=3))
    for one, other in zip(*found, strict=True):
        for name in vars(one):
            assert getattr(one, name).tolist() == getattr(other, name).tolist(), name
