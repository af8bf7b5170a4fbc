"""The options that say where the runs of a study or a search are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from rote.cli import options
from rote.cli.values import choice
from rote.core.devices import resolve_device
from rote.core.errors import ConfigError
from rote.core.ray.cluster import check_ray

if TYPE_CHECKING:
    from rote.experiments.execution.engine import RayOptions


Engine = Annotated[
    str, choice("--engine", ("local", "ray"), "Processes here, or a Ray cluster (the extra ray).")
]


@dataclass(frozen=True)
class EngineOptions:
    """Where runs are trained, and where their trainings are shown."""

    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            help="Worker processes, here or of a local Ray: one per core or GPU.",
        ),
    ] = None
    engine: Engine = "local"
    ray_address: Annotated[
        str | None,
        typer.Option(
            "--ray-address",
            help="A Ray cluster (host:port, ray://host:port, auto); else a local one.",
        ),
    ] = None
    gpus_per_run: Annotated[
        float | None,
        typer.Option(
            "--gpus-per-run",
            min=0,
            max=1,
            help="GPUs of each run on Ray, such as 0.25: 1 with CUDA.",
        ),
    ] = None
    track: options.Track = None

    def resolve(self, device: str) -> tuple[int, RayOptions | None, str]:
        """Return the workers, what kind of Ray or None, and the device of the runs."""
        options.refuse_launcher("this command")
        check_engine(self.engine)
        if self.engine == "local":
            for flag, value in (
                ("--ray-address", self.ray_address),
                ("--gpus-per-run", self.gpus_per_run),
            ):
                if value is not None:
                    raise ConfigError(
                        f"{flag} is for --engine ray; add --engine ray, or leave {flag} out"
                    )
        elif self.ray_address is not None and self.workers is not None:
            raise ConfigError("--workers is for a local Ray; leave it out beside --ray-address")
        if self.gpus_per_run and device == "cpu":
            raise ConfigError(
                f"--gpus-per-run {self.gpus_per_run:g} and --device cpu exclude each other"
            )
        # The GPUs of a cluster need not be here.
        if self.engine == "ray" and (
            self.gpus_per_run or (device == "cuda" and self.ray_address is not None)
        ):
            device = "cuda"
        elif self.gpus_per_run == 0 and device == "auto":
            device = "cpu"
        else:
            device = resolve_device(device)
        from rote.experiments.execution.engine import RayOptions, default_workers

        count = self.workers or default_workers(device)
        if self.engine == "local":
            return count, None, device
        share = float(device == "cuda") if self.gpus_per_run is None else self.gpus_per_run
        if device == "cuda" and not share:
            raise ConfigError("--device cuda needs GPUs; give --gpus-per-run more than 0")
        return count, RayOptions(self.ray_address, share), device


def check_engine(name: str) -> None:
    """Refuse an engine that is not installed."""
    if name == "ray":
        check_ray()
