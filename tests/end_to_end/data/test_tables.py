"""A mixed table all the way: train, sample rows, audit them, search for the EMM."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from command import Done, run_here

COLORS = ("blue", "green", "red")
QUICK = [
    *("--set", "model.width=16", "--set", "model.blocks=1", "--set", "train.batch=16"),
    *("--set", "train.images=1600", "--set", "train.snapshot_images=800"),
    *("--set", "train.log_images=800"),
]
SEARCH = [
    *("--set", "search.start=4", "--set", "search.min_size=2", "--set", "search.max_size=16"),
    *("--set", "search.selection_samples=32", "--set", "search.fresh_samples=32"),
    *("--set", "sample.steps=6", "--set", "search.max_runs=2"),
]


def ok(*arguments: str, cwd: Path) -> str:
    done: Done = run_here(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with real.csv (80 rows) and rest.csv (40 rows), of one distribution."""
    path = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    for name, count in (("real.csv", 80), ("rest.csv", 40)):
        kinds = rng.integers(3, size=count)
        with (path / name).open("w", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(["age", "color", "height", "floor"])
            for kind in kinds:
                height = f"{rng.normal(1.5 + kind, 0.4):.3f}"
                writer.writerow([20 + 9 * kind + rng.integers(9), COLORS[kind], height, kind % 2])
    return path


def test_rows_are_trained_on_sampled_and_audited(folder: Path) -> None:
    options = ["--categorical", "floor"]
    ok("train", "--data", "real.csv", *options, *QUICK, "--out", "run", cwd=folder)
    schema = json.loads((folder / "run" / "schema.json").read_text())
    assert [column["kind"] for column in schema["schema"]["columns"]] == [
        *("numeric", "categorical", "numeric", "categorical"),
    ]
    ok("sample", "run", "--count", "30", "--out", "synth.csv", cwd=folder)
    ok("sample", "run", "--count", "30", "--out", "synth.npz", cwd=folder)
    with (folder / "synth.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0]) == ["age", "color", "height", "floor"]
    assert {row["color"] for row in rows} <= set(COLORS)
    assert {row["floor"] for row in rows} <= {"0", "1"}
    assert all(row["age"].lstrip("-").isdigit() for row in rows)

    found = [
        json.loads(
            ok("audit", "--generated", made, "--training", "real.csv", *options, *more, cwd=folder)
        )
        for made in ("synth.csv", "synth.npz", "run")
        for more in [["--holdout", "rest.csv", "--json", *(["--count", "30"] * (made == "run"))]]
    ]
    assert found[0]["rate"]["total"] == 30
    # The same samples, whichever way they went.
    assert found[0]["rate"] == found[1]["rate"] == found[2]["rate"]
    assert len({entry["generated"]["digest"] for entry in found}) == 1
    assert found[0]["control"]["count"] == 40


def test_the_training_table_itself_is_all_copies(folder: Path) -> None:
    lines = (folder / "real.csv").read_text().splitlines()
    shuffled = [lines[0], *reversed(lines[1:])]
    (folder / "copies.csv").write_text("\n".join(shuffled) + "\n")
    said = ok("audit", "--generated", "copies.csv", "--training", "real.csv", cwd=folder)
    assert "(80 of 80)" in said


@pytest.mark.slow
def test_a_search_runs_on_a_table(folder: Path) -> None:
    ok("emm", "--data", "real.csv", *QUICK, *SEARCH, "--out", "emm", cwd=folder)
    value = json.loads((folder / "emm" / "emm.json").read_text())
    assert [column["name"] for column in value["data"]["columns"]][:2] == ["age", "color"]
    point = next(iter(sorted((folder / "emm" / "points").iterdir())))
    ok("audit", "--generated", str(point), "--training", "real.csv", cwd=folder)


READING = ("--categorical", "floor", "--label", "color", "--ignore", "age")


def refusal(*arguments: str, cwd: Path) -> str:
    done = run_here(*arguments, cwd=cwd)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.strip().splitlines()
    return line


def test_a_search_is_rescored_with_the_reading_it_had(folder: Path) -> None:
    source = ("--data", "real.csv", *READING)
    ok("emm", *source, *QUICK, *SEARCH, "--out", "read", cwd=folder)
    found = json.loads(ok("rescore", "read", *READING, "--no-quality", "--json", cwd=folder))
    searched = json.loads((folder / "read" / "emm.json").read_text())
    assert found["data"]["digest"] == searched["data"]["digest"]
    # Measured as the search measured: of a mixed table, by Gower's distance.
    assert found["criteria"][0]["name"] == "ratio"
    rates = [point["rate"] for point in searched["points"]]
    assert [run["rates"]["ratio"] for run in found["runs"]] == rates
    line = refusal("rescore", "read", cwd=folder)
    assert "real.csv is not what the search in read drew from" in line
    assert line.endswith("give that, with the same --categorical, --label and --ignore")


def test_a_training_is_looked_into_with_the_reading_it_had(folder: Path) -> None:
    training = ("--data", "real.csv", *READING)
    ok("train", *training, "--size", "40", *QUICK, "--out", "part", cwd=folder)
    found = json.loads(ok("membership", "part", *training, "--draws", "1", "--json", cwd=folder))
    assert (found["training"]["count"], found["holdout"]["count"]) == (40, 40)
    again = json.loads(ok("membership", "part", "--draws", "1", "--json", cwd=folder))
    assert again == found  # the training's own data, read as it was


def test_what_does_not_fit_is_said_in_one_line(folder: Path) -> None:
    (folder / "odd.csv").write_text("age,color,height,floor\n30,mauve,1.5,1\n")
    done = run_here("audit", "--generated", "odd.csv", "--training", "real.csv", cwd=folder)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.strip().splitlines() == [
        "error: odd.csv, line 2, column 'color' holds 'mauve', which is none of the 3 "
        "categories of the training table (blue, green, red); repair 1 cell, or give --ignore 'color'"
    ]
    done = run_here("sample", "nothing", "--out", "rows.txt", cwd=folder)
    assert done.returncode == 1
    done = run_here("optimum", "--data", "digits", "--out", "rows.csv", cwd=folder)
    assert "only rows of a table are written as csv" in done.stderr


def test_rows_that_miss_values_are_told_by_every_command(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = [
        [f"{x:.3f}", "" if n % 5 == 0 else f"{y:.3f}", COLORS[n % 3]]
        for n, (x, y) in enumerate(rng.normal(size=(60, 2)))
    ]
    labels = ["" if n in (7, 11) else "ab"[n % 2] for n in range(60)]
    for name, chosen in (("train.csv", range(60)), ("made.csv", range(20))):
        with (tmp_path / name).open("w", newline="") as handle:
            csv.writer(handle).writerows(
                [["x", "y", "color", "kind"], *([*rows[n], labels[n]] for n in chosen)]
            )
    options = ["--label", "kind", "--skip-unreadable"]
    told = "2 of 60 rows not read: no label (2, such as line 9)"
    shown = ok("data", "show", "train.csv", *options, cwd=tmp_path)
    assert told in " ".join(shown.split()) or "no label" in shown
    assert "or no value" in shown
    sides = ["--generated", "made.csv", "--training", "train.csv", *options]
    done = run_here("audit", *sides, "--out", "audit", "--device", "cpu", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert told in done.stderr
    assert "12 rows with missing values" in done.stderr
    found = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert found["rate"]["count"] == found["rate"]["total"] == 18
    account = found["training"]["account"]
    assert (account["files"], account["read"], account["unit"]) == (60, 58, "rows")
    assert [(group["reason"], group["count"]) for group in account["left_out"]] == [("no label", 2)]
    assert found["positive_control"]["cells"][0]["recall"]["ratio"]["total"] == 58
    with (tmp_path / "audit" / "pairs.csv").open() as handle:
        assert all(row["name"] == row["nn1_name"] for row in csv.DictReader(handle))


def test_neighbors_of_tables_that_miss_values(tmp_path: Path) -> None:
    rows = [f"{n},{n * n}" for n in range(30)]
    (tmp_path / "train.csv").write_text("\n".join(["a,b", *rows]))
    (tmp_path / "made.csv").write_text("\n".join(["a,b", "NA,4", *rows[3:9]]))
    sides = ["--generated", "made.csv", "--training", "train.csv"]
    done = run_here("neighbors", *sides, "--out", "near", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "in the columns' own units" in done.stderr
    with (tmp_path / "near" / "pairs.csv").open() as handle:
        first = [row for row in csv.DictReader(handle) if row["rank"] == "1"]
    assert [row["nn_name"] for row in first[1:]] == [f"row {n}" for n in range(4, 10)]
