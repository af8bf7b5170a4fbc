"""`rote data shard`: any sources as a folder of shards, for searches past the memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from rote.cli import options
from rote.cli.app import command
from rote.cli.command import takes_options
from rote.cli.data.data import data_app
from rote.cli.source import ImageOptions, check_source, named, say_account
from rote.core.errors import ConfigError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def parse_bytes(text: str, *, flag: str) -> int:
    """Return the bytes that a size such as 512MB, 2GiB or 1.5g means.

    >>> parse_bytes("2GB", flag="--memory"), parse_bytes("1.5 MiB", flag="--memory")
    (2000000000, 1572864)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", text.lower())
    size = 0
    if match:
        number, unit, binary = match.groups()
        size = round(float(number) * (_BINARY if binary else _UNITS)[unit])
    if size < 1:
        raise ConfigError(f"{flag} {text!r} is no size; give one such as 512MB or 2GB")
    return size


def show_bytes(size: float) -> str:
    """Return a size for people.

    >>> show_bytes(2_000_000_000), show_bytes(512)
    ('2.0 GB', '512 B')
    """
    for power, unit in ((12, "TB"), (9, "GB"), (6, "MB"), (3, "kB")):
        if size >= 10**power:
            return f"{size / 10**power:.1f} {unit}"
    return f"{size:.0f} B"


@command("shard", example="rote data shard part-1.zip part-2.zip --out shards", of=data_app)
@takes_options
def shard(
    *,
    sources: Annotated[
        list[str], typer.Argument(help="Named sets, folders, zip, npz or npy files, in order.")
    ],
    out: options.Out,
    shard_size: Annotated[
        str, typer.Option("--shard-size", help="Size of one shard, such as 512MB.")
    ] = "512MB",
    how: ImageOptions,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the SHA-256 of every shard at the end.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Write sources as shards: numbered .npy files and shards.json; the same command goes on."""
    for source in sources:
        check_source(source, flag="")
    from rote.core.console import print_result, print_text
    from rote.core.progress.display import progress
    from rote.data.shards.read import open_shards
    from rote.data.shards.stream import open_stream
    from rote.data.shards.write import write_shards

    size = parse_bytes(shard_size, flag="--shard-size")
    with named(""):
        streams = [open_stream(source, options=how.read()) for source in sources]
    with options.interruptible(), named(""):
        with progress("items written", sum(stream.count for stream in streams)) as report:
            write_shards(
                streams,
                Path(out),
                shard_bytes=size,
                options=how.bound(),
                on_progress=report,
            )
        found = open_shards(out)
        if verify:
            with progress("shards checked") as report:
                found.verify(on_progress=report)
    for source, stream in zip(sources, streams, strict=True):
        say_account(source, stream.account())
    skipped = sum(stream.count for stream in streams) - len(found)
    if json:
        print_result(
            {
                "out": str(out),
                "total": len(found),
                "shape": list(found.shape),
                "dtype": str(found.dtype),
                "shards": len(found.shards),
                "bytes": sum(shard.size for shard in found.shards),
                "left_out": skipped,
                "digest": found.digest,
            }
        )
        return
    left_out = f", {skipped:,} unreadable files left out" if skipped else ""
    total = show_bytes(sum(shard.size for shard in found.shards))
    print_text(f"{len(found):,} items in {len(found.shards):,} shards, {total}{left_out}")
