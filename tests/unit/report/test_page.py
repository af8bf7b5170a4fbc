"""What a report says: statuses, controls, kinds of data, hostile text, errors."""

from __future__ import annotations

import base64
import doctest
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_page import Page, edit, report
from report_runs import HOSTILE, audit_run, emm_run, write_audit

from rote.core.errors import RunError
from rote.report import words, write_report


def test_search_shows_every_number_of_the_result(tmp_path: Path) -> None:
    run_dir = emm_run(tmp_path)
    emm = json.loads((run_dir / "emm.json").read_text())
    page = report(run_dir)
    assert emm["sentence"] in page.text
    assert f"{emm['emm']['value']:.0f}" in page.text
    assert "64 to 128, 95 % interval" in page.text
    assert "300,000" in page.text and "320,000" in page.text
    assert emm["estimand"]["text"] in page.text
    assert emm["design"]["stopped"] in page.text
    for point in emm["points"]:
        rate = point["rate"]
        assert f"{rate['count']} of {rate['total']}" in page.text
        assert f"{rate['low']:.3f} to {rate['high']:.3f}" in page.text
    assert "5 min 12 s" in page.text
    assert "A control failed" not in page.text
    assert page.data["gallery-data"]["sets"][2]["name"] == "64"
    assert page.data["gallery-data"]["chosen"] == 2  # 64 is nearest the EMM
    assert (run_dir / "report.html").stat().st_size < 3_000_000


@pytest.mark.parametrize(
    ("sizes", "big", "words"),
    [
        ((16, 32, 64), "≥\u200964", "larger sizes are needed"),
        ((128, 256), "≤\u2009128", "smaller sizes are needed"),
    ],
)
def test_open_ends_are_worded_right(
    tmp_path: Path, sizes: tuple[int, ...], big: str, words: str
) -> None:
    page = Page(write_report(emm_run(tmp_path, sizes=sizes)))
    assert " ".join(big.split()) in page.text or big in page.text
    assert words in page.text


def test_nothing_decided_and_no_preset(tmp_path: Path) -> None:
    run_dir = emm_run(tmp_path, sizes=(64,))
    edit(run_dir / "emm.json", lambda e: e.update(preset=None))
    edit(run_dir / "emm.json", lambda e: e["emm"].update(low=None, high=None, status="above"))
    page = report(run_dir)
    assert "more runs are needed" in page.text
    assert "own configuration" in page.text


def test_every_run_has_a_card_with_its_loss_and_how_it_ended(tmp_path: Path) -> None:
    page = report(emm_run(tmp_path))
    cards = [attrs for tag, attrs in page.tags if (attrs.get("class") or "") == "run-card"]
    assert [card["id"] for card in cards] == [f"run-{n}-0" for n in (16, 32, 64, 128, 256)]
    assert "loss 1 to 0.109" in page.text
    assert page.text.count("Trained to the end, 64,000 images seen") == 3
    assert "surely a memorizer" in page.text
    assert "by its end it would not have passed" in page.text
    paths = [attrs["d"] for tag, attrs in page.tags if attrs.get("class") == "spark-loss"]
    assert len(paths) == 5
    heights = [float(place.split(" ")[1]) for place in (paths[0] or "")[1:].split("L")]
    assert heights == sorted(heights)  # a falling loss: SVG counts downwards
    assert len(heights) == 100


def test_gap_and_onset_are_there_where_they_were_measured(tmp_path: Path) -> None:
    run_dir = emm_run(tmp_path, sizes=(64, 128))
    page = report(run_dir)
    assert "The snapshots of the run of size 64, nearest the EMM" in page.text
    assert "Gap to the optimum: 0.4, 0.16 then 0.1, at σ = 0.8" in page.text
    assert "When memorization begins" in page.text
    assert {"gap", "onset", "snapshots"} <= set(page.data["chart-data"]["specs"])
    # A search for the last snapshot alone scores none on its way, and may measure no gap.
    edit(run_dir / "emm.json", lambda e: e.update(onset=None))
    for n in (0, 1):
        edit(run_dir / "emm.json", lambda e, n=n: e["points"][n].update(gap=[], selection=[]))
    page = report(run_dir)
    assert set(page.data["chart-data"]["specs"]) == {"curve", "posterior"}
    assert "Gap to the optimum" not in page.text and "When memorization begins" not in page.text


