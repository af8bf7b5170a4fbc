"""Loads every case of a manifest, in one process with limits, and writes what came of each.

A crash, an endless loop or an unbounded allocation of one case ends the process or shows in its row.
"""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from rote.core.errors import DataError
from rote.data.load import load_images

SECONDS = 10
MEMORY = 3 * 2**30
FILE_BYTES = 2**20  # nothing but the answer is written


class TooSlow(BaseException):
    """No handler for errors may swallow it."""


def _late(number: int, frame: FrameType | None) -> None:
    raise TooSlow


def outcome(path: str, *, skip: bool) -> dict[str, object]:
    start = time.perf_counter()
    signal.alarm(SECONDS)
    try:
        found = load_images(path, skip_unreadable=skip)
        row: dict[str, object] = {
            "loaded": len(found),
            "unreadable": len(found.unreadable),
            "clean": [found.items.dtype.name in ("uint8", "float32"), len(found.names)],
        }
    except DataError as error:
        row = {"refused": str(error)}
    except TooSlow:
        row = {"failed": f"more than {SECONDS} s"}
    except BaseException as error:  # noqa: BLE001 - all else is what this looks for
        row = {"failed": f"{type(error).__name__}: {error}"}
    finally:
        signal.alarm(0)
    return {**row, "seconds": time.perf_counter() - start}


def main() -> None:
    signal.signal(signal.SIGALRM, _late)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    paths = json.loads(Path(sys.argv[1]).read_text())
    for path in paths:
        for skip in (False, True):
            row = outcome(os.fsdecode(bytes.fromhex(path)), skip=skip)
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
