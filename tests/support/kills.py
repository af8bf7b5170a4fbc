"""Commands that are killed: how they are started, what is left of them, what they have written."""

import contextlib
import json
import subprocess
import time
from pathlib import Path
from typing import Any

from command import ENVIRONMENT, command

SETTLE_SECONDS = 60.0


def bare(value: Any) -> Any:
    """Return a result without what the time of day and the number of calls decide."""
    if isinstance(value, dict):
        return {
            k: bare(v) for k, v in value.items() if not k.endswith(("seconds", "created", "commit"))
        }
    return [bare(entry) for entry in value] if isinstance(value, list) else value


def contents(folder: Path) -> dict[str, Any]:
    """Return what every file of a result says, but for times, locks and pages with times in them."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or path.name == ".lock" or path.suffix == ".html":
            continue
        if path.name == "manifest.json":
            found[name] = None
        elif path.suffix == ".json":
            found[name] = bare(json.loads(path.read_text()))
        else:
            found[name] = path.read_bytes()
    return found


def start(arguments: tuple[str, ...], cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*arguments),
        cwd=cwd,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def in_session(leader: int) -> list[int]:
    """Return the processes of a session, whoever their parent is by now."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, _, session, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(session) == leader and state != "Z":
                found.append(int(folder.name))
    return found


def settle(process: subprocess.Popen[str]) -> None:
    """Wait until nothing of the session is left."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while left := in_session(process.pid):
        assert time.monotonic() < deadline, (
            f"orphans: {[Path(f'/proc/{p}/cmdline').read_bytes() for p in left]}"
        )
        time.sleep(0.1)
