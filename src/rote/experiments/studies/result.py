"""The result of a study, and how it shows itself in Python."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rote.core.presentation.shown import ShownFile
from rote.experiments.presentation import study as presentation
from rote.results.study import StudyFile

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class StudyResult(ShownFile):
    """The result of a study; `to_json` is the content of `study.json`."""

    name: str
    sentence: str
    json: dict[str, Any]

    @cached_property
    def _file(self) -> StudyFile:
        return StudyFile.model_validate_json(json.dumps(self.json))

    def sentences(self) -> Sequence[str]:
        """Return the answer, what the paper says, and the differences with their intervals."""
        return presentation.sentences(self._file)

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for every run; needs pandas."""
        return presentation.frame(self._file)

    def plot(self) -> Any:
        """Return an Altair chart of the mean rates with their intervals; a notebook draws it."""
        return presentation.rates(self._file)
