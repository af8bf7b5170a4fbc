"""Tables with missing values are audited whole: their copies are found, and blanked cells are said."""

import csv

import numpy as np
import pytest
from audits import ratio_audit

import rote
from rote.core.errors import DataError

HEAD = ["age", "admitted", "bmi", "school", "income"]


def people(count, seed, *, gaps=0.1):
    rng = np.random.default_rng(seed)
    days = np.datetime64("2000-01-01") + rng.integers(0, 9000, count)
    columns = (
        rng.integers(18, 90, count),
        days,
        rng.normal(26, 4, count).round(2),
        rng.choice(["none", "school", "college"], count),
        rng.lognormal(10, 0.5, count).round(2),
    )
    rows = [[str(cell) for cell in row] for row in zip(*columns, strict=True)]
    return [["" if rng.random() < gaps else cell for cell in row] for row in rows]


def written(path, rows):
    if path.suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        columns = [[cell or None for cell in cells] for cells in zip(*rows, strict=True)]
        for place in (0, 2, 4):
            columns[place] = [None if cell is None else float(cell) for cell in columns[place]]
        parquet.write_table(pyarrow.table(dict(zip(HEAD, columns, strict=True))), path)
        return path
    with path.open("w", newline="") as file:
        mark = "\t" if path.suffix == ".tsv" else ","
        csv.writer(file, delimiter=mark).writerows([HEAD, *rows])
    return path


@pytest.mark.parametrize("made_as", [".csv", ".tsv", ".parquet"])
@pytest.mark.parametrize("space", ["pixel", "columns"])
def test_copies_of_rows_with_missing_values_are_found(tmp_path, made_as, space):
    training = people(200, 1)
    written(tmp_path / "train.csv", training)
    made = written(tmp_path / f"made{made_as}", training[:50] + people(50, 2))
    found = ratio_audit(made, tmp_path / "train.csv", space=space)
    assert found.memorized[:50].all()
    assert found.memorized[50:].sum() <= 3
    assert (found.nn1_index[:50] == np.arange(50)).all()
    assert found.notices == ()


def test_sides_whose_categories_come_in_another_order_are_read_alike(tmp_path):
    training = people(80, 3, gaps=0)
    written(tmp_path / "train.csv", training)
    few = [row for row in training if row[3] == "school"]
    made = written(tmp_path / "made.csv", [[*row[:3], "school", row[4]] for row in few])
    found = rote.audit(made, tmp_path / "train.csv", device="cpu")
    assert found.rate.count == len(few)


def test_values_that_only_generated_rows_miss_are_said(tmp_path):
    training = people(200, 4, gaps=0)
    written(tmp_path / "train.csv", training)
    blanked = [[*row[:2], "NA", *row[3:]] for row in training[:30]]
    made = written(tmp_path / "made.csv", blanked + training[30:60])
    found = ratio_audit(made, tmp_path / "train.csv")
    assert found.memorized[30:].all()
    (notice,) = [notice for notice in found.notices if "miss values" in notice.text]
    assert "30 of 60 generated rows miss values in 1 of 5 columns" in notice.text
    assert "'bmi'" in notice.text
    assert not notice.doubtful


def test_a_column_without_any_value_is_refused_in_one_line(tmp_path):
    rows = [[*row[:2], "", *row[3:]] for row in people(40, 5)]
    with pytest.raises(DataError, match="column 'bmi' holds '' in all 40 rows") as caught:
        rote.load_images(written(tmp_path / "train.csv", rows))
    assert "\n" not in str(caught.value)
