"""What a copy of a vector, a row or a series may look like: each by hand, and in an audit."""

import numpy as np
import pytest

import rote
from rote.data.convert import for_models
from rote.data.dataset import Dataset
from rote.data.load import load_images
from rote.memorization.corruptions.numbers import (
    Numbers,
    cells,
    delay,
    gain,
    items_of,
    noise,
    numbers_of,
    offset,
)


def numbers(values, *, other=None, column=None, measured=None):
    values = np.array(values, np.float64)
    width = values.shape[-1]
    return Numbers(
        values,
        values + 1 if other is None else np.array(other, np.float64),
        np.arange(width) if column is None else np.array(column),
        np.ones(width, bool) if measured is None else np.array(measured),
    )


def generator():
    return np.random.default_rng(0)


def test_noise_has_the_spread_that_was_asked_for_and_leaves_categories_alone():
    item = numbers(np.zeros(40_000), measured=[True] * 20_000 + [False] * 20_000)
    found = noise(item, 0.1, generator())
    # 20,000 draws: a standard error of 0.0005 of the deviation
    assert found[:20_000].std() == pytest.approx(0.1, abs=0.0025)
    assert (found[20_000:] == 0).all()


def test_cells_come_whole_from_another_row():
    item = numbers([0, 0, 0, 0], other=[1, 2, 3, 4], column=[0, 1, 1, 2])
    assert cells(item, 1, generator()).tolist() == [1, 2, 3, 4]
    assert cells(item, 0, generator()).tolist() == [0, 0, 0, 0]
    drawn = [cells(item, 0.25, np.random.default_rng(seed)) for seed in range(2000)]
    assert all((row[1] == 0) == (row[2] == 0) for row in drawn)  # one column
    share = np.mean([(row[[0, 1, 3]] != 0).mean() for row in drawn])
    assert share == pytest.approx(0.25, abs=0.03)  # 6,000 draws: four standard errors


def test_series_are_moved_stretched_and_delayed():
    item = numbers([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], measured=[True, False])
    moved = offset(item, 0.5, generator()) - item.values
    assert (np.abs(moved[:, 0]) == 0.5).all() and (moved[:, 1] == 0).all()
    stretched = gain(item, 0.25, generator())[1] / item.values[1]
    assert set(stretched.tolist()) <= {0.75, 1.25}
    late, early = [[0, 1], [0, 1], [2, 3]], [[2, 3], [4, 5], [4, 5]]
    found = [delay(item, 1, np.random.default_rng(seed)).tolist() for seed in range(20)]
    assert late in found and early in found and all(one in (late, early) for one in found)


def test_spoiled_rows_are_what_a_table_can_hold(tmp_path):
    rows = "".join(f"{n if n % 4 else ''},{n * n},{'ab'[n % 2]}\n" for n in range(40))
    (tmp_path / "a.csv").write_text(f"x,y,z\n{rows}")
    training, scaling = for_models(load_images(tmp_path / "a.csv"))
    made = numbers_of(training, np.arange(40))
    assert made[0].column.tolist() == [0, 0, 1, 2, 2]
    assert made[0].measured.tolist() == [True, False, True, False, False]
    back = scaling.invert(
        items_of(np.stack([noise(one, 0.3, generator()) for one in made]), training)
    )
    own = scaling.invert(training.items)
    assert (back == np.rint(back)).all() and (back[:, [1, 3, 4]] == own[:, [1, 3, 4]]).all()
    assert (back[:, 2] != own[:, 2]).any()


def recall(found):
    cells_ = found.to_json()["positive_control"]["cells"]
    return {(c["corruption"], c["strength"]): c["recall"]["ratio"]["value"] for c in cells_}


def test_vectors_are_controlled_by_default_whatever_their_units():
    data = load_images("breast_cancer")
    found = rote.audit(data.take(np.arange(50)), data, device="cpu")
    seen = recall(found)
    assert seen["spread-noise", 0.01] == 1 and seen["cells", 0.05] > 0.5
    assert seen["spread-noise", 0.3] < 0.5
    assert {name for name, _ in seen} == {"spread-noise", "cells"}
    # multiplied by powers of two, which round nothing
    units = np.float32(2.0) ** (np.arange(30) % 9 - 4)
    plain = Dataset(np.asarray(data.items), source="plain")
    scaled = Dataset(data.items * units.astype(np.float32), source="scaled")
    same = [recall(rote.audit(d.take(np.arange(50)), d, device="cpu")) for d in (plain, scaled)]
    assert same[0] == same[1]


def test_series_are_controlled_by_default():
    rng = np.random.default_rng(1)
    walks = rng.normal(size=(150, 48, 2)).cumsum(axis=1).astype(np.float32) * [1, 1000]
    data = Dataset(walks.astype(np.float32))
    seen = recall(rote.audit(data.take(np.arange(5)), data, device="cpu"))
    assert seen["spread-noise", 0.03] == seen["offset", 0.03] == seen["gain", 0.05] == 1
    assert set(seen) == {
        *(("spread-noise", strength) for strength in (0.01, 0.03, 0.1, 0.3)),
        *(("offset", strength) for strength in (0.03, 0.1, 0.3)),
        *(("gain", strength) for strength in (0.05, 0.1, 0.3)),
        *(("delay", times) for times in (1, 2)),
        ("polarity", 1),
    }


def test_noise_on_categories_alone_is_left_out(tmp_path):
    rng = np.random.default_rng(2)
    rows = "".join(",".join(rng.choice(list("abcd"), 8)) + "\n" for _ in range(60))
    (tmp_path / "a.csv").write_text(f"a,b,c,d,e,f,g,h\n{rows}")
    data = load_images(tmp_path / "a.csv")
    found = rote.audit(data.take(np.arange(5)), data, device="cpu")
    assert {name for name, _ in recall(found)} == {"cells"}
