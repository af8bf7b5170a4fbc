"""Sides of which one misses values are encoded alike."""

from pathlib import Path

from rote.data.load import load_images
from rote.data.tables.align import aligned
from rote.data.tables.table import Reading


def test_a_side_that_misses_values_widens_all(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,pet\n1,cat\n4,dog\n")
    (tmp_path / "b.csv").write_text("x,pet\n,dog\n4,cat\n")
    (tmp_path / "c.csv").write_text("x,pet\n1,\n1,cat\n")
    training = load_images(tmp_path / "a.csv")
    by_schema = Reading(schema=training.schema)
    sides = [load_images(tmp_path / name, reading=by_schema) for name in ("b.csv", "c.csv")]
    found = aligned(training, *sides)
    assert len({side.schema for side in found}) == 1
    # x (its mean in training for no value), x is missing, "", cat, dog
    assert found[0].items.tolist() == [[1, 0, 0, 1, 0], [4, 0, 0, 0, 1]]
    assert found[1].items.tolist() == [[2.5, 1, 0, 0, 1], [4, 0, 0, 1, 0]]
    assert found[2].items.tolist() == [[1, 0, 1, 0, 0], [1, 0, 0, 1, 0]]


def test_equal_columns_stay_as_they_are(tmp_path: Path) -> None:
    wine = load_images("wine")
    assert aligned(wine, wine)[1] is wine
