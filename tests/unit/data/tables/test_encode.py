"""Tables: cells to vectors and back, and what is said of cells that cannot be used."""

import datetime
from pathlib import Path

import numpy as np
import pytest

from rote.core.csv_text import csv_lines
from rote.core.errors import DataError
from rote.data.convert import for_models, in_own_units
from rote.data.load import load_images
from rote.data.scaling import VECTOR_STD, Scaling
from rote.data.tables.files import table_rows
from rote.data.tables.schema import Column, Schema
from rote.data.tables.table import Reading

PETS = """age,pet,weight,owner
3,cat,4.25,ann
7,dog,12.5,bob
7,bird,0.5,ann
12,dog,30,bob
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return written(tmp_path / "pets.csv", PETS)


def error_of(path: Path, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        load_images(path, reading=Reading(**options))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_cells_become_numbers_and_one_hot_columns(pets: Path) -> None:
    found = load_images(pets)
    assert found.kind == "vector"
    assert found.items.dtype == np.float32
    # age, bird, cat, dog, weight, ann, bob
    assert found.items.tolist() == [
        [3, 0, 1, 0, 4.25, 1, 0],
        [7, 0, 0, 1, 12.5, 0, 1],
        [7, 1, 0, 0, 0.5, 1, 0],
        [12, 0, 0, 1, 30, 0, 1],
    ]
    assert found.schema is not None
    assert found.schema.columns == (
        Column("age", whole=True, low=3, high=12),
        Column("pet", "categorical", categories=("bird", "cat", "dog")),
        Column("weight", whole=False, low=0.5, high=30),
        Column("owner", "categorical", categories=("ann", "bob")),
    )


def test_a_label_column_is_no_part_of_the_vectors(pets: Path) -> None:
    found = load_images(pets, reading=Reading(label="owner", ignore=("weight",)))
    assert found.shape == (4,)
    assert found.classes == ("ann", "bob")
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1, 0, 1]


def test_numbers_are_categories_where_asked(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "floor,rent\n10,5\n2,6\n2.0,7\n")
    found = load_images(path, reading=Reading(categorical=("floor",)))
    assert found.schema is not None
    assert found.schema.columns[0].categories == ("2", "10")  # in the order of numbers
    assert found.items[:, :2].tolist() == [[0, 1], [1, 0], [1, 0]]


def test_cells_survive_the_way_to_vectors_and_back(pets: Path, tmp_path: Path) -> None:
    found = load_images(pets, reading=Reading(label="owner"))
    again = written(tmp_path / "again.csv", "".join(csv_lines(table_rows(found))))
    back = load_images(again, reading=Reading(label="owner"))
    assert back.digest == found.digest
    assert again.read_text().splitlines()[1] == "3,cat,4.25,ann"


def test_samples_become_what_a_table_can_hold(pets: Path) -> None:
    schema = load_images(pets).schema
    assert schema is not None
    noisy = np.array([[6.5, 0.3, 0.2, 0.4, 4.251, -1.0, -2.0]], np.float32)
    assert schema.snapped(noisy).tolist() == [[7, 0, 0, 1, np.float32(4.251), 1, 0]]
    assert schema.cells(noisy) == [["7", "dog", "4.251", "ann"]]


def test_a_categorical_column_has_the_variance_of_a_numeric_one(pets: Path) -> None:
    scaled, scaling = for_models(load_images(pets))
    assert scaling is not None
    assert scaling.schema is not None
    for _, part in scaling.schema.parts():
        variance = scaled.items[:, part].astype(np.float64).var(axis=0).sum()
        assert variance == pytest.approx(VECTOR_STD**2, rel=1e-6)


def test_scaled_rows_snap_to_themselves_and_near_rows_to_them(pets: Path) -> None:
    table = load_images(pets, reading=Reading(ignore=("weight",)))
    scaled, scaling = for_models(table)
    assert scaling is not None
    moved = scaled.items + np.float32(0.01)
    assert (scaling.snapped(moved) == scaled.items).all()
    assert (in_own_units(scaled) == table.items).all()


def test_a_scaling_with_its_schema_is_read_back(pets: Path) -> None:
    _, scaling = for_models(load_images(pets, reading=Reading(label="owner")))
    assert scaling is not None
    back = Scaling.from_json(scaling.to_json())
    assert back.schema == scaling.schema
    assert isinstance(back.schema, Schema)


def test_another_table_is_read_by_the_training_tables_columns(pets: Path, tmp_path: Path) -> None:
    schema = load_images(pets).schema
    other = written(tmp_path / "b.csv", "owner,pet,age,weight\nbob,cat,5,1e1\n")
    found = load_images(other, reading=Reading(schema=schema))
    assert found.items.tolist() == [[5, 0, 1, 0, 10, 0, 1]]
    assert found.schema == schema


def test_digest_tells_kinds_of_columns_apart(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "a,b\n0,1.5\n1,2.5\n")
    plain = load_images(path)
    other = load_images(written(tmp_path / "b.csv", "a,c\n0,1.5\n1,2.5\n"))
    assert plain.digest != load_images(path, reading=Reading(categorical=("a",))).digest
    assert plain.digest != load_images(np.asarray(plain.items)).digest
    assert plain.digest != other.digest  # the same numbers under other names


def test_separators_and_byte_order_marks(tmp_path: Path) -> None:
    for name, text in (
        ("a.csv", "a;b\n1;2.5\n3;4.5\n"),
        ("b.tsv", "a\tb\n1\t2.5\n3\t4.5\n"),
        ("c.csv", '\ufeffa,b\r\n1,"2.5"\r\n\r\n3, 4.5\r\n'),
    ):
        assert load_images(written(tmp_path / name, text)).items.tolist() == [[1, 2.5], [3, 4.5]]


def test_parquet_equals_csv(pets: Path, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "age": pyarrow.array([3, 7, 7, 12], pyarrow.int32()),
        "pet": pyarrow.array(["cat", "dog", "bird", "dog"]).dictionary_encode(),
        "weight": pyarrow.array([4.25, 12.5, 0.5, 30.0], pyarrow.float32()),
        "owner": ["ann", "bob", "ann", "bob"],
    }
    path = tmp_path / "pets.parquet"
    parquet.write_table(pyarrow.table(columns), path)
    assert load_images(path).digest == load_images(pets).digest

    parquet.write_table(pyarrow.table({**columns, "age": [3, None, 7, 12]}), path)
    missing = written(tmp_path / "missing.csv", PETS.replace("\n7,dog", "\n,dog"))
    assert load_images(path).digest == load_images(missing).digest
    nan = [3.0, float("nan"), 7.0, 12.0]
    parquet.write_table(pyarrow.table({**columns, "age": nan}), path)
    assert load_images(path).digest == load_images(missing).digest
    parquet.write_table(pyarrow.table({**columns, "born": [[1], [2], [3], [4]]}), path)
    assert "column 'born' is of type list" in error_of(path)
    written(path, "no parquet")
    assert "cannot be read as Parquet" in error_of(path)


@pytest.mark.parametrize("mark", ["", "NA", "nan", "?", "None"])
@pytest.mark.parametrize("skip", [False, True])
def test_rows_with_missing_numbers_stay(tmp_path: Path, mark: str, skip: bool) -> None:
    path = written(tmp_path / "a.csv", f"age,pet\n3,cat\n{mark},dog\n8,dog\n{mark},cat\n")
    found = load_images(path, skip_unreadable=skip)
    # age (5.5 stands for no value), whether it is missing, cat, dog
    assert found.items.tolist() == [[3, 0, 1, 0], [5.5, 1, 0, 1], [8, 0, 0, 1], [5.5, 1, 1, 0]]
    assert found.schema is not None
    age = Column("age", whole=True, low=3, high=8, missing=True, fill=5.5)
    assert found.schema.columns[0] == age
    assert found.schema.cells(found.items)[1] == ["", "dog"]
    assert Schema.from_json(found.schema.to_json()) == found.schema
    assert found.account is not None
    assert found.account.parts() == [
        "2 rows with missing values (kept, no value being a state of its own; 2 in 'age')"
    ]


def test_rows_without_a_label_are_named_or_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "age,pet\n3,cat\n4,\n7,dog\n5,\n")
    message = error_of(path, label="pet")
    assert "line 3, column 'pet' has no value (1 more rows miss one)" in message
    assert "`skip_unreadable`" in message
    found = load_images(path, reading=Reading(label="pet"), skip_unreadable=True)
    assert found.items.tolist() == [[3], [7]]
    assert found.unreadable == ("line 3", "line 5")
    assert found.names == ("row 1", "row 3")  # as the file has them
    assert found.account is not None
    assert found.account.parts() == ["2 of 4 rows not read: no label (2, such as line 3)"]


def test_rows_that_fit_no_column_are_left_out_by_reason(pets: Path, tmp_path: Path) -> None:
    schema = load_images(pets, reading=Reading(label="owner")).schema
    rows = "3,cat,1,ann\nold,cat,1,ann\n7,cow,2,bob\n8,cow,2,bob\n9,dog,5,eve\n,dog,5,bob\n"
    path = written(tmp_path / "b.csv", f"age,pet,weight,owner\n{rows}")
    found = load_images(path, reading=Reading(schema=schema), skip_unreadable=True)
    assert found.names == ("row 1", "row 6")
    assert found.account is not None
    assert (found.account.files, found.account.read, found.account.unit) == (6, 2, "rows")
    assert [(group.reason, group.count) for group in found.account.left_out] == [
        ("a category of 'pet' that the training table does not have", 2),
        ("a label that the training table does not have", 1),
        ("no number in 'age'", 1),
    ]
    assert found.account.treated[0].names == ("row 6",)


@pytest.mark.parametrize("word", ["None", "NA", "null", "n/a", "?"])
def test_a_word_among_texts_is_a_category(tmp_path: Path, word: str) -> None:
    path = written(tmp_path / "a.csv", f"fence,price\n{word},3\nwood,4\n,5\n")
    found = load_images(path)
    assert found.schema is not None
    assert found.schema.columns[0].categories == ("", *sorted((word, "wood")))


def test_no_value_comes_first_among_numbers_that_are_categories(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "floor,rent\n10,5\n2,6\n,7\n")
    found = load_images(path, reading=Reading(categorical=("floor",)))
    assert found.schema is not None
    assert found.schema.columns[0].categories == ("", "2", "10")


def test_an_empty_line_of_a_single_column_is_a_missing_value(tmp_path: Path) -> None:
    found = load_images(written(tmp_path / "a.csv", "x\n1\n\n3\n5\n\n\n"))
    assert found.items.tolist() == [[1, 0], [3, 1], [3, 0], [5, 0]]
    assert found.names == ("row 1", "row 2", "row 3", "row 4")


def test_a_mark_that_is_no_category_is_no_value_by_the_schema(tmp_path: Path) -> None:
    learned = load_images(written(tmp_path / "a.csv", "pet,n\ncat,1\n,2\ndog,3\n"))
    other = written(tmp_path / "b.csv", "pet,n\nNaN,1\n,2\n")  # as pandas writes it
    found = load_images(other, reading=Reading(schema=learned.schema))
    assert found.items[:, :3].tolist() == [[1, 0, 0], [1, 0, 0]]


def test_scaled_rows_with_missing_values_snap_to_themselves(tmp_path: Path) -> None:
    rows = "".join(
        f"{n if n % 3 else ''},{n * n % 7},{'ab'[n % 2] if n % 5 else ''}\n" for n in range(20)
    )
    table = load_images(written(tmp_path / "a.csv", f"x,y,z\n{rows}"))
    scaled, scaling = for_models(table)
    assert scaling is not None
    known = table.items[:, 1] == 0
    assert scaled.items[known, 0].std() == pytest.approx(VECTOR_STD, rel=1e-5)
    assert np.abs(scaled.items[~known, 0]).max() < 1e-6  # the mean stands there
    assert np.ptp(scaled.items[:, 1]) == pytest.approx(VECTOR_STD)
    assert (scaling.snapped(scaled.items + np.float32(0.01)) == scaled.items).all()
    assert (in_own_units(scaled) == table.items).all()
    again = written(tmp_path / "b.csv", "".join(csv_lines(table_rows(table))))
    assert load_images(again).digest == table.digest


def test_none_is_a_category_where_a_column_is_called_categorical(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "fence,price\nNone,3\nwood,4\n")
    found = load_images(path, reading=Reading(categorical=("fence",)))
    assert found.schema is not None
    assert found.schema.columns[0].categories == ("None", "wood")
    # and in the other table, which is read by the schema
    other = written(tmp_path / "b.csv", "fence,price\nNone,5\n")
    assert load_images(other, reading=Reading(schema=found.schema)).items.tolist() == [[1, 0, 5]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "age,pet\n3,cat\nold,dog\n7,dog\n",
            "line 3, column 'age' holds 'old', which is no number",
        ),
        ("pet,n\ncat,1\ndog,2\n7,3\n", "line 4, column 'pet' holds '7', which is a number"),
        ("a,b\n1,2\n1,3\n", "column 'a' holds '1' in all 2 rows"),
        ("a,b\nx,2\nx,3\n", "column 'a' holds 'x' in all 2 rows"),
        ("a,b\n1,2\n1,3,4\n", "line 3 has 3 cells, and the header names 2 columns"),
        ("a,a\n1,2\n", "two columns named 'a'"),
        (",a\n0,1\n", "column 1 has no name in the first line"),
        ("1.5,2\n3,4\n", "begins with numbers (1.5, 2)"),
        ("", "is empty"),
        ("a,b\n", "has a header and no rows"),
        ("a,b\n1,1e99\n2,3\n", "line 2, column 'b' holds 1e99, which is beyond float32"),
        ('a,b\n1,"2\n', "cannot be read as CSV"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, told: str) -> None:
    message = error_of(written(tmp_path / "a.csv", text))
    assert told in message
    assert str(tmp_path / "a.csv") in message


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("a,b\nö,1\nü,2\n".encode("latin-1"))
    assert "is not UTF-8" in error_of(path)


def test_a_column_of_names_is_no_category(tmp_path: Path) -> None:
    rows = "".join(f"customer {n},{n}\n" for n in range(50))
    path = written(tmp_path / "a.csv", f"id,n\n{rows}")
    message = error_of(path)
    assert "column 'id' has 50 different categories in 50 rows" in message
    assert "`ignore` 'id'" in message
    commas = written(tmp_path / "b.csv", "a;n\n" + "".join(f"{n},5;{n}\n" for n in range(50)))
    assert "decimal comma" in error_of(commas)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("age,pet,weight\n3,cat,1\n", "has no column 'owner'"),
        ("age,pet,weight,owner,color\n3,cat,1,ann,red\n", "has a column 'color'"),
        (
            "age,pet,weight,owner\n3,cow,1,ann\n",
            "column 'pet' holds 'cow', which is none of the 3 categories of the training table "
            "(bird, cat, dog)",
        ),
        (
            "age,pet,weight,owner\nx,cat,1,ann\n",
            "column 'age' holds 'x', and the column is numeric in the training table",
        ),
    ],
)
def test_tables_that_do_not_fit_the_training_table(
    pets: Path, tmp_path: Path, text: str, told: str
) -> None:
    schema = load_images(pets).schema
    message = error_of(written(tmp_path / "b.csv", text), schema=schema)
    assert told in message
    assert str(tmp_path / "b.csv") in message


def test_labels_that_the_training_table_does_not_have(pets: Path, tmp_path: Path) -> None:
    schema = load_images(pets, reading=Reading(label="owner")).schema
    path = written(tmp_path / "b.csv", "age,pet,weight,owner\n3,cat,1,eve\n")
    assert "holds the label 'eve', which is none of the 2" in error_of(path, schema=schema)
    without = written(tmp_path / "c.csv", "age,pet,weight\n3,cat,1\n")
    assert load_images(without, reading=Reading(schema=schema)).labels is None


def test_columns_that_are_not_there(pets: Path) -> None:
    message = error_of(pets, categorical=("agee",))
    assert message.startswith("`categorical` agee: ")
    assert "did you mean" in message
    assert error_of(pets, label="zzz").startswith("`label` zzz: ")
    assert error_of(pets, ignore=("zzz",)).startswith("`ignore` zzz: ")
    with pytest.raises(DataError, match="are for CSV and Parquet tables, and wine is none"):
        load_images("wine", reading=Reading(categorical=("alcohol",)))


def test_vectors_take_over_the_columns_of_a_table(pets: Path) -> None:
    table = load_images(pets)
    assert table.schema is not None
    reading = Reading(schema=table.schema)
    taken = load_images(np.asarray(table.items), reading=reading)
    assert taken.schema == table.schema
    with pytest.raises(DataError, match="does not hold one category a row for the column 'pet'"):
        load_images(table.items * 0.9, reading=reading)
    with pytest.raises(DataError, match="take 7 numbers"):
        load_images(table.items[:, :5], reading=reading)


def test_named_tables_have_columns() -> None:
    wine = load_images("wine")
    assert wine.schema is not None
    assert wine.schema.columns[0] == Column("alcohol", low=11.03, high=14.83)
    assert wine.schema.columns[-1] == Column("proline", whole=True, low=278, high=1680)
    assert not wine.schema.mixed


@pytest.mark.parametrize(
    ("cells", "back"),
    [
        (("2020-01-31", "2020-02-01", "2019-12-31"), None),
        (("31.1.2020", "1.2.2020", "31.12.2019"), ("31.01.2020", "01.02.2020", "31.12.2019")),
        (("01/31/2020", "02/01/2020", "12/31/2019"), None),
        (("2020/01/31", "2020/02/01", "2019/12/31"), None),
        (("2020-01-31T06:00", "2020-02-01 06:00:00", "2019-12-31T07:00+01:00"), ()),
    ],
)
def test_dates_are_days_since_the_first(
    tmp_path: Path, cells: tuple[str, ...], back: tuple[str, ...] | None
) -> None:
    rows = "".join(f"{cell},{n}\n" for n, cell in enumerate(cells))
    found = load_images(written(tmp_path / "a.csv", f"day,n\n{rows}"))
    assert found.items.tolist() == [[31, 0], [32, 1], [0, 2]]
    assert found.schema is not None
    written_back = tuple(row[0] for row in found.schema.cells(found.items))
    if back != ():
        assert written_back == (back or cells)
    again = written(tmp_path / "b.csv", "".join(csv_lines(table_rows(found))))
    assert load_images(again, reading=Reading(schema=found.schema)).digest == found.digest
    assert Schema.from_json(found.schema.to_json()) == found.schema


def test_dates_that_cannot_be_read(tmp_path: Path) -> None:
    either = written(tmp_path / "a.csv", "day,n\n01/02/2020,1\n03/04/2020,2\n")
    assert "the day cannot be told from the month" in error_of(either)
    schema = load_images(written(tmp_path / "b.csv", "day,n\n2020-01-02,1\n2020-01-03,2\n")).schema
    other = written(tmp_path / "c.csv", "day,n\nMonday,1\n")
    assert "and the column holds dates in the training table" in error_of(other, schema=schema)
    gap = load_images(written(tmp_path / "d.csv", "day,n\nNA,1\n2020-01-05,2\n2020-01-02,3\n"))
    assert gap.schema is not None
    assert [row[0] for row in gap.schema.cells(gap.items)] == ["", "2020-01-05", "2020-01-02"]


def test_dates_of_parquet_and_columns_that_are_ignored(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    days = [datetime.date(2020, 1, 31), datetime.date(2020, 2, 1)]
    path = tmp_path / "a.parquet"
    columns = {
        "day": days,
        "at": pyarrow.array([0, 36 * 3600 * 10**9], pyarrow.timestamp("ns", "UTC")),
        "word": ["none", "some"],
        "odd": [[1], [2]],
    }
    parquet.write_table(pyarrow.table(columns), path)
    assert "column 'odd' is of type list" in error_of(path)
    found = load_images(path, reading=Reading(ignore=("odd",)))
    assert found.items.tolist() == [[0, 0, 1, 0], [1, 1.5, 0, 1]]


def test_codes_are_told(tmp_path: Path) -> None:
    rows = "".join(f"{n:05d},{n % 7}\n" for n in range(1, 60))
    path = written(tmp_path / "a.csv", f"zip,n\n{rows}")
    found = load_images(path)
    assert found.account is not None
    assert "'00001' looks like a code" in found.account.notes[0]
    asked = load_images(path, reading=Reading(categorical=("zip",)))
    assert asked.account is not None
    assert asked.account.parts() == []
    assert asked.shape == (60,)
    many = "".join(f"{n:05d},{n % 7}\n" for n in range(1, 1200))
    message = error_of(written(tmp_path / "b.csv", f"zip,n\n{many}"), categorical=("zip",))
    assert "`ignore` 'zip', or leave it out of `categorical`" in message
    assert "decimal" not in message