def test_the_fixed_grid_and_the_emm_from_gaps_are_there_where_they_are_known(
    tmp_path: Path,
) -> None:
    page = report(emm_run(tmp_path / "a")).text
    # 5 runs of 60,000 images against 20 of 64,000.
    assert "1,280,000" in page and "0.23" in page and "4 times" in page and "20 runs" in page
    assert "from the gaps alone" in page and "66 to 88" in page
    assert "more than twenty times" in report(emm_run(tmp_path / "b", repeats=None)).text
    above = report(emm_run(tmp_path / "c", sizes=(16, 32))).text
    assert "Against a fixed grid" not in above and "from the gaps alone" not in above


def test_a_result_from_before_the_fixed_grid_can_be_shown(tmp_path: Path) -> None:
    out = emm_run(tmp_path / "old")
    value = json.loads((out / "emm.json").read_text())
    del value["cost"]["fixed_grid"], value["without_sampling"]
    (out / "emm.json").write_text(json.dumps(value))
    page = report(out).text
    assert "What it cost" in page and "Against a fixed grid" not in page


def test_rounds_say_what_was_asked_and_what_was_known_then(tmp_path: Path) -> None:
    run_dir = emm_run(tmp_path, sizes=(64, 128))
    before = {"value": None, "low": 50.0, "high": None, "status": "above", "confidence": 0.95}
    edit(run_dir / "emm.json", lambda e: e["design"]["rounds"][1].update(emm=before))
    page = report(run_dir)
    table = page.text[page.text.index("How the search went") :]
    first, second = table.index("the first sizes"), table.index("adigits")
    assert first < table.index("≥ 50") < second < table.index("64 to 128")


def test_failed_controls_warn(tmp_path: Path) -> None:
    page = report(emm_run(tmp_path, sizes=(64, 128), optimum_count=480, holdout_count=20))
    assert "A control failed" in page.text
    assert "The theoretical optimum is not recognized as a copy" in page.text
    assert "Held-out images are flagged as copies" in page.text


def test_vectors_and_no_holdout(tmp_path: Path) -> None:
    page = report(emm_run(tmp_path, sizes=(64, 128), kind="vector", holdout=False))
    gallery = page.data["gallery-data"]["sets"][0]
    assert "sprite" not in gallery
    assert np.shape(gallery["vectors"]["values"]) == (200, 3, 8)
    assert "No data was left outside" in page.text
    assert "training vectors" in page.text


def test_audit_with_and_without_control(tmp_path: Path) -> None:
    with_control = report(audit_run(tmp_path / "a"))
    without = report(audit_run(tmp_path / "b", control=False))
    audit = json.loads((tmp_path / "a" / "audit.json").read_text())
    assert f"images: {audit['rate']['count']} of {audit['rate']['total']}." in with_control.text
    assert "held-out digits" in with_control.text
    assert "nothing to compare the rate with" in without.text
    for row in audit["coverage"]["top"]:
        assert row["name"] in with_control.text


def test_recounts_cover_every_image_and_agree_with_the_verdicts(tmp_path: Path) -> None:
    run_dir = audit_run(tmp_path)
    gallery = report(run_dir).data["gallery-data"]
    entry = gallery["sets"][0]
    ratios = np.frombuffer(base64.b64decode(entry["ratios"]), "<f8")
    bits = np.unpackbits(np.frombuffer(base64.b64decode(entry["memorized"]), np.uint8), count=600)
    with np.load(run_dir / "neighbors.npz") as arrays:
        memorized = arrays["memorized"]
    assert len(ratios) == len(memorized) == 600
    assert (bits == memorized).all()
    assert ((ratios < gallery["threshold"]) == memorized).all()
    assert entry["rate"] == json.loads((run_dir / "audit.json").read_text())["rate"]


