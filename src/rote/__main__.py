"""`python -m rote`."""

import sys
from importlib.util import find_spec
from pathlib import Path

# `python -m` puts the current folder first, whose files would stand in for anything imported from here
# on, also in child processes; it stays where rote itself lies in it.
_found = find_spec("rote")
_at_home = _found and _found.origin and Path(_found.origin).parent.parent == Path.cwd()
if sys.path[0] in ("", str(Path.cwd())) and not _at_home:
    del sys.path[0]

from rote.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
