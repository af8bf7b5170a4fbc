"""The section on spaces, from a real audit in three of them."""

import json

import numpy as np
import pytest
from audits import ratio_audit as audit

from rote.core.errors import RunError
from rote.data.load import load_images
from rote.report import write_report
from rote.report.audit.spaces import spaces_of
from rote.results.audit import AuditFile
from rote.results.schema import read_result

SPACES = ("pixel", "lowres:2", "patch")


@pytest.fixture(scope="module")
def folder(noisy_copies, tmp_path_factory):
    generated, training, holdout = noisy_copies
    found = audit(
        generated,
        training,
        holdout=holdout,
        space=SPACES,
        positive_control=20,
    )
    out = tmp_path_factory.mktemp("spaces")
    found.save(out)
    return out


def read(folder):
    return spaces_of(folder, read_result(folder / "audit.json", AuditFile))


def test_the_page_tells_of_every_space_and_ruler(folder):
    page = write_report(folder).read_text()
    for words in (
        "The same images in 3 spaces",
        "Which ruler sees what",
        "means over a grid of 2x2 areas",
        "lowres:2 · calibrated ratio",
        "looks among",
        "Where they differ",
    ):
        assert words in page
    shown = read(folder)
    assert shown is not None
    assert [row.name for row in shown.rows] == list(SPACES)
    value = json.loads((folder / "audit.json").read_text())
    assert shown.disputed == value["agreement"]["disputed"]
    assert shown.rows[1].rates[0][0].count == value["spaces"][1]["criteria"][0]["rate"]["count"]
    assert sum(count for _, count in shown.groups) == len(shown.scores) == 6


def test_agreement_stands_with_its_interval(folder, tmp_path):
    shown, value = read(folder), json.loads((folder / "audit.json").read_text())["agreement"]
    low, high = value["kappa_interval"][0][1]
    assert shown.kappa[0][1].interval == (low, high) and shown.confidence == "95 %"
    assert shown.kappa[0][0].interval is None  # with itself
    text = f"{low:.2f} to {high:.2f}"
    page = write_report(folder).read_text()
    assert f"interval {text}" in page and f"<small>{text}</small>" in page
    # Audits from before there were intervals are still read.
    for name in ("audit.json", "disputes.npz"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    old = json.loads((tmp_path / "audit.json").read_text())
    for key in ("kappa_interval", "spearman_interval", "confidence"):
        del old["agreement"][key]
    (tmp_path / "audit.json").write_text(json.dumps(old))
    assert read(tmp_path).kappa[0][1].interval is None


def test_advice_counts_what_the_table_shows(folder):
    shown = read(folder)
    noise = next(sight for sight in shown.sightings if sight.title == "Noise")
    hits = [sum(rates[n].count for _, rates in noise.cells) for n in range(6)]
    assert f" {max(hits)}" in noise.advice and "of 80" in noise.advice
    mirror = next(sight for sight in shown.sightings if sight.title == "Mirror")
    assert mirror.advice.startswith(("No ruler here finds even half", "For mirrored"))


def test_disputed_images_show_both_sides(folder):
    shown = read(folder)
    assert 0 < len(shown.disputes) <= 16
    for dispute in shown.disputes:
        assert dispute.yes != "" and dispute.no != "" and len(dispute.tiles) == 16
    with np.load(folder / "disputes.npz") as arrays:
        assert [d.index for d in shown.disputes] == arrays["generated_index"][:16].tolist()


def test_one_space_has_no_section(tmp_path):
    digits = load_images("digits")
    audit(digits.take(range(20)), digits.take(range(10, 60))).save(tmp_path)
    assert read(tmp_path) is None
    assert "spaces-h" not in write_report(tmp_path).read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["agreement"]["kappa"].pop(), "kappa is not a square of one row per ruler"),
        (lambda v: v["agreement"]["spearman"][0].__setitem__(1, 7), r"spearman\[0\]\[1\] is not"),
        (lambda v: v["agreement"]["kappa_interval"].pop(), "kappa_interval is not a square"),
        (
            lambda v: v["agreement"]["kappa_interval"][0].__setitem__(1, [0]),
            r"kappa_interval\[0\]\[1\]",
        ),
        (lambda v: v["recall_at_rate"]["cells"][0]["recall"].pop(), "one rate per ruler"),
    ],
)
def test_damaged_files_are_one_line(folder, tmp_path, change, message):
    for name in ("audit.json", "disputes.npz"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    value = json.loads((tmp_path / "audit.json").read_text())
    change(value)
    (tmp_path / "audit.json").write_text(json.dumps(value))
    with pytest.raises(RunError, match=message):
        read(tmp_path)
