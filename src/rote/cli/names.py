"""Names that are known before what they name is imported, so that a wrong one is said at once.

Tests hold them against the catalogs. A catalog that is imported is asked itself: extensions add to it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer

from rote.cli.values import completed
from rote.core.errors import ConfigError, did_you_mean
from rote.data.ahead.existing import near

SPACES = (
    *("pixel", "lowres", "patch", "st-lpips", "imgsim", "efficientnet-lite0", "sscd"),
    *("dinov2", "clip", "torchscript", "onnx", "log-mel", "columns", "gower"),
)
CRITERIA = ("ratio", "calibrated", "carlini", "tiles", "absolute", "authenticity")

REMEDIES = (
    *("early-stop", "away", "guidance", "late-labels", "churn", "steps"),
    *("dedup", "mirror", "noisy-data", "weight-decay", "dropout"),
    *("random-words", "embedding-noise", "late-text", "prompt-adjustment"),
    *("caption-words", "several-captions"),
)


def remedy_names() -> tuple[str, ...]:
    """Return the names of all remedies."""
    found = sys.modules.get("rote.experiments.mitigation.remedies")
    return REMEDIES if found is None else found.REMEDIES.names


def space_names() -> tuple[str, ...]:
    """Return the names of all spaces."""
    found = sys.modules.get("rote.spaces.catalog")
    return SPACES if found is None else found.SPACES.names


def criterion_names() -> tuple[str, ...]:
    """Return the names of all criteria."""
    found = sys.modules.get("rote.memorization.criteria.catalog")
    return CRITERIA if found is None else found.CRITERIA.names


def study_names() -> tuple[str, ...]:
    """Return the names of all studies, by their files."""
    found = sys.modules.get("rote.experiments.studies.factor")
    if found is not None:
        return tuple(found.factor_names())
    rote = find_spec("rote")
    assert rote is not None and rote.origin
    folder = Path(rote.origin).parent / "experiments" / "studies" / "factors"
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def named(flag: str, names: Callable[[], tuple[str, ...]], metavar: str, help: str) -> Any:
    """Return an option that takes names of a catalog, several of them, each with its own settings."""

    def check(given: list[str] | None) -> list[str] | None:
        for text in given or []:
            # With a colon it may be a function of a module.
            head = re.split("[:=]", text)[0]
            if head not in names() and ":" not in text:
                raise ConfigError(f"{flag} '{head}' is unknown{did_you_mean(head, names())}")
        return given

    return typer.Option(
        flag, metavar=metavar, help=help, callback=check, autocompletion=_completed(names)
    )


def study_name(help: str, *, others: tuple[str, ...]) -> Any:
    """Return an argument that takes the name of a study, a TOML file, or one of ``others``."""

    def names() -> tuple[str, ...]:
        return (*others, *study_names())

    def check(name: str) -> str:
        if name not in names() and not name.endswith(".toml"):
            raise ConfigError(f"the study '{name}' is unknown{did_you_mean(name, names())}")
        return name

    return typer.Argument(help=help, callback=check, autocompletion=_completed(names))


def _completed(names: Callable[[], tuple[str, ...]]) -> Callable[[str], list[str]]:
    return lambda incomplete: completed(names())(incomplete)


def made_by(commands: str, *, help: str, label: str = "") -> Any:
    """Return an argument for what one of ``commands`` has written, which has to be there."""

    def check(path: Path) -> Path:
        if not path.exists():
            raise ConfigError(
                f"{label}{path} does not exist{near(path)}; give the --out of {commands}"
            )
        return path

    return typer.Argument(help=help, callback=check)
