"""A block of queries against the leaves of an index: what their features leave becomes candidates."""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np
import numpy.typing as npt
import torch

from rote.neighbors.cpu.filter import (
    FilterFeatures,
    LeafProducts,
    QueryBlock,
    parts_of,
    sq_norms,
)
from rote.neighbors.cpu.partition import Leaves, box_values, lifted_queries
from rote.neighbors.cpu.projection import Features

BOXED_QUERIES = 512


def filter_features(features: Features, coarse: int) -> FilterFeatures:
    """Return the features of a projection as the filter takes them, the first ``coarse`` apart."""
    values = np.concatenate(
        [features.values[:, :coarse], features.coarse_residual[:, None]], axis=1
    )
    return FilterFeatures(
        coarse=values,
        coarse_sq=sq_norms(values).astype(np.float32),
        fine=features.values,
        rounding_error=features.rounding_error,
        length=features.length,
    )


def by_neighborhood(
    queries: npt.NDArray[np.int64], features: FilterFeatures, leaves: Leaves, pool: Executor
) -> npt.NDArray[np.int64]:
    """Return some queries in the order of the leaves whose boxes are nearest to them."""
    parts = parts_of(len(features.coarse), BOXED_QUERIES)
    found = pool.map(lambda part: _boxes(features.coarse[part], leaves).argmin(axis=0), parts)
    home = np.concatenate([np.empty(0, np.int64), *found])
    return queries[np.argsort(home[queries], kind="stable")]


def search_leaves(block: QueryBlock, leaves: Leaves) -> tuple[int, int]:
    """Filter all leaves; return how many products were taken, and how many pairs looked into."""
    coarse = block.features.coarse
    lifted = torch.from_numpy(lifted_queries(coarse))
    boxes = _boxes(coarse, leaves)
    home = boxes.argmin(axis=0)
    products = LeafProducts(len(lifted), lifted.shape[1], leaves.widest)
    pairs, looked = 0, 0
    # The nearest leaf first: its references make a limit that rules out many leaves.
    homes = np.unique(home)
    for turn, leaf in enumerate(np.concatenate([homes, boxes.sum(axis=1).argsort()])):
        near = boxes[leaf] <= block.limits
        first = turn < len(homes)
        rows = np.flatnonzero(
            near & (home == leaf) if first else near & (home != leaf) & ~block.given_up
        )
        if not len(rows):
            continue
        part = leaves.parts[leaf]
        pairs += len(rows) * (part.stop - part.start)
        values = products.of(lifted, rows, torch.from_numpy(leaves.lifted[part]))
        looked += block.filter(values, rows, leaves.ids[part], leaves.fine[part])
    return pairs, looked


def _boxes(features: npt.NDArray[np.float32], leaves: Leaves) -> npt.NDArray[np.float64]:
    """Return squared distances of features to the boxes of all leaves, (leaves, queries)."""
    values = np.empty((len(leaves.parts), len(features)))
    box_values(features, leaves.low, leaves.high, values)
    return values
