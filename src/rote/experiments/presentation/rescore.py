"""Rescored runs in Python: the answer under each definition, in words, as a frame, as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rote.core.presentation.figures import intervals
from rote.core.presentation.shown import ShownFile

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Rescored(ShownFile):
    """A search or a study under other definitions; `json` is the content of `criteria.json`."""

    json: dict[str, Any]

    @property
    def is_study(self) -> bool:
        """Whether these are the differences of a study, and not EMMs."""
        return bool(self.json["kind"] == "study-criteria")

    def sentences(self) -> Sequence[str]:
        """Return what was rescored, and the answer under each definition."""
        runs, entries = len(self.json["runs"]), self.json["criteria"]
        lines = [f"{runs} runs, definitions of a copy: {len(entries)}"]
        for entry in entries:
            if not self.is_study:
                lines.append(f"{entry['name']}: {emm_text(entry)}")
            else:
                lines += effect_texts(entry) or [f"{entry['name']}: {entry['reason']}"]
        return lines

    def _rows(self) -> list[dict[str, Any]]:
        if not self.is_study:
            return [
                {"criterion": entry["name"], "runs": entry["runs"], "reason": entry["reason"]}
                | {key: (entry["emm"] or {}).get(key) for key in ("status", "value", "low", "high")}
                for entry in self.json["criteria"]
            ]
        return [
            {
                "criterion": entry["name"],
                "first": effect["first"]["value"],
                "second": effect["second"]["value"],
                "size": effect["first"]["size"],
            }
            | {key: effect["difference"][key] for key in ("value", "low", "high")}
            for entry in self.json["criteria"]
            for effect in entry["effects"]
        ]

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for each definition, or for each difference under it; needs pandas."""
        import pandas as pd

        return pd.DataFrame(self._rows())

    def plot(self) -> Any:
        """Return an Altair chart of the answers with their intervals; what is open is not in it."""
        rows = [
            {
                "name": f"{row['criterion']}: {row['first']} - {row['second']} at {row['size']:,}"
                if self.is_study
                else row["criterion"],
                **{key: row[key] for key in ("value", "low", "high")},
            }
            for row in self._rows()
            if row["value"] is not None
        ]
        return intervals(rows, "difference of rates" if self.is_study else "EMM, training items")


def emm_text(entry: dict[str, Any]) -> str:
    """Say one definition's EMM in a few words."""
    emm = entry["emm"]
    if emm is None:
        return str(entry["reason"])
    if emm["status"] == "bracketed":
        return f"EMM {emm['value']:.3g} [{emm['low']:.3g}, {emm['high']:.3g}]"
    if emm["status"] == "unknown":
        return "EMM not known: the runs do not lie on one falling curve"
    if emm["low"] is not None:
        return f"EMM above {emm['low']:.3g}"
    if emm["high"] is not None:
        return f"EMM below {emm['high']:.3g}"
    return "EMM beyond the sizes trained"


def effect_texts(entry: dict[str, Any]) -> list[str]:
    """Say each difference of a study under one definition."""
    texts = []
    for effect in entry["effects"]:
        first, second, d = effect["first"], effect["second"], effect["difference"]
        texts.append(
            f"{entry['name']}: {first['value']} - {second['value']} at {first['size']}: "
            f"{d['value']:+.3f} [{d['low']:+.3f}, {d['high']:+.3f}]"
        )
    return texts