def test_verdicts_are_those_of_the_files_also_where_a_float_would_say_another(
    tmp_path: Path,
) -> None:
    references = np.array([[0, 0], [4, 0]], np.uint8).reshape(2, 1, 2, 1)
    queries = np.array([[1, 0], [0, 0], [2, 0]], np.uint8).reshape(3, 1, 2, 1)  # ratio 1/3, 0, 1
    write_audit(tmp_path, queries, references)
    page = report(tmp_path)
    assert "of the generated images is a copy of a training image: 1 of 3." in page.text
    entry = page.data["gallery-data"]["sets"][0]
    assert base64.b64decode(entry["memorized"]) == bytes([0b01000000])
    # Ratios are shown as measured, never moved to the side of the threshold that a verdict asks for.
    ratios = np.frombuffer(base64.b64decode(entry["ratios"]), "<f8")
    assert ratios.tolist() == [np.sqrt(1 / 9), 0, 1]


def test_wide_galleries_stay_within_the_budget(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (130, 96, 96, 3)).astype(np.uint8)
    write_audit(tmp_path, noise[:110], noise[10:30])
    page = report(tmp_path)
    gallery = page.data["gallery-data"]["sets"][0]
    assert gallery["factor"] == 1
    assert gallery["pictures"] == 110  # thumbnails
    assert sorted(gallery["index"]) == list(range(110))
    assert (tmp_path / "report.html").stat().st_size < 10_000_000  # of noise, the most there is


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    for run_dir in (
        emm_run(tmp_path / "emm", sizes=(64, 128), source=HOSTILE, classes=[HOSTILE] * 10),
        audit_run(tmp_path / "audit", source=HOSTILE, control=False),
    ):
        page = report(run_dir)
        assert "\\u202e" in page.text and "window.hacked=1" in page.text
        scripts = [attrs for tag, attrs in page.tags if tag == "script"]
        audits = run_dir.name == "audit"
        assert len(scripts) == (11 if audits else 10)  # two of data, the rest of code
        pictures = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
        assert len(pictures) == (12 if audits else 0)
        assert all(src.startswith("data:image/png") for src in pictures)
        assert not [key for _, attrs in page.tags for key in attrs if key.startswith("on")]


