"""Two audits compared: the difference of their rates with its interval.

Paired where the generated sides were drawn from the same noise seeds: then image i of one belongs to
image i of the other, and the interval is the narrower one of paired data (Newcombe 1998, method 10) with
McNemar's exact test; else that of two independent samples.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.core.atomic_files import read_json
from rote.core.errors import ConfigError, RunError, did_you_mean
from rote.core.files.saved_together import read_together
from rote.core.presentation.shown import Shown
from rote.results.audit import CompareFile
from rote.results.schema import write_result
from rote.stats.rates import Difference, Rate, mcnemar, newcombe, newcombe_paired, wilson

TOLD = {
    *("name", "direction", "title", "label", "words", "unit", "formula", "source", "calibration"),
    *("rate", "control", "excess", "unproven"),
}
"""What an audit says of a criterion beside the numbers of its rule."""


@dataclass(frozen=True, eq=False)
class Saved:
    """What comparing needs of an audit folder."""

    folder: Path
    rate: Rate
    memorized: npt.NDArray[np.bool_]
    seeds: npt.NDArray[np.int64] | None
    facts: dict[str, Any]


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """The difference first - second of two rates.

    Attributes
    ----------
    paired
        Whether the two generated sides were compared image by image.
    why
        Why they were, or were not.
    p_value
        McNemar's, exact and two-sided; None if not paired.
    first_only, second_only
        Images memorized in one alone; None if not paired.
    warnings
        What makes the two rates differ for another reason than the models.
    """

    criterion: str
    first: Rate
    second: Rate
    difference: Difference
    paired: bool
    why: str
    p_value: float | None
    first_only: int | None
    second_only: int | None
    warnings: tuple[str, ...]

    def sentences(self) -> Sequence[str]:
        """Return the difference, both rates, whether they were paired, and what else differs."""
        paired = f"independent samples: {self.why}"
        if self.p_value is not None:
            paired = f"paired: {self.why} (McNemar, exact: p = {self.p_value:.3g})"
        return (
            f"memorized by {self.criterion}, first - second: {self.difference}",
            f"first: {self.first}",
            f"second: {self.second}",
            paired,
            *(f"note: {warning}" for warning in self.warnings),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as plain types."""
        return {
            "kind": "compare",
            "criterion": self.criterion,
            "first": self.first.to_json(),
            "second": self.second.to_json(),
            "difference": self.difference.to_json(),
            "paired": self.paired,
            "why": self.why,
            "mcnemar": None
            if self.p_value is None
            else {
                "p_value": self.p_value,
                "first_only": self.first_only,
                "second_only": self.second_only,
            },
            "warnings": list(self.warnings),
        }

    def save(self, out: str | Path, *, folders: tuple[str | Path, str | Path]) -> None:
        """Write `compare.json` into the folder ``out``, from which ``folders`` are then told."""
        out = Path(out).resolve()
        if (out / "audit.json").exists():
            raise ConfigError(f"`out` {out} holds an audit; give another folder")
        seen = [os.path.relpath(Path(folder).resolve(), out) for folder in folders]
        write_result(out / "compare.json", CompareFile, {**self.to_json(), "folders": seen})


def compare(
    first: str | Path, second: str | Path, *, criterion: str = "ratio", paired: bool = False
) -> Comparison:
    """Compare two audit folders.

    Parameters
    ----------
    first, second
        Folders that `Audit.save` wrote.
    criterion
        Whose verdicts to compare; both audits must have it.
    paired
        Take image i of one for the partner of image i of the other without seeds that say so; the
        counts must be equal.

    Raises
    ------
    RunError
        If a folder holds no audit, or a damaged one.
    ConfigError
        If one of them lacks the criterion, or they cannot be paired.
    """
    a, b = (
        read_saved(Path(folder), criterion, name)
        for name, folder in (("FIRST", first), ("SECOND", second))
    )
    told = _warnings(a, b, criterion)
    if a.rate.confidence != b.rate.confidence:
        b = replace(b, rate=wilson(b.rate.count, b.rate.total, confidence=a.rate.confidence))
        told += (
            f"the audits give other intervals: here both are at {100 * a.rate.confidence:g} %",
        )
    same_seeds = a.seeds is not None and b.seeds is not None and np.array_equal(a.seeds, b.seeds)
    if paired and len(a.memorized) != len(b.memorized):
        raise ConfigError(
            f"`paired` needs equally many images, and {a.folder} has {len(a.memorized):,}, {b.folder} "
            f"{len(b.memorized):,}; leave it out"
        )
    if same_seeds:
        why = "both generated sides tell the same noise seeds"
    elif paired:
        why = "`paired` was given; image i is taken for the partner of image i"
    elif a.seeds is None or b.seeds is None:
        why = "not both generated sides tell their noise seeds"
    else:
        why = "the noise seeds differ"
    p_value = first_only = second_only = None
    if same_seeds or paired:
        both = int((a.memorized & b.memorized).sum())
        first_only, second_only = a.rate.count - both, b.rate.count - both
        neither = len(a.memorized) - both - first_only - second_only
        difference = newcombe_paired(
            both, first_only, second_only, neither, confidence=a.rate.confidence
        )
        p_value = mcnemar(first_only, second_only)
    else:
        difference = newcombe(a.rate, b.rate)
    return Comparison(
        criterion=criterion,
        first=a.rate,
        second=b.rate,
        difference=difference,
        paired=same_seeds or paired,
        why=why,
        p_value=p_value,
        first_only=first_only,
        second_only=second_only,
        warnings=told,
    )


