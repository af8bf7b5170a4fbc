"""Training as one readable loop, resumable bit for bit.

All randomness of a step is a function of the seed and the images seen (`step`), so a resumed run needs
the weights, the optimizer's moments and that number, and no generator state. The data lies on the device
as one tensor.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from rote.core.atomic_files import write_json
from rote.core.errors import ConfigError, Interrupted
from rote.core.precision import strict_fp32
from rote.core.run_folder import Metrics, Run
from rote.core.seeds import child_seed
from rote.data.dataset import Dataset
from rote.diffusion.checkpoint import Checkpoint, load_checkpoint, save_snapshot
from rote.diffusion.conditioning import conditioning
from rote.diffusion.config import ModelConfig, TrainConfig
from rote.diffusion.preconditioning import build_denoiser
from rote.diffusion.training.distributed import ALONE, Ranks
from rote.diffusion.training.state import TrainState
from rote.diffusion.training.step import Step

SAVE_SECONDS = 60.0


def train(
    dataset: Dataset,
    model: ModelConfig,
    config: TrainConfig,
    *,
    out: Path,
    seed: int,
    device: str = "cpu",
    until: int | None = None,
    ranks: Ranks = ALONE,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int, int], None] = lambda images_seen, total: None,
    on_metrics: Callable[[dict[str, Any]], None] = lambda row: None,
    on_note: Callable[[str], None] = lambda note: None,
) -> Checkpoint:
    """Train a denoiser into a run directory, or carry on where an earlier call stopped.

    Parameters
    ----------
    dataset
        Training images, or vectors in model units (`rote.data.convert.for_models`), whose scaling is
        recorded so that samples can be put back into their units.
    model, config
        What to train and how.
    out
        The run directory.
    seed
        Root seed of weights, order, noise, dropout and random labels.
    device
        "cpu" or "cuda".
    until
        Images seen of the snapshot to stop at; None: the last one. A later call carries on from there.
    ranks
        The processes that train together (`rote.diffusion.training.distributed.launched`); the first
        one writes, and the directory must be seen by all. Changes the order of sums.
    should_stop
        Asked before every step; once true, the state is saved and `Interrupted` raised.
    on_progress
        Called at every log line with the images seen and the total.
    on_metrics
        Called with every row of `metrics.jsonl`.
    on_note
        Called with what a person should know: that the device ran out of memory, and the batch is taken
        in smaller parts from then on (the same result but for the order of sums).

    Returns
    -------
    Checkpoint
        The snapshot at ``until``, or the last one.

    Raises
    ------
    Interrupted
        If ``should_stop`` said so; the same call carries on, bit for bit on a CPU.
    RunError
        If the directory belongs to another configuration or process, the disk is full, there is no
        memory for a single image, or the loss is no number any more.
    DataError
        If the data cannot be conditioned as asked.
    """
    size, total = len(dataset), config.total_images(len(dataset))
    end = _checked_end(dataset, config, until)
    conditions = conditioning(dataset, config, seed=seed)
    rows = ranks.rows(config.batch)
    bound = training(dataset, model, config, seed=seed)
    facts = {"seed": seed, "device": device, "precision": config.precision}
    with contextlib.ExitStack() as stack:
        stack.enter_context(strict_fp32())
        run = stack.enter_context(Run(out, bound, facts=facts)) if ranks.main else None
        if run and dataset.scaling is not None:
            write_json(out / "schema.json", dataset.scaling.to_json())
        last = _snapshot_path(out, end)
        if ranks.any(ranks.main and last.exists()):
            return load_checkpoint(last)
        denoiser = build_denoiser(
            model, dataset.shape, label_count=conditions.count, seed=child_seed(seed, "init")
        )
        state = TrainState(denoiser, config, torch.device(device))
        state_path = out / "checkpoints" / "state.safetensors"
        if state_path.exists():
            state.load(state_path)
        metrics = Metrics(out / "metrics.jsonl", resume_at=state.images_seen) if run else None

        def note(text: str) -> None:
            if run:
                run.note(text)
            on_note(text)

        step = Step(
            dataset,
            config,
            conditions,
            state,
            seed=seed,
            device=torch.device(device),
            rows=rows,
            ranks=ranks,
            on_note=note,
        )
        snapshots, log_every = set(config.snapshots(size)), log_interval(config)
        saved_at = time.monotonic()
        with run.timed("train") if run else contextlib.nullcontext():
            while state.images_seen < end:
                if ranks.any(should_stop()):
                    if run:
                        state.save(state_path)
                    raise Interrupted
                step()
                seen = state.images_seen
                if seen % log_every == 0 or seen == total:
                    row = {"images_seen": seen, "loss": state.mean_loss()}
                    if metrics:
                        metrics.append(row)
                    on_metrics(row)
                    on_progress(seen, total)
                if run and seen in snapshots:
                    _save_snapshot(_snapshot_path(out, seen), state, dataset, model, config, seed)
                if run and (seen in snapshots or time.monotonic() - saved_at > SAVE_SECONDS):
                    state.save(state_path)
                    saved_at = time.monotonic()
        if end == total and run:
            # The last snapshot is what counts now; the full state is three times its size.
            state_path.unlink(missing_ok=True)
        ranks.wait()  # the others wait until the first one has written
        return load_checkpoint(last)


def _checked_end(dataset: Dataset, config: TrainConfig, until: int | None) -> int:
    """Return the images seen at which to stop, once the configuration fits the data."""
    if config.mirror and not dataset.in_levels:
        raise ConfigError("train.mirror is for images and volumes; vectors have no left and right")
    end = config.total_images(len(dataset)) if until is None else until
    assert end in config.snapshots(len(dataset)), f"{end} is no snapshot"
    return end


def _snapshot_path(out: Path, images_seen: int) -> Path:
    return out / "checkpoints" / f"{images_seen}.safetensors"


def _save_snapshot(
    path: Path,
    state: TrainState,
    dataset: Dataset,
    model: ModelConfig,
    config: TrainConfig,
    seed: int,
) -> None:
    unused = conditioning(dataset, config, seed=seed).unused()
    state.check_finite()
    save_snapshot(
        path,
        model=model,
        shape=dataset.shape,
        label_count=state.denoiser.label_count,
        images_seen=state.images_seen,
        facts={
            "labels": config.labels,
            "label_dropout": config.label_dropout,
            "scaling": dataset.scaling.to_json() if dataset.scaling else None,
            "seed": seed,
            "dataset": dataset.digest,
            **({"unused_labels": unused} if unused else {}),
        },
        raw=state.denoiser.state_dict(),
        ema=state.ema.tensors,
    )


def training(
    dataset: Dataset, model: ModelConfig, config: TrainConfig, *, seed: int
) -> dict[str, Any]:
    """Return what a training run belongs to, as `config.json` has it: all that decides its weights."""
    return {
        "kind": "train",
        "seed": seed,
        "dataset": {
            "digest": dataset.digest,
            "source": dataset.source,
            "count": len(dataset),
        },
        "model": model.to_json(),
        "train": config.model_dump(mode="json"),
    }


def log_interval(config: TrainConfig) -> int:
    """Return the images between two log lines: ``log_images`` as a whole number of batches."""
    return max(1, round(config.log_images / config.batch)) * config.batch
