"""The flags of who trains in place of rote, and times as people write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from rote.cli.values import choice
from rote.core.errors import ConfigError

if TYPE_CHECKING:
    from rote.experiments.trainers.config import TrainerConfig

LAYOUTS = ("auto", "folder", "captions", "npz", "csv")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True)
class TrainerOptions:
    """Who trains in place of rote."""

    function: Annotated[
        str | None,
        typer.Option(
            "--trainer",
            metavar="MODULE:FUNCTION",
            help="Let this function train and sample in place of rote (see the how-to on trainers).",
        ),
    ] = None
    train_command: Annotated[
        str | None,
        typer.Option(
            "--train-command",
            metavar="COMMAND",
            help='Let a command train, such as "python train.py {data} {out} {seed}".',
        ),
    ] = None
    sample_command: Annotated[
        str | None,
        typer.Option(
            "--sample-command",
            metavar="COMMAND",
            help='Let a command sample: "python sample.py {out} {num} {seed} {samples}".',
        ),
    ] = None
    layout: Annotated[
        str, choice("--layout", LAYOUTS, "What {data} is; auto: as the data are.")
    ] = "auto"
    time_limit: Annotated[
        str | None,
        typer.Option("--time-limit", metavar="TIME", help="Most that one command may take (20m)."),
    ] = None

    def config(self) -> TrainerConfig | None:
        """Return the trainer that was asked for, or None.

        Raises
        ------
        ConfigError
            If the options do not go together.
        """
        from rote.experiments.trainers.config import TrainerConfig

        if self.function is None and self.train_command is None:
            if self.sample_command or self.time_limit or self.layout != "auto":
                raise ConfigError(
                    "--sample-command, --layout and --time-limit need --train-command"
                )
            return None
        if self.function is not None and self.train_command is not None:
            raise ConfigError("give either --trainer or --train-command")
        if self.function is not None and self.sample_command is not None:
            raise ConfigError(
                "--trainer samples by itself; --sample-command goes with --train-command"
            )
        return TrainerConfig(
            function=self.function,
            train_command=self.train_command,
            sample_command=self.sample_command,
            layout=self.layout,
            time_limit=None if self.time_limit is None else _seconds(self.time_limit),
        )


@dataclass(frozen=True)
class ToldTrainerOptions:
    """Who trains in place of rote, and what it is told beside what is varied."""

    trainer: TrainerOptions
    told: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="trainer.NAME=VALUE: what the trainer is told. Repeatable.",
        ),
    ] = None

    def config(self) -> TrainerConfig | None:
        """Return the trainer with its settings and the digest of its source, or None."""
        from rote.experiments.trainers.config import resolved

        chosen, told = self.trainer.config(), self.told or []
        if others := [text for text in told if not text.startswith("trainer.")]:
            raise ConfigError(
                f"--set {others[0]}: a study takes trainer.NAME=VALUE alone; what rote's own training "
                "varies is in the study's file"
            )
        if chosen is None:
            if told:
                raise ConfigError(f"--set {told[0]} needs --trainer or --train-command")
            return None
        return resolved(chosen.told([text.removeprefix("trainer.") for text in told]), here=False)


def amount_of(text: str) -> tuple[float, str]:
    """Read a number with or without a unit of time; 0 where it is none above 0 and finite."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "")
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    return (value if 0 < value < float("inf") else 0.0), unit


def _seconds(text: str) -> float:
    value, unit = amount_of(text)
    if not value:
        raise ConfigError(f"--time-limit {text!r} is no time; give one such as 90s, 20m or 2h")
    return value * UNITS[unit or "s"]
