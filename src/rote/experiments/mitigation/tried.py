"""What trying remedies found, and how it shows itself in Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rote.core.presentation.figures import inline
from rote.core.presentation.shown import ShownFile
from rote.results.mitigation.remedies import title_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Remedies(ShownFile):
    """Remedies before and after; `json` is the content of `remedies.json`."""

    json: dict[str, Any]

    def sentences(self) -> Sequence[str]:
        """Return how many help, then what each of them did."""
        tried = self.json["tried"]
        words = ("helps", "evades", "harms", "undecided")
        counts = {word: sum(row["verdict"] == word for row in tried) for word in words}
        told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        return (
            f"{len(tried)} remedies tried: {told or 'none fits this model'}",
            *map(in_words, tried),
            *(f"{row['name']} left out: {row['why']}" for row in self.json["left_out"]),
        )

    def _rows(self) -> list[dict[str, Any]]:
        return [row for tried in self.json["tried"] for row in rows_of(tried)]

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for each remedy and judge; needs pandas."""
        import pandas as pd

        return pd.DataFrame(self._rows())

    def plot(self) -> Any:
        """Return an Altair chart of precision against the rate by the first judge."""
        import altair

        first = self.json["judges"][0]
        rows = [row for row in self._rows() if row["judge"] == first]
        drawn = altair.Chart(inline(rows))
        x = altair.X("rate:Q", title=f"copies by {first}", scale=altair.Scale(domain=[0, 1]))
        y = altair.Y("precision:Q", scale=altair.Scale(domain=[0, 1]))
        dots = drawn.mark_circle(size=80, opacity=1).encode(
            x=x, y=y, color=altair.Color("verdict:N"), tooltip=["remedy:N", "rate:Q", "precision:Q"]
        )
        return dots + drawn.mark_text(dy=-10).encode(x=x, y=y, text="remedy:N")


def label(tried: dict[str, Any]) -> str:
    """Return what a remedy is called."""
    return title_of(tried["name"], tried["setting"], tried["basis"])


def rows_of(tried: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row of plain values for each judge of a remedy."""
    others = {one["judge"]: one["after"]["value"] for one in tried["others"]}
    quality = {loss["name"]: loss["after"]["value"] for loss in tried["quality"]}
    return [
        {
            "remedy": label(tried),
            "judge": judged["judge"],
            "before": judged["before"]["value"],
            "rate": judged["after"]["value"],
            "low": judged["after"]["low"],
            "high": judged["after"]["high"],
            "p_value": judged["p_value"],
            **(
                {} if judged["judge"] not in others else {"other captions": others[judged["judge"]]}
            ),
            **quality,
            "verdict": tried["verdict"],
        }
        for judged in tried["judged"]
    ]


def in_words(tried: dict[str, Any]) -> str:
    """Say what a remedy did."""
    seen = ", ".join(
        f"{judged['judge']} {judged['before']['value']:.3g} to {judged['after']['value']:.3g}"
        for judged in tried["judged"]
    )
    return f"{label(tried)} {tried['verdict']}: {tried['why']} ({seen})"
