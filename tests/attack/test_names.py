"""Hostile names in every output: each reads back, moves no cursor, runs nothing, asks for nothing."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from command import run_here
from hostile_names import NAMES, as_written, fill, member, readable
from report_page import Page

from rote.core import console
from rote.core.csv_text import csv_lines
from rote.data.messages import shown
from rote.report.words import embed_json, plain
from rote.results.tables import Texts

HIDDEN = set("\x1b\x9b\r\x08\x07\u202e\u2028\u200b\ufeff")


def test_two_hundred_kinds_pass_every_writer(capsys):
    assert len(NAMES) >= 200
    text = "".join(csv_lines([("name", "number"), *((name, 1) for name in NAMES)]))
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows == [["name", "number"], *([as_written(name), "1"] for name in NAMES)]
    assert list(Texts.of(NAMES)) == [as_written(name) for name in NAMES]
    assert json.loads(embed_json(NAMES)) == list(NAMES)
    assert not set(embed_json(NAMES)) & set("<>&\u2028")
    for name in NAMES:
        assert shown(name).isprintable()
        assert not set(plain(name)) & HIDDEN


def test_no_kind_reaches_a_terminal_as_it_is(capsys):
    with console.console.capture() as captured:
        for name in NAMES:
            console.say(name)
            console.print_text(name)
        console.say_error(NAMES[0])
    console.print_table(console.table("x", ["name"], [[name] for name in NAMES]))
    for name in NAMES[:20]:
        console.print_table(console.table(name, [name], [[name]]))
    out = capsys.readouterr().out
    for text in (out, captured.get()):
        assert all(char == "\n" or char.isprintable() for char in text)
    console.print_result({"names": NAMES})
    assert json.loads(capsys.readouterr().out)["names"] == list(NAMES)


@pytest.fixture(scope="module")
def room(tmp_path_factory) -> Path:
    return fill(tmp_path_factory.mktemp("names"))


def run(room: Path, *arguments: str) -> str:
    """Run a command that must succeed; what it prints is fit for a terminal. Return its stdout."""
    done = run_here(*arguments, cwd=room)
    assert done.returncode == 0, done.stderr
    for text in (done.stdout, done.stderr):
        assert {c for c in text if c != "\n" and not c.isprintable()} == set()
    return done.stdout


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert all(None not in row and None not in row.values() for row in rows)
    return rows


@pytest.mark.slow
def test_an_audit_reads_back_whatever_its_files_are_called(room):
    known = sorted(member(as_written(name)) for name in readable())
    sides = ("--generated", "made", "--training", "seen", "--positive-control", "0", "--no-cache")
    captions = ("--cluster-by", "caption", "--captions", "captions.jsonl")
    run(room, "audit", *sides, *captions, "--out", "one")
    told = json.loads(run(room, "audit", *sides, "--out", "two", "--json"))
    # A backslash parts folders, as it does in archives of Windows.
    parts = {as_written(name.replace("\\", "/").strip("/").split("/")[0]) for name in readable()}
    assert set(told["training"]["classes"]) == parts
    assert sorted(row["name"] for row in cells(room / "one" / "pairs.csv")) == known
    assert {row["nn1_name"] for row in cells(room / "one" / "pairs.csv")} <= set(known)
    assert {row["name"] for row in cells(room / "one" / "duplicates.csv")} <= set(known)
    assert json.loads((room / "two" / "audit.json").read_text()) == {
        "format_version": 1,
        **told,
        "provenance": json.loads((room / "two" / "audit.json").read_text())["provenance"],
    }
    run(room, "compare", "one", "two")
    run(room, "data", "show", "seen")
    run(room, "neighbors", "--generated", "made", "--training", "seen", "--out", "three")
    found = cells(room / "three" / "pairs.csv")
    assert sorted(row["name"] for row in found) == sorted(known * 2)
    run(room, "report", "one")
    page = Page(room / "one" / "report.html")
    names = page.data["gallery-data"]["sets"][0]["names"]
    assert sorted(name for name, _ in names) == sorted(
        name if len(name) <= 200 else f"…{name[-200:]}" for name in map(plain, known)
    )


@pytest.mark.slow
def test_sources_columns_and_labels_of_all_kinds_are_told_or_refused(room):
    rng = np.random.default_rng(0)
    items = rng.integers(0, 256, (len(NAMES), 4, 4, 1), np.uint8)
    labels = [f"{name}|" for name in NAMES]  # an array drops zeros at the end
    np.savez(room / "labels.npz", images=items, labels=np.array(labels))
    told = json.loads(run(room, "data", "show", "labels.npz", "--json"))
    assert sorted(told["classes"]) == sorted(set(map(as_written, labels)))
    run(room, "data", "show", "labels.npz")
    for name in NAMES:
        for arguments in (("data", "show", name), ("report", name), ("compare", name, name)):
            done = run_here(*arguments, cwd=room)
            assert "Traceback" not in done.stderr
            assert all(c == "\n" or c.isprintable() for c in done.stderr + done.stdout), arguments
    for number, name in enumerate(NAMES):
        table = "".join(csv_lines([(name, "other"), *((n % 5, n) for n in range(40))]))
        (room / "table.csv").write_text(table, encoding="utf-8", newline="")
        done = run_here("data", "show", "table.csv", cwd=room)
        assert done.returncode in (0, 1), number
        assert all(c == "\n" or c.isprintable() for c in done.stderr + done.stdout), number
