"""`membership`: can the loss of a run's model tell training items from held-out ones?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rote.core.devices import resolve_device
from rote.core.presentation.figures import intervals
from rote.core.presentation.shown import ShownFile
from rote.core.progress.display import progress
from rote.diffusion.checkpoint import check_weights
from rote.diffusion.probes.gap import SIGMAS
from rote.diffusion.probes.membership import DRAWS, checkpoint_loss_gap
from rote.diffusion.probes.sides import read_sigmas, sides_of_run, told_of_run
from rote.results.membership import MembershipFile
from rote.results.schema import write_result
from rote.stats.conformal import check_asked

if TYPE_CHECKING:
    import pandas as pd

FALSE_POSITIVE_RATE = 0.01


@dataclass(frozen=True, repr=False)
class Membership(ShownFile):
    """How well the loss tells members; `json` is the content of `membership.json`."""

    json: dict[str, Any]

    def sentences(self) -> Sequence[str]:
        """Return the AUC of every noise level, and on what it rests."""
        found = self.json
        title = f"membership by the loss after {found['images_seen']:,} images seen"
        return (
            f"{title} (AUC 0.5: not told apart)",
            *map(level_text, found["levels"]),
            f"{found['training']['count']:,} training and {found['holdout']['count']:,} held-out items, "
            f"{found['draws']} draws each",
        )

    def _rows(self) -> list[dict[str, Any]]:
        keys = ("auc", "auc_low", "auc_high", "tpr", "tpr_low", "tpr_high")
        return [
            {key: level[key] for key in ("sigma", "member_loss", "other_loss")}
            | {key: level["roc"][key] for key in keys}
            for level in self.json["levels"]
        ]

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for every noise level; needs pandas."""
        import pandas as pd

        return pd.DataFrame(self._rows())

    def plot(self) -> Any:
        """Return an Altair chart of the AUC at every noise level, with its interval."""
        rows = [
            {
                "name": f"sigma {row['sigma']:g}",
                "value": row["auc"],
                "low": row["auc_low"],
                "high": row["auc_high"],
            }
            for row in self._rows()
        ]
        return intervals(rows, "AUC (0.5: not told apart)", domain=(0, 1))


def level_text(level: dict[str, Any]) -> str:
    """Say the AUC of one noise level."""
    roc = level["roc"]
    return (
        f"sigma {level['sigma']:g}: AUC {roc['auc']:.4g} [{roc['auc_low']:.4g}, "
        f"{roc['auc_high']:.4g}]"
    )


def membership(
    run: str | Path,
    *,
    data: Any = None,
    holdout: Any = None,
    weights: str = "ema",
    sigmas: str | Sequence[float] = SIGMAS,
    draws: int = DRAWS,
    false_positive_rate: float = FALSE_POSITIVE_RATE,
    seed: int | None = None,
    device: str | None = None,
) -> Membership:
    """Compare the denoising loss of training and held-out images at each noise level.

    The options are those of `rote membership`; writes `membership.json` into the run's folder.

    Parameters
    ----------
    run, data, holdout, weights, sigmas, device
        As `rote.gap` takes them.
    draws
        Noises for each image and noise level.
    false_positive_rate
        At which the recall of members is taken.
    seed
        Root seed of the noise; None: that of the training.

    Raises
    ------
    ConfigError, DataError
        One line each: as `rote.gap`, or if the model was trained on labels that held-out images lack.
    """
    kind, levels = check_weights(weights), read_sigmas(sigmas)
    check_asked(false_positive_rate)
    told = told_of_run(Path(run))
    seed = told.seed if seed is None else seed
    checkpoint, training, rest = sides_of_run(Path(run), data=data, holdout=holdout, seed=seed)
    with progress("losses measured") as report:
        found = checkpoint_loss_gap(
            checkpoint,
            training,
            rest,
            weights=kind,
            seed=seed,
            sigmas=levels,
            draws=draws,
            fpr=false_positive_rate,
            device=resolve_device(device or told.device),
            on_progress=report,
        )
    write_result(Path(run) / "membership.json", MembershipFile, found)
    return Membership(found)
