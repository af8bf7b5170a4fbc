"""One captioned set, in every form that it comes in, gives one answer; and its page tells it."""

import csv
import json

import numpy as np
import pytest
from captioned_sets import FORMS, named

import rote
from rote.report.audit.page import audit_context

COPIES = 12


@pytest.fixture(scope="module")
def sides():
    digits = rote.load_images("digits").items
    training = np.repeat(np.repeat(digits[:60], 2, axis=1), 2, axis=2)
    generated = np.repeat(np.repeat(digits[900:940], 2, axis=1), 2, axis=2)
    generated[::3][:COPIES] = training[:COPIES]
    trained = [f"digit {n}" for n in range(60)]
    prompts = [f"prompt {n % 5}" for n in range(40)]
    for copy in range(COPIES):
        prompts[3 * copy] = trained[copy] if copy < 10 else trained[20 + copy]
    training, generated = (np.repeat(one, 3, axis=3) for one in (training, generated))
    return training, trained, generated, prompts


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_twelve_copies(tmp_path, form, sides):
    training, trained, generated, prompts = sides
    made, seen = tmp_path / "made", tmp_path / "seen"
    made.mkdir()
    seen.mkdir()
    found = rote.audit(
        FORMS[form](made, named(generated), prompts),
        FORMS[form](seen, named(training), trained),
        positive_control=0,
        training_sample=0,
        device="cpu",
    )
    assert np.flatnonzero(found.memorized).tolist() == list(range(0, 3 * COPIES, 3))
    assert found.generated.captions == tuple(prompts)
    rates = found.captions
    assert {kind: (part.rate.count, part.own) for kind, part in rates.sets.items()} == {
        "trained": (COPIES, 10),
        "control": (0, 0),
    }
    assert {one.times for one in rates.captions} == {0, 10 if form == "kohya" else 1}


def test_the_files_and_the_page_say_whose_caption_was_copied(tmp_path, sides):
    training, trained, generated, prompts = sides
    made, seen = tmp_path / "made", tmp_path / "seen"
    made.mkdir()
    seen.mkdir()
    found = rote.audit(
        FORMS["folder"](made, named(generated), prompts),
        FORMS["zip"](seen, named(training), trained),
        positive_control=0,
        training_sample=0,
        out=tmp_path / "out",
        device="cpu",
    )
    row = found.to_pandas().iloc[33]
    assert (row["caption"], row["training_caption"]) == ("digit 31", "digit 11")
    assert "by caption: in training 100 %" in found.summary()
    assert "(10 of 12 copies of their own), not in training 0 %" in found.summary()
    with (tmp_path / "out" / "pairs.csv").open() as handle:
        rows = {int(row["generated"]): row for row in csv.DictReader(handle)}
    assert (rows[33]["caption"], rows[33]["nn1_caption"]) == ("digit 31", "digit 11")
    with (tmp_path / "out" / "captions.csv").open() as handle:
        each = {row["caption"]: row for row in csv.DictReader(handle)}
    assert (each["digit 31"]["copies"], each["digit 31"]["own_copies"]) == ("1", "0")
    assert len(each) == COPIES + 5
    told = json.loads((tmp_path / "out" / "audit.json").read_text())["captions"]
    assert (told["distinct"], told["training_captions"]) == (COPIES + 5, 60)
    context = audit_context(tmp_path / "out")
    page = context["captions"]
    assert [(line.name, line.rate.count) for line in page.sets] == [
        ("In training", COPIES),
        ("Not in training", 0),
    ]
    other = next(one for one in page.captions if one.text == "digit 31")
    assert (other.nearest, other.nearest_text, other.own_index) == (11, "digit 11", 31)
    for key in ("generated 33", "training 11", "training 31"):
        assert key in context["pictured"]
    assert ["digit 31", "digit 11"] in context["gallery"]["sets"][0]["captions"]
    assert [notice.topic for notice in context["audit"].notices] == ["captions"]
    page = rote.write_report(tmp_path / "out").read_text()
    assert 'id="captions"' in page and "the nearest was trained with" in page
