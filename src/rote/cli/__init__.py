"""The command line.

=====================  ========================================================================
`rote audit`           which generated images are copies, and what share
`rote compare`         the difference of two audits
`rote emm`             the largest training set that a model learns by rote
`rote rescore`         the same search under other definitions of a copy
`rote remedy`          what each remedy does to a model that copies: helps, evades or harms
`rote train`           one model; `rote sample` draws from it, or from a pipeline
`rote optimum`         draw from the theoretical optimum of a training set
`rote gap`             how far a model is from that optimum, without sampling
`rote membership`      whether its loss tells training from held-out images
`rote prompts`         which prompts a text-to-image pipeline knows, without training data
`rote report`          write the report of a run again
`rote data`            list the named sets, show a source, keep or clear decoded images, and
                       write shards (`rote data shard`)
`rote dedup`           a source without its near-duplicates
`rote neighbors`       the exact nearest images in shards, past one memory
=====================  ========================================================================

Results go to stdout, everything for people to stderr. Exit codes: 0 done, 1 an error in one line,
2 usage, 3 the rate lies above `--fail-above`, 4 not decided with this many images, 130 interrupted
after saving. Commands import what they need when they run, so that ``rote --help`` answers at once.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import NoReturn

from rote.cli.app import app
from rote.cli.flags import as_flags
from rote.cli.options import State
from rote.cli.stopping import CODE, say_stopped
from rote.core.console import (
    console,
    forget_stdout,
    prepare_streams,
    reword,
    say_error,
)
from rote.core.errors import Interrupted, RoteError
from rote.core.installation import mixed_files
from rote.core.memory import is_out_of_memory

# Each module adds its commands to the app; the order is that of `rote --help`.
from rote.cli.audit import audit, compare  # noqa: F401  isort: skip
from rote.cli.data import data, dedup  # noqa: F401  isort: skip
from rote.cli.experiments import emm, remedy  # noqa: F401  isort: skip
from rote.cli.model import gap, membership, prompts  # noqa: F401  isort: skip
from rote.cli.audit import neighbors  # noqa: F401  isort: skip
from rote.cli import report  # noqa: F401  isort: skip
from rote.cli.experiments import rescore  # noqa: F401  isort: skip
from rote.cli.data import shard  # noqa: F401  isort: skip
from rote.cli.experiments import study  # noqa: F401  isort: skip
from rote.cli.model import train, sample, optimum  # noqa: F401  isort: skip

__all__ = ["main"]


def _fail(message: str) -> NoReturn:
    if State.debug:
        console.print_exception()
    say_error(message)
    sys.exit(1)


def _check_process() -> None:
    """Refuse a process in which libraries end without a word, or after hours."""
    if sys.flags.optimize > 1:
        _fail("python -OO leaves out docstrings, which libraries need; run rote with -O or without")
    if mixed := mixed_files():
        _fail(mixed)
    try:
        Path.cwd()
    except OSError as error:
        _fail(f"the current folder cannot be used ({error.strerror}); go to one that is there")


def main() -> None:
    """Run the command line and exit."""
    prepare_streams()
    reword(as_flags)
    _check_process()
    # What Pillow has to say about the metadata of a file changes no pixel.
    warnings.filterwarnings("ignore", module="PIL")
    warnings.filterwarnings("ignore", module="pydicom")
    try:
        app(prog_name="rote")
    except RoteError as error:
        _fail(str(error))
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        _fail(
            "out of memory; free some, or ask for less at once: fewer --workers, a smaller model, "
            "train.batch or sample.tile; what was finished is saved"
        )
    except Interrupted:
        say_stopped()
        sys.exit(CODE)
    except OSError as error:
        forget_stdout()  # it may be what cannot be written, as the help is
        _fail(f"the system refuses: {error}; see to that and run the same command again")
