"""TorchScript files, taken as data: what would run is looked at before anything of it does.

Such a file is a zip of source code (`code/`), two pickles and the numbers of the weights. torch runs
parts of it as it loads, reads past the end of a record that is shorter than its header says, and lets a
network open files. So rote reads the archive itself, checks it, and gives torch a new archive of what it
has checked:

- sizes: the members together, every record of weights against the pickle that describes it;
- pickles name types and tensors, and no class of C++;
- code is readable, and has no method that runs on loading;
- every operation of every function is one of networks (`rote.spaces.files.operations`); loops have
  a number of turns, and functions that call each other do not unfold without end.

What is left, a network that asks for too much memory or time, is bounded where it runs
(`rote.spaces.guard`).
"""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Iterator
from typing import Any

import torch

from rote.spaces.files.described import check_pickle
from rote.spaces.files.operations import is_allowed
from rote.spaces.guard import RefusedError

MOST_TURNS = 1_000_000
"""Of a loop whose number of turns stands in the file."""
MOST_OPERATIONS = 100_000
"""Of a network once all functions are put in place of their calls, as torch does."""
MOST_CODE = 1 << 24
SLACK = 1 << 24
FOR_EVER = (1 << 63) - 1
"""The number of turns that torch writes for a loop that only its condition ends."""


def load_torchscript(content: bytes, *, device: str) -> torch.jit.ScriptModule:
    """Return the network of a TorchScript file, in evaluation mode.

    Parameters
    ----------
    content
        The file.
    device
        Where its weights go.

    Raises
    ------
    RefusedError
        If it is no such file, or does what a network need not do.
    """
    archive = _checked_archive(content)
    unit: Any = torch._C.CompilationUnit()
    load: Any = torch._C.import_ir_module_from_buffer
    try:
        # What torch.jit.load does, but with the functions at hand.
        loaded = load(unit, archive, torch.device(device), {}, False)  # noqa: FBT003
    except (RuntimeError, ValueError, MemoryError) as error:
        raise RefusedError((str(error).strip().splitlines() or ["unreadable"])[0]) from error
    functions = {one.qualified_name: one.graph for one in unit.get_functions()}
    _check_graphs(functions)
    wrap: Any = torch.jit._recursive.wrap_cpp_module
    network: torch.jit.ScriptModule = wrap(loaded)
    if not hasattr(network, "forward"):
        raise RefusedError("it has no method forward")
    return network.eval()


def _checked_archive(content: bytes) -> bytes:
    """Return a new archive of the members that torch needs, none of which lies."""
    members = _members(content)
    written = io.BytesIO()
    for name in members:
        if name.startswith("code/") and name.endswith(".py"):
            _check_code(name, members[name])
    for pickled in ("constants", "data"):
        if f"{pickled}.pkl" not in members:
            raise RefusedError(f"it has no {pickled}.pkl")
        check_pickle(pickled, members)
    with zipfile.ZipFile(written, "w") as archive:
        for name, held in members.items():
            # Of each source file torch can also read where its lines came from: nothing that we need.
            if not name.endswith(".debug_pkl"):
                archive.writestr(f"network/{name}", held)
    return written.getvalue()


def _members(content: bytes) -> dict[str, bytes]:
    """Return the members of the archive below its one folder, but for what is only carried along."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            total = sum(info.file_size for info in infos)
            if total > len(content) + SLACK:
                raise RefusedError(
                    f"its members claim {total:,} bytes, and the file has {len(content):,}"
                )
            names = [info.filename.partition("/")[2] for info in infos]
            if len(set(names)) < len(names):
                raise RefusedError("two of its members have one name")
            kept = {
                name: info
                for name, info in zip(names, infos, strict=True)
                if name and not name.startswith("extra/")
            }
            return {name: archive.read(info) for name, info in kept.items()}
    except RefusedError:
        raise
    except Exception as error:  # zipfile and zlib raise a dozen kinds
        raise RefusedError(f"no readable zip: {error}") from error


def _check_code(name: str, held: bytes) -> None:
    """Refuse code that torch's own parser would fall over, or that it would run on loading."""
    if len(held) > MOST_CODE:
        raise RefusedError(f"{name} has {len(held):,} bytes of code")
    for word in (b"__setstate__", b"torch.classes"):
        if word in held:
            raise RefusedError(f"{name} has {word.decode()}, which runs when it is loaded")
    try:
        ast.parse(held.decode())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise RefusedError(f"{name} is no code of TorchScript: {error}") from error


def _check_graphs(functions: dict[str, Any]) -> None:
    """Check every operation of every function, and how far their calls unfold."""
    calls: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for name, graph in functions.items():
        nodes = list(_nodes(graph))
        for node in nodes:
            _check_node(node)
        calls[name] = [_called(node) for node in nodes if node.kind().startswith("prim::Call")]
        counts[name] = len(nodes)
        for called in calls[name]:
            if called not in functions:
                raise RefusedError(f"it calls {called}, which is no function of its own")
    unfolded: dict[str, int] = {}
    for name in functions:
        if _unfolded(name, calls, counts, unfolded) > MOST_OPERATIONS:
            raise RefusedError(f"it unfolds to more than {MOST_OPERATIONS:,} operations")


def _unfolded(
    name: str, calls: dict[str, list[str]], counts: dict[str, int], known: dict[str, int]
) -> int:
    """Return the operations of a function with those of all that it calls."""
    if name not in known:
        known[name] = MOST_OPERATIONS + 1  # what calls itself never ends
        known[name] = counts[name] + sum(_unfolded(c, calls, counts, known) for c in calls[name])
    return known[name]


def _nodes(graph: Any) -> Iterator[Any]:
    """Yield the nodes of a graph and of all blocks inside it."""
    waiting = list(graph.nodes())
    while waiting:
        node = waiting.pop()
        yield node
        for block in node.blocks():
            waiting += block.nodes()


def _check_node(node: Any) -> None:
    kind = node.kind()
    if not is_allowed(kind):
        raise RefusedError(f"it uses {kind}, which is no operation of networks")
    if kind == "prim::Loop":
        turns = next(iter(node.inputs())).node()
        if turns.kind() == "prim::Constant" and turns.i("value") > MOST_TURNS:
            many = "no end" if turns.i("value") == FOR_EVER else f"{turns.i('value'):,} turns"
            raise RefusedError(f"it has a loop of {many}")


def _called(node: Any) -> str:
    """Return the full name of the function that a node calls."""
    first = next(iter(node.inputs()))
    if node.kind() == "prim::CallFunction":
        return str(first.type())
    kind = first.type()
    owner = kind.qualified_name() if hasattr(kind, "qualified_name") else str(kind)
    return f"{owner}.{node.s('name')}"
