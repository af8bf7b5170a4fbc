"""Gower's distance: by the definition, exactly searched, in an audit of a mixed table."""

from dataclasses import replace

import numpy as np
import pytest
from audits import ratio_audit as audit

from rote.core.errors import ConfigError
from rote.data.load import load_images
from rote.data.scaling import Scaling
from rote.spaces.gower import Gower

RNG = np.random.default_rng(0)
TEXT = "age,pet,weight\n" + "".join(
    f"{20 + 7 * (n % 11)},{('cat', 'dog', 'owl')[n % 5 % 3]},{RNG.normal(20, 5):.4f}\n"
    for n in range(60)
)


@pytest.fixture
def table(tmp_path):
    (tmp_path / "a.csv").write_text(TEXT)
    return load_images(tmp_path / "a.csv")


def by_definition(table, queries, references):
    """Straight from the cells: no one-hot, no weights."""
    rows = [[float(a), pet, float(w)] for a, pet, w in table.schema.cells(table.items)]
    ranges = [max(r[j] for r in rows) - min(r[j] for r in rows) for j in (0, 2)]

    def one(q, r):
        parts = (abs(q[0] - r[0]) / ranges[0], float(q[1] != r[1]), abs(q[2] - r[2]) / ranges[1])
        return sum(parts) / 3

    return np.array([[one(rows[i], rows[j]) for j in references] for i in queries])


def test_it_is_the_definition_in_own_and_in_scaled_units(table):
    expected = by_definition(table, range(60), range(60))
    found = Gower.of(table).distances(table.items, table.items)
    assert found == pytest.approx(expected, abs=1e-6)  # vectors are float32
    scaled = table.scaled(Scaling.fit(table.items, table.schema))
    again = Gower.of(scaled).distances(scaled.items, scaled.items)
    assert again == pytest.approx(expected, abs=1e-6)  # once more
    assert expected.max() <= 1


def test_the_range_is_that_of_the_full_source(table):
    part = table.take(np.arange(3))
    assert (Gower.of(part).weights == Gower.of(table).weights).all()


def test_the_nearest_are_those_of_brute_force_whatever_the_blocks(table, monkeypatch):
    gower = Gower.of(table)
    distances = gower.distances(table.items, table.items)
    order = np.argsort(distances, axis=1, kind="stable")[:, :5]
    for block in (8 * 60, 8 * 60 * 7, 2**26):
        monkeypatch.setattr("rote.spaces.gower.BLOCK_BYTES", block)
        indices, found = gower.nearest(table.items, table.items, 5)
        assert (indices == order).all()
        assert (found == np.take_along_axis(distances, order, axis=1)).all()


def test_a_mixed_table_is_audited_by_gower_unless_columns_are_asked_for(table):
    scaled = table.scaled(Scaling.fit(table.items, table.schema))
    training, made = scaled.take(np.arange(40)), scaled.take(np.arange(30, 60))
    found = audit(made, training)
    assert found.to_json()["criterion"]["space"] == "gower"
    distances = np.sort(by_definition(table, range(30, 60), range(40)), axis=1)
    assert np.sqrt(found.nn1_sq) == pytest.approx(distances[:, 0], abs=1e-6)
    expected = 3 * distances[:, 0] < distances[:, 1]
    assert (found.memorized == expected).all()
    assert expected[:10].all()
    columns = audit(made, training, space=["columns"])
    assert columns.to_json()["criterion"]["space"] == "columns"
    both = audit(made, training, space=["columns", "gower"])
    assert [entry["space"]["name"] for entry in both.to_json()["spaces"]] == ["columns", "gower"]


def test_what_gower_is_not_for(table):
    with pytest.raises(ConfigError, match="`space` gower is for tables, and array has no named"):
        audit(
            replace(table, schema=None, source="array"),
            replace(table, schema=None, source="array"),
            space=["gower"],
        )
    digits = load_images("digits").take(np.arange(20))
    with pytest.raises(
        ConfigError, match="`space` gower is for tables, and `training` holds images"
    ):
        audit(digits, digits, space=["gower"])
    with pytest.raises(ConfigError, match="equal rows are duplicates"):
        audit(table, table, duplicate_rms=1.0)


def test_categories_count_by_their_own_column(table):
    apart = Gower.of(table).by_column(table.items[:1], table.items[1:2], table.schema)[0]
    assert apart[1] == 1  # cat and dog
    assert apart.mean() == pytest.approx(by_definition(table, [0], [1])[0, 0], abs=1e-6)


GAPS = "age,pet,weight\n" + "".join(
    f"{'' if n % 4 == 1 else 20 + 7 * (n % 11)},{('cat', 'dog', '')[n % 5 % 3]},"
    f"{'NA' if n % 7 == 2 else f'{RNG.normal(20, 5):.4f}'}\n"
    for n in range(60)
)


def gower_with_gaps(table):
    """Straight from the cells: d_j is 0 for two missing ones, 1 for one."""
    rows = table.schema.cells(table.items)
    known = [[float(row[j]) for row in rows if row[j]] for j in (0, 2)]
    ranges = dict(zip((0, 2), (max(values) - min(values) for values in known), strict=True))

    def part(a, b, j):
        if not a or not b or j == 1:
            return float(a != b)
        return abs(float(a) - float(b)) / ranges[j]

    return np.array([[sum(part(a[j], b[j], j) for j in range(3)) / 3 for b in rows] for a in rows])


def test_no_value_equals_no_value_and_differs_from_every_other(tmp_path):
    (tmp_path / "a.csv").write_text(GAPS)
    table = load_images(tmp_path / "a.csv")
    expected = gower_with_gaps(table)
    scaled = table.scaled(Scaling.fit(table.items, table.schema))
    for side in (table, scaled):
        gower = Gower.of(side)
        assert gower.distances(side.items, side.items) == pytest.approx(expected, abs=1e-6)
        pairs = gower.by_column(side.items[:30], side.items[30:], table.schema)
        by_pair = expected[np.arange(30), np.arange(30, 60)]
        assert pairs.mean(axis=1) == pytest.approx(by_pair, abs=1e-6)
    assert expected.max() <= 1
    assert (np.diag(Gower.of(scaled).distances(scaled.items, scaled.items)) == 0).all()
    # and a query beyond the range by more than half of it
    beyond = table.items[:1].copy()
    beyond[0, 0] = 20 + 3 * 70
    found = Gower.of(table).by_column(beyond, table.items[1:2], table.schema)
    assert found[0, 0] == pytest.approx(2.5)
