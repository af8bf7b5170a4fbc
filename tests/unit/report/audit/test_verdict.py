"""What the first screen of an audit says: gate, interval, what would be missed, the worst pairs."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from full_runs import full_audit_run
from PIL import Image
from report_page import edit, report
from report_runs import audit_run

from rote.report.audit.read import read_audit
from rote.report.audit.verdict import decision_of, interval_sentence, worst_pairs
from rote.report.words import format_points
from rote.results.audit import AuditFile
from rote.results.schema import read_result
from rote.stats.rates import in_percent, newcombe, wilson


def spaced(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full_audit_run(tmp_path_factory.mktemp("full"))


@pytest.mark.parametrize(
    ("gate", "word", "why"),
    [
        (None, None, None),
        (
            {"decision": "above"},
            "fail",
            "{share} are copies, the limit is 5 %. Allowing for chance, the share is at least {low}",
        ),
        (
            {"decision": "below"},
            "pass",
            "{share} are copies, the limit is 5 %. Allowing for chance, the share is at most {high}",
        ),
        (
            {"more_images": 12},
            "undecided",
            "{share} are copies, the limit is 5 %. These images are too few to decide",
        ),
        (
            {"doubt": "odd"},
            "undecided",
            "{share} are copies, the limit is 5 %. The share is doubtful: odd",
        ),
    ],
)
def test_a_gate_is_passed_failed_or_undecided(
    full: Path, gate: dict[str, Any] | None, word: str | None, why: str | None
) -> None:
    file = read_result(full / "audit.json", AuditFile)
    assert file.gate is not None
    given = gate and file.gate.model_copy(update={"limit": 0.05, "more_images": None, **gate})
    found = decision_of(file.model_copy(update={"gate": given}), file.criteria, unit="images")
    if gate is None:
        assert found is None
        return
    assert found is not None and why is not None
    rate = file.rate
    ends = {
        n: in_percent(v) for n, v in (("share", rate.value), ("low", rate.low), ("high", rate.high))
    }
    assert (found.word, spaced(found.why).startswith(why.format(**ends))) == (word, True)


def test_intervals_and_differences_in_words() -> None:
    assert spaced(interval_sentence(wilson(0, 1000))).startswith(
        "Of many more made the same way, up to 0.38 %"
    )
    assert "14 % to 20 % would be (95 % sure)" in spaced(interval_sentence(wilson(100, 600)))
    assert format_points(newcombe(wilson(100, 600), wilson(0, 400))) == "+17 points (14 to 20)"


def test_the_worst_pairs_are_those_of_the_lowest_ratios(full: Path) -> None:
    audit = read_audit(full)
    found = worst_pairs(audit)
    assert [pair.ratio for pair in found] == sorted(audit.neighbors.ratios)[:6]
    with np.load(full / "gallery.npz") as arrays:
        for pair in found:
            row = arrays["generated_index"].tolist().index(pair.index)
            for url, name in ((pair.own, "generated"), (pair.near, "nn1")):
                content = base64.b64decode(url.removeprefix("data:image/png;base64,"))
                with Image.open(io.BytesIO(content)) as picture:
                    assert np.array_equal(np.asarray(picture), arrays[name][row, :, :, 0])
    assert found[0].own_name == f"made/{found[0].index}.png"


def test_the_option_that_sees_what_is_missed_stands_beside_it(tmp_path: Path) -> None:
    run_dir = full_audit_run(tmp_path)
    strong = "noisy (from 32 levels) and recompressed (from quality 30)"
    told = f"Copies it would mostly miss: mirrored ones, and strongly changed ones: {strong}."
    both = (
        "The calibrated ratio sees most of the noisy and recompressed ones, and flags 200 of 600."
    )
    # With flip, and missed yet: no option is left for mirrored ones.
    assert f"{told} {both} What it sees" in report(run_dir).text

    def miss(audit: dict[str, Any]) -> None:
        for cell in audit["positive_control"]["cells"]:
            if cell["corruption"] == "jpeg":
                cell["recall"]["calibrated"] = cell["recall"]["ratio"]

    edit(run_dir / "audit.json", miss)
    here = "The calibrated ratio sees most of the noisy ones, and flags 200 of 600."
    space = "--space pixel --space lowres sees more of the recompressed ones."
    assert f"{told} {here} {space} What it sees" in report(run_dir).text
    edit(run_dir / "audit.json", lambda a: a["invariances"].update(names=["shift"]))
    flip = "--invariances shift,flip sees more of the mirrored ones."
    assert f"{told} {here} {space} {flip} What it sees" in report(run_dir).text


def test_a_failed_gate_says_what_to_do_next(full: Path, tmp_path: Path) -> None:
    assert "Next:" not in report(full).text  # not decided
    run_dir = full_audit_run(tmp_path)
    edit(run_dir / "audit.json", lambda a: a["gate"].update(decision="above"))
    text = report(run_dir).text
    copies = read_result(run_dir / "audit.json", AuditFile).rate.count
    assert (
        f"Next: look at all {copies} copies; check that "
        "these 400 are all the training images." in text
    )
    assert "below 0.333 counts as a copy, 0 is exact" in text


def test_without_a_positive_control_nothing_is_claimed(tmp_path: Path) -> None:
    text = report(audit_run(tmp_path, control=False)).text
    assert "What this ruler misses is not known" in text and "No control: nobody knows" in text


def test_other_items_are_told_by_their_names(tmp_path: Path) -> None:
    from report_runs import write_audit

    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 5)).astype(np.float32)
    write_audit(tmp_path, vectors[:10] + np.float32(0.001), vectors[5:])
    page = report(tmp_path)
    links = [a["href"] for tag, a in page.tags if tag == "a" and "pair=" in (a.get("href") or "")]
    assert len(links) == 6
    assert not [tag for tag, _ in page.tags if tag == "img"]
