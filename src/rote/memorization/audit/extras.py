"""`Beside`: what an audit has beside its rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rote.memorization.audit.per_group import GroupedRates
from rote.metrics.population import Population
from rote.metrics.quality import Quality


@dataclass(frozen=True)
class Beside:
    """Each None where it was not asked for."""

    quality: Quality | None = None
    population: Population | None = None
    clusters: GroupedRates | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entries of `audit.json`."""
        return {
            "quality": None if self.quality is None else self.quality.to_json(),
            "population": None if self.population is None else self.population.to_json(),
            "clusters": None if self.clusters is None else self.clusters.to_json(),
        }
