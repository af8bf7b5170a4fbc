"""Arguments of functions under the names that the command line gives them."""

import pytest

from rote.cli.flags import OTHER_NAMES, as_flags, flags


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("`criterion` 'x' is unknown", "--criterion 'x' is unknown"),
        ("give `source` a folder", "give --data a folder"),
        ("`dataset` is empty", "--data is empty"),
        ("`duplicate_rms` is 300", "--duplicate-rms is 300"),
        (
            "see `rote data list` and `nothing_of_ours`",
            "see `rote data list` and `nothing_of_ours`",
        ),
    ],
)
def test_an_argument_is_told_as_its_flag(said, told):
    assert as_flags(said) == told


def test_other_names_are_flags_that_exist():
    assert set(OTHER_NAMES.values()) <= set(flags().values())


def test_a_command_may_take_an_argument_under_another_flag_or_without_one():
    assert as_flags("`source` x; `criterion` y", {"source": "--training"}) == (
        "--training x; --criterion y"
    )
    assert as_flags("`source` x", {"source": ""}) == "x"
