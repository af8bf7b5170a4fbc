"""One search in references that come chunk by chunk.

What is known of a query's neighbors is where its search of the next chunk begins: a chunk has to be
looked at only where it may hold something nearer. Directions fitted to the first chunk serve the later
ones, and the queries are projected on them once; which directions are taken changes no answer.

The known neighbors go into the index as (distance, index) pairs among the others, their indices counted
from the chunk's first item. So they lie outside of [0, N) and compare with the chunk's own as the
global indices do: ties go to the lowest index whatever the order of the chunks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.mapped_pages import release_pages
from rote.core.memory import blocks
from rote.neighbors.brute_force import brute_force_nearest
from rote.neighbors.numeric import is_long, item_scale
from rote.neighbors.search import Neighbors, check_search, index_pays, merge, open_index


class ChunkedSearch:
    """Queries, and the nearest of all references searched so far.

    Parameters
    ----------
    queries
        uint8 or float (Q, ...).
    k
        How many; fewer where not as many references were searched.
    known
        The nearest among references that were searched elsewhere, as many as there are up to k.
    """

    def __init__(
        self, queries: npt.NDArray[Any], *, k: int, known: Neighbors | None = None
    ) -> None:
        self.queries, self.k, self.best = queries, k, known
        self._fitted: Any = None

    def search(
        self,
        references: npt.NDArray[Any],
        *,
        first: int,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Take in further references (n, ...), whose global indices start at ``first``.

        Raises
        ------
        DataError
            As `rote.neighbors.search.nearest_neighbors` raises it.
        """
        check_search(self.queries, references, 1)
        if is_long(references) or index_pays(self.queries, references):
            indices, sq = self._through_index(references, first, on_progress)
            self.best = Neighbors(indices + first, sq)
            return
        indices, sq = brute_force_nearest(
            self.queries.reshape(len(self.queries), -1),
            references.reshape(len(references), -1),
            min(self.k, len(references)),
            on_progress=on_progress,
        )
        found = Neighbors(indices + first, sq)
        self.best = found if self.best is None else merge(self.best, found, k=self.k)

    def _through_index(
        self,
        references: npt.NDArray[Any],
        first: int,
        on_progress: Callable[[int, int], None],
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        flat = self.queries.reshape(len(self.queries), -1)
        projection, scale, features = self._fitted or (None, None, None)
        own_scale = item_scale(references.reshape(len(references), -1))
        if own_scale != scale:
            projection = features = None
        index = open_index(references, projection=projection)
        if index.projection is not None and features is None:
            with index.pool() as pool:
                features = index.project(flat, pool)
        known, have = None, 0
        if self.best is not None:
            known = self.best.indices - first, self.best.sq_distances
            have = known[0].shape[1]
        k = min(self.k, have + len(references))
        found = index.nearest(
            flat, k, known=known, query_features=features, on_progress=on_progress
        )
        # Without a projection after the search, its directions were found to be of no use.
        self._fitted = index.projection and (index.projection, own_scale, features)
        return found


def nearest_by_chunks(
    queries: npt.NDArray[Any], references: npt.NDArray[Any], rows: npt.NDArray[np.int64], *, k: int
) -> Neighbors:
    """Search some rows of references that do not lie in one piece, such as parts of images.

    Answers are places among the rows, as those of `rote.neighbors.search.nearest_among`; a block of
    the references is copied at a time.
    """
    chunks = ChunkedSearch(queries, k=k)
    step = max(k, blocks().block // references[:1].nbytes)
    for start in range(0, len(rows), step):
        part = references[rows[start : start + step]]
        chunks.search(np.ascontiguousarray(part), first=start)
        release_pages(references)
    assert chunks.best is not None
    return chunks.best
