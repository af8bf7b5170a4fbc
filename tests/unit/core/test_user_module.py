"""Code that a person brings: which file is meant, and what it may not do by accident."""

import os
import subprocess
import sys

import pytest

from rote.core.user_module import import_user_module, own_code, own_path, safe_path


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_file_of_the_folder_and_those_beside_it_are_imported(here):
    (here / "brought_here.py").write_text("import beside_it\nvalue = beside_it.value\n")
    (here / "beside_it.py").write_text("value = 3\n")
    assert import_user_module("brought_here").value == 3
    assert str(here) not in sys.path


def test_a_file_stands_in_for_no_installed_module(here):
    (here / "brought_here.py").write_text(
        "import this_is_not, colorsys\nvalue = colorsys.ONE_THIRD\n"
    )
    (here / "this_is_not.py").write_text("")
    (here / "colorsys.py").write_text("raise SystemExit('taken for the library')\n")
    assert import_user_module("brought_here").value == pytest.approx(1 / 3)


@pytest.mark.parametrize("name", ["numpy", "json", "colorsys"])
def test_a_name_that_means_two_modules_is_refused(name, here):
    (here / f"{name}.py").write_text("")
    with pytest.raises(ImportError, match=r"has the name of another module .* rename it"):
        import_user_module(name)
    (here / f"{name}.py").unlink()
    (here / name).mkdir()  # a folder alone is no module
    assert import_user_module(name).__file__


def test_its_prints_and_exits_are_no_result(here, capsys):
    (here / "talks.py").write_text("import sys\nprint('words')\nsys.exit(0)\n")
    with pytest.raises(RuntimeError, match=r"it called sys.exit\(0\)"):
        import_user_module("talks")
    assert capsys.readouterr() == ("", "words\n")
    with own_code():
        print("more")
    assert capsys.readouterr() == ("", "more\n")


def test_children_do_not_look_into_the_folder(here):
    (here / "socket.py").write_text("open('ran', 'w')\n")
    command = [sys.executable, "-c", "import socket"]
    with safe_path():
        subprocess.run(command, check=True)
    assert not (here / "ran").exists()
    subprocess.run(command, check=True)
    assert (here / "ran").exists()  # so that the test tests something


def test_what_such_a_child_starts_looks_where_a_person_would(here, monkeypatch):
    with safe_path():
        own_path()  # what a worker does before it runs anybody's code
        assert "PYTHONSAFEPATH" not in os.environ
    monkeypatch.setenv("PYTHONSAFEPATH", "1")  # the person's own wish
    with safe_path():
        own_path()
    assert os.environ["PYTHONSAFEPATH"] == "1"
