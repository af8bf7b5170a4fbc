"""Configuration: unknown keys name the nearest, overrides reach nested keys, types are checked."""

import math

import pytest

from rote.core.config import StrictModel, digest, override, parse_config
from rote.core.errors import ConfigError, did_you_mean
from rote.experiments.config import preset


class Inner(StrictModel):
    width: int = 1
    rate: float = 0.5
    sizes: tuple[int, ...] = (1, 2)


class Outer(StrictModel):
    inner: Inner = Inner()
    name: str = "plain"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"inner": {"widht": 3}}, "file: unknown key 'inner.widht' (did you mean 'width'?)"),
        ({"nam": "x"}, "file: unknown key 'nam' (did you mean 'name'?)"),
        ({"zzz": 1}, "file: unknown key 'zzz' (known: inner, name)"),
        ({"inner": {"width": "wide"}}, "file: inner.width: Input should be a valid integer"),
        ({"inner": {"width": 1.5}}, "file: inner.width: Input should be a valid integer"),
        ({"inner": {"rate": math.inf}}, "file: inner.rate: Input should be a finite number"),
        ({"inner": {"rate": math.nan}}, "file: inner.rate: Input should be a finite number"),
    ],
)
def test_the_first_problem_is_one_line(values, message):
    with pytest.raises(ConfigError) as caught:
        parse_config(Outer, values, where="file")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_nothing_changes_a_configuration():
    config = Outer()
    with pytest.raises(ValueError, match="frozen"):
        config.name = "other"


def test_overrides_are_json_or_text_and_leave_the_rest():
    changed = override(Outer(), ["inner.width=3", "name=fast", "inner.sizes=[4]", "inner.rate=2"])
    assert changed == Outer(inner=Inner(width=3, rate=2.0, sizes=(4,)), name="fast")
    assert override(Outer(), []) == Outer()


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("inner.width", "`set` 'inner.width': expected key=value, such as train.batch=64"),
        ("iner.width=3", "`set` 'iner.width=3': unknown key 'iner' (did you mean 'inner'?)"),
        ("inner.wide=3", "`set`: unknown key 'inner.wide' (did you mean 'width'?)"),
        ("inner.width.x=3", "`set` 'inner.width.x=3': 'width' holds a value, no keys"),
        ("inner=3", "`set`: inner: Input should be a valid dictionary or instance of Inner"),
        ("inner.rate=Infinity", "`set`: inner.rate: Input should be a finite number"),
    ],
)
def test_wrong_overrides_say_what_to_do(assignment, message):
    with pytest.raises(ConfigError) as caught:
        override(Outer(), [assignment])
    assert str(caught.value).startswith(message)


def test_a_word_that_json_knows_stays_a_word_where_one_is_asked_for():
    assert override(preset("tiny"), ["train.labels=true"]).train.labels == "true"
    assert override(preset("tiny"), ["train.compile=true"]).train.compile is True
    assert override(preset("tiny"), ["train.ema_rampup=null"]).train.ema_rampup is None


def test_an_override_of_a_preset_reaches_its_checks():
    with pytest.raises(ConfigError, match="micro_batch 7 must divide batch 64"):
        override(preset("tiny"), ["train.micro_batch=7"])


def test_digest_is_pinned_and_order_free():
    # SHA-256 of the text [{"a":1,"b":[2,null]},"x"].
    expected = "baba85087a97c18ad260c4ec3cf5b9a45d38f9a377ceb2b194b2efc399e0480f"
    assert digest({"b": [2, None], "a": 1}, "x") == expected
    assert digest({"a": 1}) != digest({"a": 2})
    with pytest.raises(ValueError, match="JSON compliant"):
        digest(math.nan)


def test_did_you_mean_lists_all_names_if_none_is_near():
    assert did_you_mean("epocs", ["images", "epochs"]) == " (did you mean 'epochs'?)"
    assert did_you_mean("q", iter(["a", "b"])) == " (known: a, b)"
