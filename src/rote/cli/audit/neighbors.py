"""`rote neighbors`: the exact nearest training images, past one memory and past one machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rote.cli import options
from rote.cli.app import command
from rote.cli.command import Place, takes_options
from rote.cli.data.shard import parse_bytes, show_bytes
from rote.cli.experiments.engines import Engine, check_engine
from rote.cli.source import ImageOptions, check_sources, load
from rote.cli.values import choice
from rote.core.devices import DEVICES, resolve_device
from rote.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy.typing as npt

    from rote.data.dataset import Dataset
    from rote.data.shards.read import ShardSet
    from rote.neighbors.out_of_core.engine import ShardEngine

MEMORY = "2GB"


@dataclass(frozen=True)
class ShardOptions:
    """How shards are searched."""

    memory: Annotated[
        str | None,
        typer.Option(
            "--memory", help="Shards: peak memory of each process, such as 2GB. [default: 2GB]"
        ),
    ] = None
    engine: Engine = "local"
    ray_address: Annotated[
        str | None,
        typer.Option(
            "--ray-address",
            help="A Ray cluster (host:port, ray://host:port, auto); else a local one.",
        ),
    ] = None
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Worker processes of a local Ray: all cores."),
    ] = None
    verify: Annotated[
        bool, typer.Option("--verify", help="Shards: check the SHA-256 of each first.")
    ] = False

    def budget(self) -> int:
        """Return --memory in bytes."""
        return parse_bytes(self.memory or MEMORY, flag="--memory")

    def check(self, training: str, *, sharded: bool) -> None:
        """Refuse what does not go together, and what is for shards alone where there are none."""
        check_engine(self.engine)
        if self.engine == "local" and (self.ray_address is not None or self.workers is not None):
            flag = "--ray-address" if self.ray_address is not None else "--workers"
            raise ConfigError(f"{flag} is for --engine ray; add that, or leave {flag} out")
        if self.ray_address is not None and self.workers is not None:
            raise ConfigError("--workers is for a local Ray; leave it out beside --ray-address")
        given = {
            "--memory": self.memory is not None,
            "--engine ray": self.engine == "ray",
            "--verify": self.verify,
        }
        for flag in (flag for flag, there in given.items() if there and not sharded):
            raise ConfigError(
                f"{flag} is for shards, and --training {training} is no folder of them (no shards.json); "
                f"leave it out, or write shards first: rote data shard {training} --out shards"
            )

    @contextlib.contextmanager
    def open(self, *, query_bytes: int) -> Iterator[ShardEngine | None]:
        """Lend the engine that was asked for; None is this process."""
        if self.engine == "local":
            yield None
            return
        from rote.experiments.execution.engine import default_workers
        from rote.neighbors.out_of_core.ray import ray_engine

        memory = self.budget()
        with ray_engine(
            memory=memory,
            address=self.ray_address,
            workers=self.workers or default_workers("cpu"),
            query_bytes=min(query_bytes, memory),
        ) as engine:
            yield engine


@command(example="rote neighbors samples/ train/ --k 5 --out neighbors")
@takes_options
def neighbors(
    *,
    generated: Annotated[
        str,
        typer.Option("--generated", help="The images a model made: any source, or shards."),
        Place("GENERATED"),
    ],
    training: Annotated[
        str,
        typer.Option(
            "--training",
            help="The training images: any source that fits into memory, or shards of them (`rote data "
            "shard`).",
        ),
        Place("TRAINING"),
    ],
    out: options.Out,
    k: Annotated[int, typer.Option("--k", min=1, help="How many nearest images of each.")] = 2,
    device: Annotated[
        str,
        choice(
            "--device",
            DEVICES,
            "Where to search; auto is cuda where there is one. Shards are searched on the CPU.",
        ),
    ] = "auto",
    shards: ShardOptions,
    how: ImageOptions,
    spreadsheet: options.Spreadsheet = False,
    json: options.Json = False,
) -> None:
    """Find the exact nearest training images of every image; the same command goes on after a stop."""
    check_sources({"generated": generated, "training": training})
    from rote.core.console import print_result, print_text
    from rote.data.shards.read import ShardSet, is_shard_folder

    budget, sharded = shards.budget(), is_shard_folder(training)
    shards.check(training, sharded=sharded)
    device = _device(device, sharded=sharded)
    trained = _open(training, how, flag="--training")
    like = None if isinstance(trained, ShardSet) else trained
    made = _open(generated, how, flag="--generated", like=like)
    made, trained = _alike(made, trained)
    references = trained if isinstance(trained, ShardSet) else trained.items
    queries = made if isinstance(made, ShardSet) else made.items

    # after the data: torch takes a second to import
    from rote.neighbors.out_of_core.memory_budget import peak_bytes

    with options.interruptible(in_time=shards.engine == "local"):
        if isinstance(references, ShardSet):
            _search_shards(queries, references, shards, out=out, k=k)
        else:
            rows = queries.rows(0, len(queries)) if isinstance(queries, ShardSet) else queries
            _search_whole(rows, references, out=out, k=k, device=device)
        _write_names(out, made, trained, spreadsheet=spreadsheet)
    if json:
        print_result(
            {
                "out": str(out),
                "pairs": str(out / "pairs.csv"),
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
        f"{out / 'neighbors.npz'}, with names in pairs.csv (peak memory {show_bytes(peak_bytes())})"
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


def _alike(
    made: Dataset | ShardSet, trained: Dataset | ShardSet
) -> tuple[Dataset | ShardSet, Dataset | ShardSet]:
    """Return tables with a place for the missing values of both; say in which units distances are."""
    from rote.core.console import say
    from rote.data.dataset import Dataset
    from rote.data.tables.align import aligned

    if not (isinstance(made, Dataset) and isinstance(trained, Dataset)):
        return made, trained
    if not trained.in_levels:
        say(
            "distances are in the columns' own units, so that columns of large numbers decide; "
            "rote audit takes each in units of its spread"
        )
    if trained.schema is not None and made.schema is not None:
        trained, made = aligned(trained, made)
    return made, trained


def _open(
    source: str, how: ImageOptions, *, flag: str, like: Dataset | None = None
) -> Dataset | ShardSet:
    """Open a folder of shards, or load any other source; errors name the flag of it."""
    from rote.data.shards.read import is_shard_folder, open_shards

    if not is_shard_folder(source):
        return load(source, how, flag=flag, like=like)
    try:
        return open_shards(source)
    except DataError as error:
        raise DataError(f"{flag} {error}") from error


def _write_names(
    out: Path, made: Dataset | ShardSet, trained: Dataset | ShardSet, *, spreadsheet: bool
) -> None:
    """Write what was found by name: positions among what was read lead to no file where some was not."""
    from rote.core.atomic_files import write_lines
    from rote.core.csv_text import csv_lines
    from rote.neighbors.out_of_core.search import load_neighbors

    found = load_neighbors(out / "neighbors.npz")[0]
    queries, references = _names(made), _names(trained)

    def rows() -> Iterator[tuple[object, ...]]:
        yield ("index", "name", "rank", "nn_index", "nn_name", "nn_sq_distance")
        for query, name in enumerate(queries):
            pairs = zip(
                found.indices[query].tolist(), found.sq_distances[query].tolist(), strict=True
            )
            for rank, (near, sq) in enumerate(pairs, start=1):
                yield (query, name, rank, near, references[near], sq)

    write_lines(out / "pairs.csv", csv_lines(rows(), spreadsheet=spreadsheet))


def _names(side: Dataset | ShardSet) -> tuple[str, ...]:
    from rote.data.dataset import Dataset

    if isinstance(side, Dataset):
        return side.names
    return tuple(name for number in range(len(side.shards)) for name in side.names(number))


def _search_whole(
    queries: npt.NDArray[Any], references: npt.NDArray[Any], *, out: Path, k: int, device: str
) -> None:
    from rote.core.progress.display import progress
    from rote.neighbors.out_of_core.search import in_memory_neighbors

    with progress("images searched", len(queries)) as report:
        in_memory_neighbors(queries, references, out=out, k=k, device=device, on_progress=report)


def _search_shards(
    queries: npt.NDArray[Any] | ShardSet,
    references: ShardSet,
    shards: ShardOptions,
    *,
    out: Path,
    k: int,
) -> None:
    from rote.core.progress.display import progress
    from rote.neighbors.out_of_core.search import sharded_neighbors

    if shards.verify:
        with progress("shards checked") as report:
            references.verify(on_progress=report)
    query_bytes = len(queries) * references.item_bytes
    with (
        progress("training images searched") as report,
        shards.open(query_bytes=query_bytes) as engine,
    ):
        sharded_neighbors(
            queries,
            references,
            out=out,
            memory=shards.budget(),
            k=k,
            engine=engine,
            on_progress=report,
        )
