"""The map in `docs/architecture.md` and the tree in the README show the tree that is there."""

import re
from pathlib import Path

from measure import SOURCE, python_files

ROOT = Path(__file__).parents[2]
LINE = re.compile(r"^( +)([a-z_]+)/ {2,}\S", re.MULTILINE)


def folders() -> set[str]:
    """Return the folders of the package, as paths below it."""
    found = {path.parent.relative_to(SOURCE).as_posix() for path in python_files(SOURCE)}
    return found - {"."}


def listed(block: str, indent: int) -> set[str]:
    """Return the folders that an indented list names; ``indent`` is that of rooms."""
    found, room = set(), ""
    for spaces, name in LINE.findall(block):
        if len(spaces) == indent:
            room = name
            found.add(name)
        else:
            found.add(f"{room}/{name}")
    return found


def test_the_map_lists_every_folder() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rooms = page[page.index("## Rooms") : page.index("## The way of data through an audit")]
    assert listed(rooms, indent=4) == folders()


def test_every_file_on_the_map_is_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*(?:\.py|/))`", page))
    assert len(named) > 30
    assert {name for name in named if not (SOURCE / name).exists()} == set()


def test_the_readme_lists_the_rooms() -> None:
    page = (ROOT / "README.md").read_text()
    tree = page[page.index("    src/rote/") : page.index("    tests/ ")]
    rooms = {name for name in folders() if "/" not in name}
    assert listed(tree, indent=6) == rooms


def test_every_folder_says_what_is_in_it() -> None:
    for folder in folders():
        first = (SOURCE / folder / "__init__.py").read_text()
        assert first.startswith('"""'), folder
