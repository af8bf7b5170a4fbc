"""What the page of a full audit says, and that a plain one still opens."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from full_runs import full_audit_run
from report_page import Page, edit, report
from report_runs import HOSTILE, audit_run

from rote.core.errors import RunError
from rote.report import write_report


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full_audit_run(tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def page(full: Path) -> Page:
    return report(full)


def test_the_answer_is_rate_excess_and_three_verdicts(full: Path, page: Page) -> None:
    audit = json.loads((full / "audit.json").read_text())
    excess, verdicts = audit["excess"], audit["verdicts"]["ratio"]
    assert f"+{excess['value']:.3f} [+{excess['low']:.3f} to +{excess['high']:.3f}]" in page.text
    assert "real images not used in training (the control): " in page.text
    label = (
        f"{verdicts['memorized']} memorized, 12 collapsed, {verdicts['novel']} no copy seen, of 600"
    )
    assert [a for _, a in page.tags if a.get("aria-label") == label]
    assert "are copies, the limit is 25 %. These images are too few to decide" in page.text
    assert "about 281 more would decide" in page.text


def test_criteria_lie_side_by_side(page: Page) -> None:
    assert "Criteria side by side" in page.text
    for text in ("Calibrated ratio", "200 of 600", "0.61", "not decided", "7 of these verdicts"):
        assert text in page.text
    assert "0.000 to 0.700 (400 images are too few for a lower end)" in page.text


def test_the_positive_control_names_what_goes_unseen(page: Page) -> None:
    noisy, recompressed = "noisy copies (from 32 levels)", "recompressed copies (from quality 30)"
    counts = f"20 of 50 {noisy}, 3 of 50 {recompressed} and 0 of 50 mirrored copies"
    assert f"the ratio finds {counts}" in page.text
    assert "noisy (to 4 levels) and recompressed (to quality 90)" in page.text
    cells = [a for t, a in page.tags if t == "td" and "heat" in (a.get("class") or "")]
    labels = [a.get("aria-label") for a in cells]
    assert "JPEG, quality 30, Ratio: 6 %, 3 of 50, interval 0.021 to 0.162" in labels
    assert len(cells) == 18  # six rows of nearest, ratio and calibrated, one of them empty
    assert labels.count(None) == 1


def test_everything_seen_is_said_as_such(tmp_path: Path) -> None:
    run_dir = full_audit_run(tmp_path)

    def drop(audit: dict[str, Any]) -> None:
        cells = audit["positive_control"]["cells"]
        audit["positive_control"]["cells"] = [c for c in cells if c["strength"] == 4]

    edit(run_dir / "audit.json", drop)
    assert (
        "Of every kind of copy tried here, the ratio finds half and more, however made."
        in report(run_dir).text
    )


def test_what_is_copied_and_what_was_there_twice(page: Page) -> None:
    for text in (
        "The 1 % of training images copied most make 25 % of the copies",
        "as concentrated as if 31.4 images were copied equally often",
        "that is 3 different images",
        "5 of 405 held-out images also lie in the training set (3 exactly, 2 nearly)",
        "12 of 600 generated images lie within 10 levels",
        "collapse, not memorization",
        "2 images alike",
        "seen/4.png, seen/9.png",
    ):
        assert text in page.text


def test_groups_lead_to_their_images(page: Page) -> None:
    buttons = {a["data-group"]: a for t, a in page.tags if t == "button" and "data-group" in a}
    entry = page.data["gallery-data"]["sets"][0]
    twin = next(key for key in buttons if key.startswith("twin"))
    assert entry["twins"].count(int(twin.split()[1])) == 12
    assert "12 images equal · collapse · group" in page.text
    assert "Show the 12 of them" in page.text
    near = next(key for key in buttons if key.startswith("nearest"))
    assert int(near.split()[1]) in entry["nearest"]


def test_every_image_is_told_about(page: Page) -> None:
    entry = page.data["gallery-data"]["sets"][0]
    assert sorted(entry["index"]) == list(range(600))
    for key in ("nearest", "labels", "repeated", "twins", "names"):
        assert len(entry[key]) == 600
    assert entry["pictures"] == len(entry["moves"]) == 200


def test_leaks_are_listed(page: Page) -> None:
    assert "Held-out images that lie in the training set" in page.text
    assert "real/4.png 2.5 levels from seen/4.png" in page.text
    assert "real/0.png equals seen/0.png" in page.text


def test_classes_are_listed_highest_first(page: Page) -> None:
    assert page.text.index("class 9") < page.text.index("class 8")
    assert "By the label asked for" not in page.text


def rows_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the last layer: the bins that the tooltip tells."""
    rows: list[dict[str, Any]] = spec["datasets"][spec["layer"][-1]["data"]["name"]]
    return rows


def test_distributions_count_every_image(full: Path, page: Page) -> None:
    specs = page.data["chart-data"]["specs"]
    with np.load(full / "neighbors.npz") as arrays:
        nearest = np.sqrt(arrays["nn1_sq"] / 64)
    readouts = {name: rows_of(specs[name]) for name in ("ratios", "distances")}
    for readout in readouts.values():
        for key, total in (("generated", 600), ("held out", 400), ("within training", 200)):
            assert sum(int(row[key].split()[0]) for row in readout) == total
    first = readouts["distances"][0]
    assert first["generated"] == f"{(nearest < first['end']).sum()} of 600"


