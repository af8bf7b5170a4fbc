"""`rescore`: a finished search or study under other definitions of a copy, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rote.core.atomic_files import read_json
from rote.core.errors import RunError
from rote.core.progress.display import progress
from rote.data.sides import as_dataset
from rote.experiments.presentation.rescore import Rescored
from rote.experiments.rescore.search import rescore_search
from rote.experiments.rescore.study import rescore_study


def rescore(
    search: str | Path,
    *,
    data: Any = None,
    criterion: str | Sequence[str] | None = None,
    quality: bool = True,
    ruler_resolution: int | None = None,
    tolerance: float | None = None,
) -> Rescored:
    """Score the saved samples of a search or study under other criteria, without training anything.

    Writes `criteria.json` into its folder; `rote.write_report` makes its page again.

    Parameters
    ----------
    search
        The folder of a finished `rote emm` or `rote study`.
    data
        What it drew from, as `rote.load_images` takes it or as a data set; None: the source it names.
    criterion, quality, ruler_resolution, tolerance
        As `rote.experiments.rescore.search.rescore_search` takes them; of criteria one or several.

    Raises
    ------
    RunError
        If the folder holds no finished search or study, or its files do not belong together.
    DataError
        If the data is not what it drew from.
    ConfigError
        If a criterion is unknown, or was not made for these data.
    """
    folder = Path(search)
    source = source_of(folder) if data is None else data
    criteria = (criterion,) if isinstance(criterion, str) else criterion
    score = rescore_study if _is_study(folder) else rescore_search
    with progress("runs scored again") as report:
        found = score(
            folder,
            as_dataset(source),
            criteria=criteria or None,
            quality=quality,
            ruler_resolution=ruler_resolution,
            tolerance=tolerance,
            on_progress=report,
        )
    return Rescored(found)


def source_of(folder: Path) -> str:
    """Return the source that a search or study names.

    Raises
    ------
    RunError
        If the folder holds neither.
    """
    file = folder / ("study.json" if _is_study(folder) else "emm.json")
    return str(read_json(file)["data"]["source"])


def _is_study(folder: Path) -> bool:
    if (folder / "study.json").is_file():
        return True
    if not (folder / "emm.json").is_file():
        raise RunError(
            f"{folder} holds neither emm.json nor study.json; give the `out` of a finished `rote emm` or "
            "`rote study`"
        )
    return False
