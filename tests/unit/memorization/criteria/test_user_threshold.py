"""Absolute thresholds of one's own: by hand in every unit, told as theirs, and refused in one line."""

import json

import numpy as np
import pytest
from audits import ratio_audit as audit
from scipy.spatial.distance import cdist

from rote.core.errors import ConfigError
from rote.data.load import load_images
from rote.memorization.criteria.user_threshold import read_criteria
from rote.memorization.duplicate_radius import duplicate_radius
from rote.spaces import Space, open_space


@pytest.fixture(scope="module")
def sides():
    digits = load_images("digits")
    return digits.take(range(50)), digits.take(range(300, 500))


def absolute(found, place=0):
    return next(c for c in found.spaces[place].criteria if c.name == "absolute")


def test_pixels_by_hand(sides):
    made, training = sides
    found = audit(made, training, criterion=["absolute=35.5"])
    flat = [side.items.reshape(len(side), -1).astype(float) for side in sides]
    rms = cdist(*flat).min(axis=1) / 8
    assert 0 < (rms < 35.5).sum() < 50
    assert absolute(found).memorized.tolist() == (rms < 35.5).tolist()
    told = absolute(found).description
    assert (told["threshold"], told["source"]) == (35.5, "given by the user")
    assert told["preprocessing"] == "8-bit values as they are"


def test_each_space_has_its_own_unit(sides):
    """Cosine: 1 - cos; a grid of means: L2 between grids; tiles: the largest RMS of a tile."""
    made, training = sides
    plain = open_space("lowres:4")
    cosine = Space(
        "cosine-of-means", "means", metric="cosine", prepare=plain.prepare, network=plain.network
    )
    names = ["absolute:cosine-of-means=0.02", "absolute:lowres:4=60", "absolute:patch=70.0"]
    found = audit(made, training, space=[cosine, "lowres:4", "patch"], criterion=names)
    grids = [plain.features(side.items).astype(float) for side in sides]
    expected = [
        cdist(*grids, metric="cosine").min(axis=1) < 0.02,
        cdist(*grids).min(axis=1) < 60,
        np.sqrt(found.spaces[2].measured.matches.nn1_sq) < 70.0,
    ]
    formulas = []
    for place, mask in enumerate(expected):
        assert 0 < mask.sum() < 50
        assert absolute(found, place).memorized.tolist() == mask.tolist()
        formulas.append(absolute(found, place).description["formula"].split(" <")[0])
    assert formulas == ["1 - cos(x, NN1)", "|x - NN1|", "|x - NN1|"]


def test_other_spaces_keep_the_known_threshold_or_have_none(sides):
    found = audit(*sides, space=["pixel", "lowres:4"], criterion=["absolute:lowres:4=60"])
    assert absolute(found, 0).description["threshold"] == duplicate_radius(found.settings.spacing)
    assert absolute(found, 0).description["source"].startswith("rote's")
    found = audit(*sides, space=["pixel", "lowres:4"], criterion=["absolute:pixel=12"])
    assert absolute(found, 1).rate is None


def test_it_is_in_the_file_and_under_the_gate(sides, tmp_path):
    found = audit(*sides, criterion=["absolute=250", "carlini"], fail_above=0.5)
    assert found.gate is not None and found.gate.exit_code == 3  # all lie within 250 levels
    found.save(tmp_path)
    told = json.loads((tmp_path / "audit.json").read_text())["criteria"]
    entry = next(c for c in told if c["name"] == "absolute")
    assert entry["source"] == "given by the user" and entry["rate"]["count"] == 50


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["absolute=near"], "'near' is no number above 0"),
        (["absolute="], "'' is no number above 0"),
        (["absolute=-1"], "'-1' is no number above 0"),
        (["absolute=0"], "'0' is no number above 0"),
        (["absolute=nan"], "'nan' is no number above 0"),
        (["absolute=inf"], "'inf' is no number above 0"),
        (["absolute:pixel"], "a threshold is given as absolute=NUMBER, or as absolute:SPACE"),
        (["absolute:=3"], "a threshold is given as absolute=NUMBER"),
        (["absolute=3", "absolute=4"], "there are two thresholds for one space"),
        (["ratio=0.2"], "absolute alone takes a threshold; give `ratio_threshold`"),
        (["carlini=0.2"], "absolute alone takes a threshold$"),
        (["absolut=3"], "absolute alone takes a threshold$"),
    ],
)
def test_wrong_texts_are_one_line(texts, message):
    with pytest.raises(ConfigError, match=f"^`criterion` {texts[0]}: .*{message}"):
        read_criteria(texts)


@pytest.mark.parametrize(
    ("spaces", "texts", "message"),
    [
        (["pixel", "patch"], ["absolute=3"], "say which, such as absolute:pixel=3"),
        (["pixel"], ["absolute:sscd=0.3"], "there is no `space` sscd here, only pixel"),
        (["pixel"], ["absolute=300"], "in `space` pixel is an RMS difference in 8-bit levels"),
        (["pixel"], ["absolute=3", "absolute:pixel=4"], "two thresholds for `space` pixel"),
        (["pixel"], ["absolute:pixel"], "a threshold is given as"),
    ],
)
def test_thresholds_that_do_not_fit_are_one_line(sides, spaces, texts, message):
    with pytest.raises(ConfigError, match=message) as caught:
        audit(*sides, space=spaces, criterion=texts)
    assert "\n" not in str(caught.value)


def test_a_cosine_ends_at_two(sides):
    plain = open_space("lowres:4")
    cosine = Space("c", "means", metric="cosine", prepare=plain.prepare, network=plain.network)
    with pytest.raises(ConfigError, match="in `space` c is a cosine distance, 1 - cos, up to 2"):
        audit(*sides, space=[cosine], criterion=["absolute=2.5"])
