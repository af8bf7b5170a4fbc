"""Groups reproduced, on a table that can be worked out by hand."""

import numpy as np

from rote.data.duplicates import exact_duplicates
from rote.memorization.groups.reproduced import reproduced_groups
from rote.stats.clustered import clustered_rate


def exact(count, total):
    """Return Clopper and Pearson's interval of a count."""
    hit = np.arange(total) < count
    found = clustered_rate(hit, np.arange(total), confidence=0.9)
    assert found.effective == total
    return (count, total, found.low, found.high)


def told(rate):
    return (rate.count, rate.total, rate.low, rate.high)


def found():
    # The second image of ann is also bob's.
    images = np.array([1, 2, 2, 3, 4], np.uint8)[:, None]
    return reproduced_groups(
        ["ann", "ann", "bob", "cem", "dan"],
        rest=np.array([0, 1, 2, 3]),
        exact=exact_duplicates(images),
        verdicts={"ratio": np.array([1, 1, 0, 0], bool), "tiles": np.array([0, 0, 0, 1], bool)},
        nn1_index=np.array([1, 0, 3, 3]),
        ratio=np.array([0.2, 0.1, 0.9, 0.5]),
        confidence=0.9,
        held_out={"ratio": np.array([0, 1, 0, 1], bool)},
        held_out_group=np.array([5, 5, 6, 5]),
    )


def test_a_copy_of_a_shared_image_counts_for_both_and_groups_set_aside_do_not_count():
    groups = found()
    assert groups.names == ("ann", "bob", "cem") and groups.items.tolist() == [2, 1, 1]
    assert groups.copies["ratio"].tolist() == [2, 1, 0]
    assert told(groups.reproduced["ratio"]) == exact(2, 3)
    assert told(groups.reproduced["tiles"]) == exact(1, 3)
    assert groups.holdout == 2 and told(groups.flagged["ratio"]) == exact(1, 2)


def test_rows_have_the_most_copied_first_with_their_nearest():
    rows = list(found().rows(["g0", "g1", "g2", "g3"]))
    assert rows[0][-1] == "copies_tiles"
    assert rows[1] == ["ann", 2, "yes", 2, 1, "g1", "0.1", 0]
    assert rows[2] == ["bob", 1, "yes", 1, "", "", "", 0]
    assert rows[3] == ["cem", 1, "no", 0, 3, "g3", "0.5", 1]
    json = found().to_json()
    assert [row["name"] for row in json["top"]] == ["ann", "cem"] and json["count"] == 3
