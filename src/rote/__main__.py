"""`python -m rote`."""

import sys
from importlib.util import find_spec
from pathlib import Path

# `python -m` puts the current folder first, whose files would stand in for anything imported from here
# on, also in child processes; it stays where rote itself lies in it.
_found = find_spec("rote")
try:
    _here = str(Path.cwd())
except FileNotFoundError:  # removed meanwhile; nothing can be imported from there
    _here = ""
_at_home = _found and _found.origin and str(Path(_found.origin).parent.parent) == _here
if sys.path[0] in ("", _here) and not _at_home:
    del sys.path[0]

from rote.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
