"""A callback of transformers' trainers (and of those derived from them) that watches for memorization."""

from __future__ import annotations

from typing import Any

from rote.integrations.missing import missing
from rote.integrations.watch import ModelSampler, check_model, measured, told_to_all
from rote.memorization.monitor.monitor import MemorizationMonitor

try:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
except ImportError as error:
    raise missing("transformers", "transformers") from error


class MemorizationCallback(TrainerCallback):
    """Feeds a `rote.MemorizationMonitor` at every evaluation of a `transformers.Trainer`.

    The checks stand in the metrics of the evaluation and in the trainer's history, as
    ``eval_memorization``, ``eval_memorization_low``, ``eval_memorization_high``,
    ``eval_memorization_collapsed`` and ``eval_memorization_novel``; so ``metric_for_best_model`` can name
    one. Where the monitor says `should_stop`, training stops.

    Parameters
    ----------
    monitor
        The monitor; an evaluation makes a check once ``every_images`` have been seen since the last one.
    sampler
        ``f(model, num, seed)`` that returns ``num`` images; called in evaluation mode without gradients.
    """

    def __init__(self, monitor: MemorizationMonitor, sampler: ModelSampler) -> None:
        self.monitor = monitor
        self._sampler = sampler

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        *,
        model: Any = None,
        metrics: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Check if one is due, and perhaps ask for the end."""
        step = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        if state.is_world_process_zero:
            checks = check_model(self.monitor, state.global_step * step, model, self._sampler)
            found = measured(checks, prefix="eval_memorization")
            if metrics is not None:
                metrics.update(found)
            if found:
                state.log_history.append({"step": state.global_step, **found})
        if told_to_all(stop=self.monitor.should_stop):
            control.should_training_stop = True
