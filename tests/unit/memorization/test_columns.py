"""Tables with missing values are audited whole: their copies are found, and blanked cells are said."""

import csv

import numpy as np
import pytest
from audits import ratio_audit

import rote
from rote.core.errors import DataError
from rote.data.dataset import Dataset

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


def difference_of(generated, training, **options):
    sides = [Dataset(np.ascontiguousarray(side, np.float32)) for side in (generated, training)]
    found = rote.audit(*sides, device="cpu", positive_control=0, training_sample=0, **options)
    named = [notice for notice in found.notices if notice.topic == "difference"]
    return found, named[0].numbers["name"] if named else None


def measurements(seed):
    rng = np.random.default_rng(seed)
    return rng.lognormal(1, 0.7, size=(200, 6)) * [1, 1, 10, 1, 3, 1]


def z_scores(x, of):
    return (x - of.mean(0)) / of.std(0)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("standardized", lambda x, of: z_scores(x, of)),
        ("range", lambda x, of: (x - of.min(0)) / np.ptp(of, 0)),
        ("range", lambda x, of: 2 * (x - of.min(0)) / np.ptp(of, 0) - 1),
        ("units", lambda x, of: x * [1, 1000, 1, 1, 0.01, 1]),
        ("logarithms", lambda x, of: np.log1p(x)),
        ("powers", lambda x, of: np.expm1(x)),
        ("negated", lambda x, of: -x),
        ("reversed", lambda x, of: x[:, ::-1]),
    ],
)
def test_vectors_in_other_units_are_named(name, change):
    training = measurements(0)
    if name == "powers":
        training = np.log1p(training)  # the training side holds the logarithms
        made = np.expm1(training[:40])
    else:
        made = change(training[:40], training)
    found, named = difference_of(made, training, fail_above=0.5)
    assert found.rate.count <= 2
    assert named == name
    assert found.gate.decision == "undecided"


@pytest.mark.parametrize("name", ["time", "reversed", "negated", "units"])
def test_series_in_other_units_are_named(name):
    rng = np.random.default_rng(1)
    training = rng.normal(size=(150, 24, 2)).cumsum(axis=1) + np.array([3, -2])
    made = {
        "time": training[:, ::-1],
        "reversed": training[..., ::-1],
        "negated": -training,
        "units": 1000 * training,
    }[name]
    assert difference_of(made[:40], training)[1] == name


def test_tables_in_other_units_are_named(tmp_path):
    training = people(200, 6)
    written(tmp_path / "train.csv", training)
    grams = [[*row[:4], str(float(row[4]) / 1000) if row[4] else ""] for row in training[:60]]
    found = rote.audit(written(tmp_path / "made.csv", grams), tmp_path / "train.csv", device="cpu")
    (notice,) = [notice for notice in found.notices if notice.topic == "difference"]
    assert notice.numbers["name"] == "units"


def test_honest_numbers_are_in_one_unit():
    for seed in range(6):
        assert difference_of(measurements(seed), measurements(seed + 100))[1] is None
