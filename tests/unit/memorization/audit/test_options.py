"""The options of an audit have one default each: in the class, in Python, in the command, on the page."""

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest
import typer

import rote
from rote.cli.app import app
from rote.cli.audit.audit_options import AuditFlags
from rote.core.errors import ConfigError
from rote.memorization.audit.checks import check_options
from rote.memorization.audit.options import AuditOptions

PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "audit.md"
DEFAULTS = {field.name: field.default for field in fields(AuditOptions)}
PYTHON_ALONE = {"training_sample", "confidence"}


def test_the_function_has_them():
    told = inspect.signature(rote.audit).parameters
    assert {name: told[name].default for name in DEFAULTS} == DEFAULTS


def test_the_command_has_them_under_the_same_names():
    command = typer.main.get_command(app).commands["audit"]
    told = {option.name: option for option in command.params}
    for name in DEFAULTS.keys() - PYTHON_ALONE:
        assert told[name].opts == [f"--{name.replace('_', '-')}"]
    assert AuditFlags().asked() == AuditOptions()
    given = {name: told[name].default for name in DEFAULTS.keys() - PYTHON_ALONE}
    assert AuditFlags(**given).asked() == AuditOptions()


def test_the_page_has_them():
    table = PAGE.read_text().partition("## All options and their defaults")[2]
    rows = re.findall(r"^\| `([^`]+)`.* \| `([^`]+)` \|", table, re.MULTILINE)
    told = {flag.removeprefix("--").replace("-", "_"): eval(value) for flag, value in rows}
    assert told == DEFAULTS


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"ratio_threshold": 0.0}, "`ratio_threshold` is 0"),
        ({"false_positive_rate": 2.0}, "`false_positive_rate`"),
        ({"duplicate_rms": 300.0}, "`duplicate_rms` is 300"),
        ({"invariances": "flop"}, "`invariances` 'flop' is unknown"),
        ({"set_aside": -1}, "`set_aside` is -1"),
        ({"positive_control": -1}, "`positive_control` is -1"),
        ({"fail_above": 1.0}, "`fail_above` is 1"),
        ({"fail_above_groups": 0.0}, "`fail_above_groups` is 0"),
        ({"criterion": ("ration",)}, "'ration' is unknown"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_no_data_would_make_right_is_refused(options, says):
    with pytest.raises(ConfigError, match=says):
        check_options(AuditOptions(**options))
