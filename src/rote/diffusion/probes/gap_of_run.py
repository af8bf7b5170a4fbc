"""`gap`: how far each snapshot of a run is from the optimum of its training set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rote.core.devices import resolve_device
from rote.core.presentation.figures import WIDTH, inline
from rote.core.presentation.shown import ShownFile
from rote.core.progress.display import progress
from rote.diffusion.checkpoint import check_weights
from rote.diffusion.probes.gap import SIGMAS
from rote.diffusion.probes.gap_file import GapLog
from rote.diffusion.probes.sides import read_sigmas, sides_of_run, told_of_run

if TYPE_CHECKING:
    import pandas as pd

SHOWN_SIGMA = 0.8
"""The noise level of the one number that is said, where it was measured."""


@dataclass(frozen=True, repr=False)
class Gaps(ShownFile):
    """The gap of every snapshot of a run; `json` is the content of `gap.json`."""

    json: dict[str, Any]

    def sentences(self) -> Sequence[str]:
        """Return the last snapshot's gap, and what it means."""
        sigmas, last = self.json["sigmas"], self.json["snapshots"][-1]
        place = min(range(len(sigmas)), key=lambda k: abs(sigmas[k] - SHOWN_SIGMA))
        value, low, high = (last[key][place] for key in ("gap", "low", "high"))
        told = "none" if value is None else f"{value:.4g} [{low:.4g}, {high:.4g}]"
        return (
            f"gap at sigma {sigmas[place]:g} after {last['images_seen']:,} images seen: {told}",
            "0: the model is the optimum of its training set, which can only copy; 1: as far from it as "
            "that of unseen items",
        )

    def _rows(self) -> list[dict[str, Any]]:
        keys = ("gap", "low", "high")
        return [
            {"images_seen": entry["images_seen"], "sigma": sigma}
            | {key: entry[key][place] for key in keys}
            for entry in self.json["snapshots"]
            for place, sigma in enumerate(self.json["sigmas"])
        ]

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for every snapshot and noise level; needs pandas."""
        import pandas as pd

        return pd.DataFrame(self._rows())

    def plot(self) -> Any:
        """Return an Altair chart of the gap over the training, a line for each noise level."""
        import altair

        rows = [row for row in self._rows() if row["gap"] is not None]
        drawn = altair.Chart(inline(rows)).encode(
            x=altair.X("images_seen:Q", title="images seen"),
            color=altair.Color("sigma:O", title="noise level", scale={"scheme": "viridis"}),
        )
        line = drawn.mark_line(point=True).encode(y=altair.Y("gap:Q", title="gap"))
        band = drawn.mark_rule(opacity=0.5).encode(y="low:Q", y2="high:Q")
        return (band + line).properties(width=WIDTH, height=220)


def gap(
    run: str | Path,
    *,
    data: Any = None,
    holdout: Any = None,
    weights: str = "ema",
    sigmas: str | Sequence[float] = SIGMAS,
    points: int | None = None,
    seed: int | None = None,
    device: str | None = None,
) -> Gaps:
    """Measure the gap to the theoretical optimum at each snapshot of a run, without sampling.

    The options are those of `rote gap`. `gap.json` in the run's folder keeps what was measured; the same
    call again measures what is new.

    Parameters
    ----------
    run
        The folder of a finished `rote train`.
    data
        What it was trained on, or on a part of, as `rote.load_images` takes it; None: the source that the
        run names, read as it was then.
    holdout
        Images that it was not trained on; None: those of the training, or the rest of ``data``.
    weights
        "ema" or "raw".
    sigmas
        Noise levels in model units, where images run from -1 to 1.
    points
        Noisy images for each noise level. None: 512, or as many as take 512 MB, at least 16.
    seed
        Root seed of the noise; None: that of the training.
    device
        "cpu", "cuda" or "auto"; None: where the training ran, or "auto" where it ran on cuda.

    Raises
    ------
    ConfigError, DataError
        One line each: as `rote.diffusion.probes.sides.sides_of_run`, or if an option is out of range.
    """
    kind, levels = check_weights(weights), read_sigmas(sigmas)
    told = told_of_run(Path(run))
    seed = told.seed if seed is None else seed
    sides = sides_of_run(Path(run), data=data, holdout=holdout, seed=seed)
    log = GapLog(
        Path(run),
        sides.training,
        sides.holdout,
        seed=seed,
        weights=kind,
        sigmas=levels,
        points=points,
        device=resolve_device(device or told.device),
    )
    with progress("snapshots measured") as report:
        return Gaps(log.update(report))
