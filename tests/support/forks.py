"""A process that has imported what commands import, and forks for each: a start costs seconds otherwise.

What runs in a fork is a process of its own, with its own folder, environment, signals and exit code; only
the imports are shared. Run as a script this file is that process: it reads one JSON object a line and
answers with the exit code. Nothing of an optional package is imported before the fork, so that a command
can run without it.
"""

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

_process: list[subprocess.Popen[str]] = []


def run_forked(
    arguments: list[str],
    *,
    cwd: Path,
    environment: dict[str, str],
    timeout: float,
    hidden: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `rote` with these arguments in a fork; a module that is ``hidden`` cannot be imported."""
    if not _process or _process[-1].poll() is not None:
        _process.append(_start(environment))
    server = _process[-1]
    assert server.stdin
    assert server.stdout
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        asked = {"arguments": arguments, "cwd": str(cwd), "environment": environment}
        asked |= {"out": str(out), "err": str(err), "timeout": timeout, "hidden": hidden}
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        answer = server.stdout.readline()
        assert answer, f"the process that forks ended itself ({server.wait()})"
        code = int(answer)
        said = [path.read_text(encoding="utf-8") for path in (out, err)]
    if code == -signal.SIGALRM:
        raise subprocess.TimeoutExpired(arguments, timeout, *said)
    return subprocess.CompletedProcess(arguments, code, *said)


def _start(environment: dict[str, str]) -> subprocess.Popen[str]:
    server = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    atexit.register(lambda: (server.kill(), server.wait()))
    return server


def _become(asked: dict[str, Any]) -> None:
    """Turn this fork into the process that was asked for."""
    signal.alarm(int(asked["timeout"]))
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, source in ((0, nothing), (1, None), (2, None)):
        path = asked["out"] if number == 1 else asked["err"]
        opened = source if source is not None else os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, number)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["cwd"])
    sys.path[0] = asked["cwd"]
    sys.argv = ["rote", *asked["arguments"]]
    if asked["hidden"]:
        sys.modules[asked["hidden"]] = None  # type: ignore[assignment]


def _finish(main: Callable[[], None]) -> NoReturn:
    """Run a command and end this fork as Python ends, but for taking apart what it has imported."""
    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - whatever it is, it is told and this process ends here
        traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError):  # the command may have closed it
            stream.flush()
    os._exit(code)


def _serve() -> None:
    import numba  # noqa: F401
    import scipy.stats  # noqa: F401
    import torch  # noqa: F401

    import rote.emm.run
    import rote.memorization.audit.audit
    import rote.report  # noqa: F401
    from rote.cli import main

    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _become(json.loads(line))
            _finish(main)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    _serve()
