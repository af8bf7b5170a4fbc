"""`rote neighbors`: the exact nearest training images, past one memory and past one machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rote.cli import options
from rote.cli.app import app
from rote.cli.command import takes_options
from rote.cli.data.shard import parse_bytes, show_bytes
from rote.cli.experiments.engines import check_engine
from rote.cli.source import ImageOptions, load
from rote.core.devices import resolve_device
from rote.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy.typing as npt

    from rote.data.shards.read import ShardSet
    from rote.neighbors.out_of_core.engine import ShardEngine

MEMORY = "2GB"


@app.command()
@takes_options
def neighbors(
    *,
    generated: Annotated[
        str, typer.Option("--generated", help="The images a model made: any source, or shards.")
    ],
    training: Annotated[
        str,
        typer.Option(
            "--training",
            help="The training images: any source that fits into memory, or shards of them (`rote data "
            "shard`).",
        ),
    ],
    out: options.Out,
    k: Annotated[int, typer.Option("--k", min=1, help="How many nearest images of each.")] = 2,
    device: Annotated[
        str,
        typer.Option(
            "--device",
            help="cpu, cuda, or auto (cuda where there is one); shards are searched on the CPU.",
        ),
    ] = "auto",
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory", help="Shards: peak memory of each process, such as 2GB. [default: 2GB]"
        ),
    ] = None,
    engine: Annotated[str, typer.Option("--engine", help="Shards: local or ray.")] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(
            "--ray-address",
            help="A Ray cluster (host:port, ray://host:port, auto); else a local one.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Worker processes of a local Ray: all cores."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Shards: check the SHA-256 of each first.")
    ] = False,
    how: ImageOptions,
    json: options.Json = False,
) -> None:
    """Find the exact nearest training images of every image; the same command goes on after a stop."""
    from rote.core.console import print_result, print_text
    from rote.data.shards.read import ShardSet, is_shard_folder

    budget = parse_bytes(memory or MEMORY, flag="--memory")
    check_engine(engine)
    if engine == "local" and (ray_address is not None or workers is not None):
        flag = "--ray-address" if ray_address is not None else "--workers"
        raise ConfigError(f"{flag} is for --engine ray; add that, or leave {flag} out")
    if ray_address is not None and workers is not None:
        raise ConfigError("--workers is for a local Ray; leave it out beside --ray-address")
    sharded = is_shard_folder(training)
    if not sharded:
        given = {"--memory": memory is not None, "--engine ray": engine == "ray"}
        _refuse_of_shards(training, given | {"--verify": verify})

    device = _device(device, sharded=sharded)
    references: npt.NDArray[Any] | ShardSet
    queries: npt.NDArray[Any] | ShardSet
    references = (
        _shards(training, flag="--training")
        if sharded
        else load(training, how, flag="--training").items
    )
    if is_shard_folder(generated):
        queries = _shards(generated, flag="--generated")
    else:
        queries = load(generated, how, flag="--generated").items

    from rote.neighbors.out_of_core.memory_budget import (
        peak_bytes,  # after the data: torch takes a second to import
    )

    if isinstance(references, ShardSet):
        with options.interruptible():
            _search_shards(
                queries,
                references,
                out=out,
                k=k,
                memory=budget,
                engine=engine,
                ray_address=ray_address,
                workers=workers,
                verify=verify,
            )
    else:
        rows = queries.rows(0, len(queries)) if isinstance(queries, ShardSet) else queries
        with options.interruptible():
            _search_whole(rows, references, out=out, k=k, device=device)
    if json:
        print_result(
            {
                "out": str(out),
                "queries": len(queries),
                "references": len(references),
                "k": k,
                "device": device,
                "memory": budget if sharded else None,
                "peak_memory": peak_bytes(),
            }
        )
        return
    print_text(
        f"{len(queries):,} images against {len(references):,} training images: "
        f"{out / 'neighbors.npz'} (peak memory {show_bytes(peak_bytes())})"
    )


def _device(device: str, *, sharded: bool) -> str:
    """Return where to search; shards are searched on the CPU, which is said where it could surprise."""
    from rote.core.console import say

    if not sharded:
        return resolve_device(device)
    if device == "cuda":
        raise ConfigError(
            "--device cuda: shards are searched on the CPU; leave it out, or give --training a source "
            "that fits into memory"
        )
    if resolve_device(device) == "cuda":
        say("shards are searched on the CPU; the CUDA device here is not used")
    return "cpu"


def _refuse_of_shards(training: str, given: dict[str, bool]) -> None:
    """Refuse options that are for shards alone."""
    for flag in (flag for flag, there in given.items() if there):
        raise ConfigError(
            f"{flag} is for shards, and --training {training} is no folder of them (no shards.json); "
            f"leave it out, or write shards first: rote data shard {training} --out shards"
        )


def _search_whole(
    queries: npt.NDArray[Any], references: npt.NDArray[Any], *, out: Path, k: int, device: str
) -> None:
    from rote.core.console import progress
    from rote.neighbors.out_of_core.search import in_memory_neighbors

    with progress() as bar:
        task = bar.add_task("images searched", total=len(queries))
        in_memory_neighbors(
            queries,
            references,
            out=out,
            k=k,
            device=device,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _search_shards(
    queries: npt.NDArray[Any] | ShardSet,
    references: ShardSet,
    *,
    out: Path,
    k: int,
    memory: int,
    engine: str,
    ray_address: str | None,
    workers: int | None,
    verify: bool,
) -> None:
    from rote.core.console import progress
    from rote.neighbors.out_of_core.search import sharded_neighbors

    with progress() as bar:
        if verify:
            checked = bar.add_task("checking shards", total=len(references.shards))
            references.verify(on_progress=lambda done, _: bar.update(checked, completed=done))
        task = bar.add_task("training images searched", total=None)
        size = len(queries) * references.item_bytes
        with _engine(engine, memory, ray_address, workers, query_bytes=size) as chosen:
            sharded_neighbors(
                queries,
                references,
                out=out,
                memory=memory,
                k=k,
                engine=chosen,
                on_progress=lambda done, total: bar.update(task, completed=done, total=total),
            )


@contextlib.contextmanager
def _engine(
    name: str, memory: int, address: str | None, workers: int | None, *, query_bytes: int
) -> Iterator[ShardEngine | None]:
    """Lend the engine of that name; None is this process."""
    if name == "local":
        yield None
        return
    from rote.experiments.execution.engine import default_workers
    from rote.neighbors.out_of_core.ray import ray_engine

    with ray_engine(
        memory=memory,
        address=address,
        workers=workers or default_workers("cpu"),
        query_bytes=min(query_bytes, memory),
    ) as engine:
        yield engine


def _shards(folder: str | Path, *, flag: str) -> ShardSet:
    """Open a folder of shards; errors name the flag that it was given under."""
    from rote.data.shards.read import open_shards

    try:
        return open_shards(folder)
    except DataError as error:
        raise DataError(f"{flag} {error}") from error
