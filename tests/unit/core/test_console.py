"""People read stderr, programs read stdout, and nobody's text is taken as markup."""

import json

from rote.core import console


def test_json_goes_to_stdout_alone(capsys):
    console.print_result({"rate": 0.5, "name": "größe"})
    out, err = capsys.readouterr()
    assert json.loads(out) == {"rate": 0.5, "name": "größe"}
    assert err == ""


def test_text_goes_to_stdout(capsys):
    console.print_text("0.5")
    assert capsys.readouterr() == ("0.5\n", "")


def test_a_table_shows_hostile_cells_as_they_are(capsys):
    built = console.table("sizes", ["name", "rate"], [["[bold]x[/]", "1"]])
    with console.console.capture() as captured:
        console.console.print(built)
    assert "[bold]x[/]" in captured.get()
    assert capsys.readouterr() == ("", "")


def test_lines_for_people_keep_brackets_and_stay_one_line():
    long = "[red]name[/red] " + "x" * 300
    with console.console.capture() as captured:
        console.say(long)
        console.say_error(long)
    assert captured.get() == f"{long}\nerror: {long}\n"
