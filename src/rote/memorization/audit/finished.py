"""An audit that is done: what it found, its files, and how it shows itself in Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rote.core.presentation.shown import Shown
from rote.memorization.audit import files
from rote.memorization.audit.result import Findings
from rote.memorization.presentation import card, ci, summary

if TYPE_CHECKING:
    import pandas as pd


class Audit(Shown, Findings):
    """What an audit found, its files, and what a notebook shows of it."""

    def to_json(self) -> dict[str, Any]:
        """Return the content of `audit.json`."""
        return files.to_json(self)

    def save(
        self,
        folder: str | Path,
        *,
        labels: npt.NDArray[np.int64] | None = None,
        spreadsheet: bool = False,
    ) -> None:
        """Write `audit.json`, `neighbors.npz`, the tables and `gallery.npz`, all or none of them.

        With ``spreadsheet`` no cell of the tables is a formula (`rote.core.csv_text`).
        """
        files.save(self, Path(folder), labels=labels, spreadsheet=spreadsheet)

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        return summary.headline(self)

    @property
    def pairs(self) -> tuple[summary.Pair, ...]:
        """Every memorized item with the training item it copies, lowest ratio first."""
        return summary.copied_pairs(self)

    def sentences(self) -> Sequence[str]:
        """Return the verdict, the gate, what makes it doubtful, the control, and what would be missed."""
        return summary.sentences(self)

    @property
    def tone(self) -> str:
        """What the gate decided: "good", "bad" or "doubtful"; "" without one."""
        tones = {"below": "good", "above": "bad", "undecided": "doubtful"}
        return "" if self.gate is None else tones[self.gate.decision]

    def figure_html(self) -> str:
        """Return the six most copied pairs as pictures."""
        return card.pairs_html(self)

    def to_markdown(self) -> str:
        """Return the summary and the ten most copied pairs as Markdown, such as for a step summary."""
        return ci.markdown_summary(self)

    def to_junit(self) -> str:
        """Return the gate as a JUnit file of one test.

        Raises
        ------
        ConfigError
            If the audit was asked for no gate.
        """
        return ci.junit_xml(self)

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for every generated item, in their order; needs pandas."""
        return summary.frame_of(self)

    def plot(self) -> Any:
        """Return an Altair chart of the distance ratios and the threshold; a notebook draws it."""
        return card.ratio_figure(self)
