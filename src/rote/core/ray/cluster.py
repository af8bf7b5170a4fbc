"""Ray: connected to, started and stopped, and its errors in one line.

Everything that makes a cluster is Ray's. Ray is imported here only, when it is asked for.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from rote.core.errors import ConfigError, Interrupted, RunError, first_line
from rote.core.installation import extra
from rote.core.ray import keeper
from rote.core.user_module import safe_path

RETRIES = 3
"""How often work is done again whose worker was lost."""
CONNECT_SECONDS = 20.0
OBJECT_STORE = 200_000_000
IN_FLIGHT = 2
"""Tasks submitted for each slot of the cluster: none waits for work, and millions need not queue."""
LOST = ("WorkerCrashedError", "OutOfMemoryError", "NodeDiedError", "ObjectLostError")
"""Ray's errors that say nothing about the work itself: a process, a machine or an object is gone."""


def check_ray() -> None:
    """Refuse a machine without Ray, before a folder is made for what it would find.

    Raises
    ------
    ConfigError
        Naming the package to install.
    """
    if find_spec("ray") is None:
        raise ConfigError(f"`engine` ray needs Ray, which is not installed; {extra('ray')}")


@contextlib.contextmanager
def connected(*, address: str | None, workers: int, object_bytes: int) -> Iterator[Any]:
    """Connect to a Ray cluster, or start a local one and stop it at the end; yields the module `ray`.

    Parameters
    ----------
    address
        Of a running cluster; None starts one here.
    workers
        CPUs of a local cluster.
    object_bytes
        Room in the object store of a local cluster for what is put there.

    Raises
    ------
    ConfigError
        If Ray is not installed, or nothing answers at the address.
    RunError
        If a local Ray cannot be started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # Ray's workers would give way to everything else here, which local workers do not.
    os.environ.setdefault("RAY_worker_niceness", "0")
    check_ray()
    if address is None:
        _keep_to_ourselves()
    ray: Any = importlib.import_module("ray")
    with contextlib.ExitStack() as stack:
        if address is None:
            folder = stack.enter_context(_kept_folder())
            with _own_signals():
                _start(ray, folder, workers, object_bytes)
        else:
            with _own_signals():
                _connect(ray, address)
        stack.callback(ray.shutdown)
        yield ray


def ray_module(name: str = "ray") -> Any:
    """Return the module `ray` or one below it, in a process that has it."""
    return importlib.import_module(name)


def is_lost(error: BaseException) -> bool:
    """Say whether an error of Ray means that a worker, its machine or its result is gone."""
    return any(kind.__name__ in LOST for kind in type(error).__mro__)


@contextlib.contextmanager
def _kept_folder() -> Iterator[str]:
    """Yield a folder for a local Ray that only we can enter; it and all processes go with the command."""
    # A short path: Ray puts sockets there, whose names are limited to 107 bytes.
    folder = tempfile.mkdtemp(prefix="rote-ray-")
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", keeper.__file__, folder],
        stdin=subprocess.PIPE,
        start_new_session=True,  # a signal to the command's group must not reach it
    )
    try:
        yield folder
    finally:
        process.communicate()


def _keep_to_ourselves() -> None:
    """Open a local Ray to nobody else: no port to other machines, a token of its own.

    Ray would keep its token in the home folder, readable by others. For the whole process, as Ray reads
    both when it is imported; so not after that.
    """
    if "ray" in sys.modules:
        return
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # whatever the system is
    if "RAY_AUTH_MODE" not in os.environ:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep our answer to SIGTERM: Ray's own ends the process in its midst, with a trace of C++."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@safe_path()
def _start(ray: Any, folder: str, workers: int, object_bytes: int) -> None:
    try:
        ray.init(
            address="local",
            num_cpus=workers,
            object_store_memory=OBJECT_STORE + 2 * object_bytes,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            # Ray opens its folder to everybody, but nobody else can enter the one around it.
            _temp_dir=os.path.join(folder, "r"),  # noqa: PTH118 - Ray wants a string
        )
    except Exception as error:  # noqa: BLE001 - Ray documents no exceptions of its own here
        _pass_on_interrupt(error)
        raise RunError(
            f"a local Ray could not be started ({first_line(error)}); use `engine` local, or start "
            "Ray yourself and give its `ray_address`"
        ) from None


def _connect(ray: Any, address: str) -> None:
    """Connect, after a look from a process that can be given up: Ray itself waits for minutes."""
    problem = ""
    if address not in ("auto", "local"):
        code = "import ray, sys; ray.init(sys.argv[1], log_to_driver=False, logging_level='ERROR')"
        check = ["-m", "ray.scripts.scripts", "health-check", "--address", address]
        look = ["-c", code, address] if "://" in address else check
        try:
            done = subprocess.run(
                [sys.executable, "-P", *look],
                capture_output=True,
                timeout=CONNECT_SECONDS,
                check=False,
            )
            if done.returncode:
                said = done.stderr.decode(errors="replace").strip().splitlines()
                problem = f"no Ray answers there: {said[-1]}" if said else "no Ray answers there"
        except subprocess.TimeoutExpired:
            problem = f"no answer in {CONNECT_SECONDS:.0f} s"
    if not problem:
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except Exception as error:  # noqa: BLE001 - Ray documents no exceptions of its own here
            _pass_on_interrupt(error)
            problem = first_line(error)
    if problem:
        raise ConfigError(
            f"`ray_address` {address} cannot be reached ({problem}); give the address that `ray start "
            "--head` printed, or leave it out for a local Ray"
        )


def _pass_on_interrupt(error: BaseException | None) -> None:
    """Raise `Interrupted` if that is the cause: Ray's own code turns it into other errors."""
    while error is not None:
        if isinstance(error, Interrupted):
            raise error
        error = error.__cause__ or error.__context__