def test_gallery_knows_doubles_names_and_transforms(tmp_path: Path) -> None:
    run_dir = full_audit_run(tmp_path, mirrored=True)
    entry = report(run_dir).data["gallery-data"]["sets"][0]
    with np.load(run_dir / "neighbors.npz") as arrays:
        group = arrays["generated_group"]
    double = np.bincount(group)[group] > 1
    assert entry["repeated"] == double[entry["index"]].astype(int).tolist()
    assert sum(entry["repeated"]) > 0
    assert entry["moves"][0] == [1, -1, 2]
    assert entry["names"][0] == [f"made/{entry['index'][0]}.png", f"seen/{entry['nearest'][0]}.png"]


def test_without_a_control_and_with_images_set_aside(tmp_path: Path) -> None:
    text = report(full_audit_run(tmp_path / "none", holdout=False)).text
    assert "No control: nobody knows how many" in text
    assert "held out</span>" not in text
    text = report(full_audit_run(tmp_path / "aside", aside=400)).text
    assert (
        "400 training images set aside (the control)" in text
        and "400 training images, taken at random" in text
    )
    assert "set-aside images" in text


@pytest.mark.parametrize(
    ("excess", "sentence"),
    [
        ((0.05, -0.01, 0.11), "cannot be told apart from that"),
        ((-0.05, -0.1, -0.01), "a larger share than of the generated ones"),
    ],
)
def test_an_excess_that_is_none_is_said(tmp_path: Path, excess: Any, sentence: str) -> None:
    run_dir = full_audit_run(tmp_path)
    change = dict(zip(("value", "low", "high"), excess, strict=True))
    edit(run_dir / "audit.json", lambda a: a["criteria"][0]["excess"].update(change))
    assert sentence in report(run_dir).text


def test_hostile_text_stays_text_everywhere(tmp_path: Path) -> None:
    page = report(full_audit_run(tmp_path, text=HOSTILE))
    assert page.text.count("window.hacked=1") > 20
    pictures = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
    assert len(pictures) == 12 and all(src.startswith("data:image/png") for src in pictures)
    assert len([tag for tag, _ in page.tags if tag == "script"]) == 11
    assert not [key for _, attrs in page.tags for key in attrs if key.startswith("on")]


def test_plain_audits_say_what_they_lack(tmp_path: Path) -> None:
    text = report(audit_run(tmp_path)).text
    assert "No copies were made on purpose" in text
    assert "collapsed" not in text and "Only exact duplicates are grouped" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a["verdicts"]["ratio"].update(novel=1), "verdicts is not in agreement"),
        (lambda a: a["excess"].update(low=2), "interval inside -1 to 1"),
        (lambda a: a["criteria"][0].update(threshold="x"), r"criteria\[0\].threshold is not a num"),
        (lambda a: a["invariances"].update(names="flip"), "invariances.names is not a list"),
        (lambda a: a["positive_control"]["cells"][0].pop("found"), r"cells\[0\].found is missing"),
        (lambda a: a["generated"].update(shape=None), "generated.shape is not a list"),
    ],
)
def test_damaged_additions_are_named(tmp_path: Path, change: Any, message: str) -> None:
    run_dir = full_audit_run(tmp_path)
    edit(run_dir / "audit.json", change)
    edit(run_dir / "audit.json", lambda a: a["criteria"][0].update(excess=a["excess"]))
    with pytest.raises(RunError, match=message) as error:
        write_report(run_dir)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("name", b"\xff"),
        ("name_end", -1),
        ("member_rms", np.nan),
        ("member_side", 3),
        ("member_index", -1),
        ("mirrored", None),
        ("down", 0.5),
    ],
)
def test_damaged_tables_are_named(tmp_path: Path, name: str, damage: Any) -> None:
    run_dir = full_audit_run(tmp_path)
    with np.load(run_dir / "tables.npz") as arrays:
        held = dict(arrays)
    if isinstance(damage, bytes):
        held[name][:1] = np.frombuffer(damage, np.uint8)
    elif isinstance(damage, float) and held[name].dtype.kind == "i":
        held[name] = held[name].astype(float)
    elif damage is None:
        held[name] = held[name][1:]
    else:
        held[name][0] = damage
    np.savez(run_dir / "tables.npz", **held)
    with pytest.raises(RunError, match=r"tables\.npz is damaged") as error:
        write_report(run_dir)
    assert "\n" not in str(error.value)


def test_an_audit_without_its_tables_still_opens(tmp_path: Path) -> None:
    run_dir = full_audit_run(tmp_path)
    (run_dir / "tables.npz").unlink()
    assert "names" not in report(run_dir).data["gallery-data"]["sets"][0]


def test_an_audit_that_fails_says_what_lowers_copying(full: Path, tmp_path: Path) -> None:
    shutil.copytree(full, tmp_path / "failed")

    def fail(value: dict[str, Any]) -> None:
        value["gate"] |= {"decision": "above", "limit": 0.01, "doubt": None}

    assert "To copy less" not in report(full).text  # its gate is not decided
    edit(tmp_path / "failed" / "audit.json", fail)
    text = report(tmp_path / "failed").text
    assert "To copy less" in text and "rote remedy try" in text
