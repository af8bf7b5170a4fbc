"""`rote neighbors`: the exact nearest training images, past one memory and past one machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rote.cli import options
from rote.cli.app import app
from rote.cli.engines import check_engine
from rote.cli.shard import parse_bytes, show_bytes
from rote.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy.typing as npt

    from rote.data.shards import ShardSet
    from rote.memorization.sharded import Engine


@app.command()
def neighbors(
    generated: Annotated[
        str, typer.Option("--generated", help="The images a model made: any source, or shards.")
    ],
    training: Annotated[
        Path, typer.Option("--training", help="Shards of the training images (`rote data shard`).")
    ],
    out: options.Out,
    k: Annotated[int, typer.Option("--k", min=1, help="How many nearest images of each.")] = 2,
    memory: Annotated[
        str, typer.Option("--memory", help="Peak memory of each process, such as 2GB.")
    ] = "2GB",
    engine: Annotated[str, typer.Option("--engine", help="local or ray.")] = "local",
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
        bool, typer.Option("--verify", help="Check the SHA-256 of every shard first.")
    ] = False,
    resolution: options.Resolution = None,
    channels: options.Channels = None,
    skip_unreadable: options.SkipUnreadable = False,
    json: options.Json = False,
) -> None:
    """Find the exact nearest training images of every image; the same command goes on after a stop."""
    from rote.core.console import print_result, print_text, progress
    from rote.data.shards import is_shard_folder

    budget = parse_bytes(memory, flag="--memory")
    check_engine(engine)
    if engine == "local" and (ray_address is not None or workers is not None):
        flag = "--ray-address" if ray_address is not None else "--workers"
        raise ConfigError(f"{flag} is for --engine ray; add that, or leave {flag} out")
    if ray_address is not None and workers is not None:
        raise ConfigError("--workers is for a local Ray; leave it out beside --ray-address")
    references = _shards(training, flag="--training")
    queries: npt.NDArray[Any] | ShardSet
    if is_shard_folder(generated):
        queries = _shards(generated, flag="--generated")
    else:
        queries = options.load(
            generated,
            resolution=resolution,
            channels=channels,
            skip_unreadable=skip_unreadable,
            flag="--generated",
        ).images

    from rote.memorization.budget import (
        peak_bytes,
    )  # after the data: torch takes a second to import
    from rote.memorization.sharded import sharded_neighbors

    with options.interruptible(), progress() as bar:
        if verify:
            checked = bar.add_task("checking shards", total=len(references.shards))
            references.verify(on_progress=lambda done, _: bar.update(checked, completed=done))
        task = bar.add_task("training images searched", total=None)
        size = len(queries) * references.item_bytes
        with _engine(engine, budget, ray_address, workers, query_bytes=size) as chosen:
            found = sharded_neighbors(
                queries,
                references,
                out=out,
                memory=budget,
                k=k,
                engine=chosen,
                on_progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
    if json:
        print_result(
            {
                "out": str(out),
                "queries": len(queries),
                "references": len(references),
                "k": k,
                "memory": budget,
                "peak_memory": peak_bytes(),
            }
        )
        return
    print_text(
        f"{len(found.indices):,} images against {len(references):,} training images: "
        f"{out / 'neighbors.npz'} (peak memory {show_bytes(peak_bytes())})"
    )


@contextlib.contextmanager
def _engine(
    name: str, memory: int, address: str | None, workers: int | None, *, query_bytes: int
) -> Iterator[Engine | None]:
    """Lend the engine of that name; None is this process."""
    if name == "local":
        yield None
        return
    from rote.memorization.ray_engine import ray_engine
    from rote.studies.engine import default_workers

    with ray_engine(
        memory=memory,
        address=address,
        workers=workers or default_workers("cpu"),
        query_bytes=min(query_bytes, memory),
    ) as engine:
        yield engine


def _shards(folder: str | Path, *, flag: str) -> ShardSet:
    """Open a folder of shards; errors name the flag that it was given under."""
    from rote.data.shards import open_shards

    try:
        return open_shards(folder)
    except DataError as error:
        raise DataError(f"{flag} {error}") from error