def read_saved(folder: Path, criterion: str, name: str = "the audit") -> Saved:
    """Read what comparing needs of an audit folder; of one save alone.

    Raises
    ------
    RunError
        If ``folder``, called ``name``, holds no audit, or a damaged one.
    ConfigError
        If it lacks the criterion.
    """
    return read_together(folder, partial(_read, folder, criterion, name))


def _read(folder: Path, criterion: str, name: str) -> Saved:
    path = folder / "audit.json"
    if not path.is_file():
        what = "does not exist" if not folder.exists() else "holds no audit.json"
        raise RunError(f"{name} {folder} {what}; give the `out` folder of a finished `rote audit`")
    facts = read_json(path)
    if facts.get("kind") != "audit":
        raise RunError(f"{path} is not an audit; give the `out` of `rote audit`")
    arrays = _arrays(folder / "neighbors.npz")
    key = f"memorized_{criterion}"
    known = [name.removeprefix("memorized_") for name in arrays if name.startswith("memorized_")]
    if key not in arrays:
        raise ConfigError(
            f"`criterion` {criterion} is not in {path}{did_you_mean(criterion, known or ['ratio'])}"
        )
    memorized = arrays[key].astype(bool)
    try:
        confidence, total = float(facts["rate"]["confidence"]), int(facts["rate"]["total"])
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{path} is damaged: it has no rate; run `rote audit` again") from None
    if memorized.shape != (total,):
        raise RunError(f"{folder / 'neighbors.npz'} does not belong to {path}; run again")
    rate = wilson(int(memorized.sum()), total, confidence=confidence)
    return Saved(folder, rate, memorized, arrays.get("seeds"), facts)


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as loaded:
            wanted = [n for n in loaded.files if n == "seeds" or n.startswith("memorized_")]
            return {name: loaded[name] for name in wanted}
    except FileNotFoundError:
        raise RunError(f"{path} does not exist; run `rote audit` with `out` again") from None
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{path} is damaged ({reason}); delete it and run again") from None


def _warnings(a: Saved, b: Saved, criterion: str) -> tuple[str, ...]:
    checks = [
        (("training", "digest"), "the training sets differ: part of the difference is theirs"),
        (
            ("training", "count"),
            "the training sets have different sizes: the ratio drifts with size",
        ),
        (
            ("training", "shape"),
            "the images have different sizes: the ratio drifts with resolution",
        ),
        (("set_aside",), "different numbers of training items were set aside"),
        (("ruler",), "the images were brought to the ruler in different ways"),
        (
            ("duplicates", "near", "rms"),
            "the radii of near-duplicates differ, and so the second nearest",
        ),
        (("invariances", "names"), "the audits match over different invariances"),
        (("criterion", "space"), "the distances are taken in different spaces"),
    ]
    entry = _fact(a, ("criteria", criterion)) or {}
    if entry.get("calibration"):
        checks.append((("control", "digest"), "the thresholds were calibrated on different images"))
        asked = ("criteria", criterion, "calibration", "asked")
        checks.append((asked, "the thresholds were calibrated to different false-positive rates"))
    else:
        for key in sorted(entry.keys() - TOLD):
            checks.append((("criteria", criterion, key), f"the {key} of {criterion} differs"))
    return tuple(text for path, text in checks if _fact(a, path) != _fact(b, path))


def _fact(saved: Saved, path: tuple[str, ...]) -> Any:
    """Return what stands at a path of `audit.json`, entries of lists by name; None where nothing."""
    here: Any = saved.facts
    for key in path:
        if isinstance(here, list):
            here = next((e for e in here if isinstance(e, dict) and e.get("name") == key), None)
        else:
            here = here.get(key) if isinstance(here, dict) else None
    return here
