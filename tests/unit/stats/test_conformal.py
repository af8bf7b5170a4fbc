"""The calibrated threshold over groups: by hand, equal to that of items, and valid for a new group."""

import numpy as np
import pytest

from rote.stats.conformal import calibrate


def test_groups_of_one_item_give_the_threshold_of_items():
    rng = np.random.default_rng(0)
    for count in (19, 20, 199, 400, 777):
        ratio = np.round(rng.random(count), 2)  # with ties
        for asked in (0.005, 0.05, 0.13):
            plain = calibrate(ratio, asked=asked)
            grouped = calibrate(ratio, asked=asked, group=rng.permutation(count))
            assert (grouped.threshold, grouped.needed) == (plain.threshold, plain.needed)
            assert grouped.groups == count and plain.groups is None
            assert (grouped.low, grouped.high) == (plain.low, plain.high)
            if plain.false_positives is not None:
                # Beta of alpha (n + 1), not of its floor.
                k = np.floor(asked * (count + 1) * (1 + 1e-12))
                if k == pytest.approx(asked * (count + 1)):
                    assert grouped.false_positives == pytest.approx(plain.false_positives)


def test_by_hand():
    # Four groups at 0.4: 0.4 * 5 = 2 for the shares below the threshold and the largest at or below it.
    ratio = np.array([0.1, 0.2, 0.3, 0.9, 0.15, 0.95, 0.8, 0.7])
    group = np.array([0, 0, 0, 0, 1, 1, 2, 3])
    # At 0.15: 1/4 + 1/2; at 0.2: 3/4 + 1/2; at 0.3: 1 + 3/4; at 0.7: 5/4 + 1.
    assert calibrate(ratio, asked=0.4, group=group).threshold == 0.3
    assert calibrate(ratio, asked=0.2, group=group).threshold == 0.15
    few = calibrate(ratio, asked=0.1, group=group)
    assert (few.threshold, few.groups, few.needed) == (None, 4, 9)


def test_an_item_of_a_new_group_passes_as_often_as_asked():
    # 1,000 trials, standard error 0.007: groups pass at most 0.1, slices alone 0.13.
    rng = np.random.default_rng(1)
    passed = {"groups": 0.0, "items": 0.0}
    for _ in range(1000):
        sizes = rng.choice([2, 5, 30], 21)
        level = rng.normal(size=21)
        group = np.repeat(np.arange(21), sizes)
        ratio = level[group] + 0.5 * rng.normal(size=len(group))
        new, ours = group == 20, group < 20
        both = {
            "groups": calibrate(ratio[ours], asked=0.1, group=group[ours]),
            "items": calibrate(ratio[ours], asked=0.1),
        }
        for name, found in both.items():
            passed[name] += found.flags(ratio[new]).mean() / 1000
    assert passed["groups"] < 0.1
    assert passed["items"] > 0.11
