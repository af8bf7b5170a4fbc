"""Exact neighbors in references that are in memory, kept in a folder as those of shards are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy.typing as npt

from rote.core.atomic_files import write_npz
from rote.core.run_folder import Run
from rote.neighbors.out_of_core.search import check_sides, items_digest, load_found
from rote.neighbors.search import Neighbors, nearest_neighbors


def whole_neighbors(
    queries: npt.NDArray[Any],
    references: npt.NDArray[Any],
    *,
    out: Path,
    k: int = 2,
    device: str = "cpu",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Neighbors:
    """Find the exact k nearest references of every query, and keep them.

    Parameters
    ----------
    queries, references
        uint8 (N, H, W, C) or float32 (N, D), both of one kind and item shape.
    out
        Folder of the result, `neighbors.npz` (indices, sq_distances). Where it is there already, it is
        read. The device is in the manifest and not in the configuration: it changes no bit.
    k
        How many, 1 <= k <= len(references).
    device
        "cpu" or "cuda", as `nearest_neighbors` takes it.
    on_progress
        Called with queries done and their total.

    Raises
    ------
    DataError
        If shapes or types differ, a side is empty, or a float is not finite.
    ConfigError
        If k is out of range.
    RunError
        If the folder belongs to another search.
    """
    check_sides(queries, references, k)
    config = {
        "kind": "neighbors",
        "queries": items_digest(queries),
        "references": items_digest(references),
        "k": k,
    }
    with Run(out, config, facts={"device": device}) as run:
        path = out / "neighbors.npz"
        if not path.exists():
            with run.timed("search"):
                found = nearest_neighbors(
                    queries, references, k=k, device=device, on_progress=on_progress
                )
            write_npz(path, {"indices": found.indices, "sq_distances": found.sq_distances})
        return load_found(path)[0]