def test_page_asks_for_nothing(tmp_path: Path) -> None:
    page = report(emm_run(tmp_path, sizes=(64, 128)))
    for tag, attrs in page.tags:
        for key in ("src", "href", "action", "srcset", "data"):
            assert (attrs.get(key) or "#").startswith(("#", "data:")), (tag, attrs)
    policy = next(a for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy["content"]
    assert "unsafe-eval" not in policy["content"]
    scripts = policy["content"].partition("script-src")[2].partition(";")[0]
    assert scripts.count("'sha256-") == 8 and "unsafe" not in scripts


def test_report_is_the_same_when_written_again(tmp_path: Path) -> None:
    run_dir = emm_run(tmp_path, sizes=(64, 128))
    first = write_report(run_dir).read_bytes()
    assert write_report(run_dir).read_bytes() == first
    assert not list(run_dir.glob(".*.tmp"))


def test_several_runs_of_a_size_are_named(tmp_path: Path) -> None:
    run_dir = emm_run(tmp_path, sizes=(64, 128))
    edit(run_dir / "emm.json", lambda e: e["points"].append({**e["points"][1], "replicate": 1}))
    page = report(run_dir)
    names = [entry["name"] for entry in page.data["gallery-data"]["sets"]]
    assert names == ["64", "128 · run 0", "128 · run 1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.pop("points"), "points is missing"),
        (lambda e: e["points"].clear(), "points is not a list with at least one entry"),
        (lambda e: e["points"][0]["rate"].pop("low"), r"points\[0\].rate.low is missing"),
        (lambda e: e["points"][0]["rate"].update(low=float("nan")), "finite"),
        (lambda e: e["points"][0]["rate"].update(low="x"), r"points\[0\].rate.low is not a number"),
        (lambda e: e["points"][0]["rate"].update(high=1.5), "interval inside 0 to 1"),
        (lambda e: e["points"][0].update(size=0), "1 or more"),
        (lambda e: e["points"][0].update(run="../../other"), "a folder inside"),
        (lambda e: e["points"][0].update(run="points/none"), "does not exist"),
        (lambda e: e["emm"].update(high=None), "emm is not an EMM with value, low and high"),
        (lambda e: e["points"][0]["observation"].update(bound="so"), "one of exact, at-least"),
        (lambda e: e["points"][0]["gap"][0].update(gap=[]), "gap is not a list with one entry"),
        (lambda e: e["curve"].pop("band"), "curve.band is missing"),
        (
            lambda e: e["design"]["rounds"][1].update(emm=None),
            "rounds is not a list whose rounds",
        ),
        (lambda e: e["emm"].update(status="fine"), "one of bracketed, above, below"),
        (
            lambda e: e["points"][0].update(e["points"][1] | {"run": e["points"][0]["run"]}),
            "belong",
        ),
        (lambda e: e.update(format_version=99), "newer"),
        (lambda e: e.update(kind="audit"), "kind is not one of emm"),
    ],
)
def test_damaged_results_are_named_in_one_line(tmp_path: Path, change: Any, message: str) -> None:
    run_dir = emm_run(tmp_path, sizes=(64, 128))
    edit(run_dir / "emm.json", change)
    with pytest.raises(RunError, match=message) as error:
        write_report(run_dir)
    assert "\n" not in str(error.value)
    assert not (run_dir / "report.html").exists()


@pytest.mark.parametrize("name", ["audit.json", "neighbors.npz", "gallery.npz", "manifest.json"])
def test_damaged_files_are_named_in_one_line(tmp_path: Path, name: str) -> None:
    run_dir = audit_run(tmp_path)
    content = (run_dir / name).read_bytes()
    for damage in (b"", content[: len(content) // 2], b"not this"):
        (run_dir / name).write_bytes(damage)
        with pytest.raises(RunError, match=re.escape(name)) as error:
            write_report(run_dir)
        assert "\n" not in str(error.value)


def test_swapped_arrays_are_refused(tmp_path: Path) -> None:
    audit_run(tmp_path / "a")
    audit_run(tmp_path / "b", count=500)
    (tmp_path / "b" / "neighbors.npz").replace(tmp_path / "a" / "neighbors.npz")
    with pytest.raises(RunError, match="does not have 600 rows"):
        write_report(tmp_path / "a")


def test_unfinished_and_wrong_directories_say_the_way_out(tmp_path: Path) -> None:
    run_dir = emm_run(tmp_path / "emm", sizes=(64,))
    (run_dir / "emm.json").unlink()
    with pytest.raises(RunError, match=r"not finished.*run `rote emm` again"):
        write_report(run_dir)
    with pytest.raises(RunError, match=r"report .*audit instead"):
        write_report(run_dir / "points" / "size-000064-run-00")
    with pytest.raises(RunError, match=r"neither emm\.json nor audit\.json"):
        write_report(tmp_path)
    with pytest.raises(RunError, match="not a directory"):
        write_report(tmp_path / "none")


def test_importing_the_room_is_light() -> None:
    heavy = "altair", "vl_convert", "torch", "PIL", "scipy"
    code = f"import sys, rote.report; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_examples_in_docstrings() -> None:
    done = doctest.testmod(words)
    assert done.attempted >= 9
    assert done.failed == 0
