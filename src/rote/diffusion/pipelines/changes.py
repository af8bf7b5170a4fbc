"""What stands between a pipeline's text and its denoiser while images are drawn.

A pipeline of diffusers predicts with and without the prompt side by side: the first half of a batch
without, the second half with it. A change is a context around one call of the pipeline, in which a hook
alters the text that the second half is told. Each image's change depends on the image alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from rote.core.errors import ConfigError
from rote.core.seeds import child_seed
from rote.diffusion.pipelines.opened import OpenPipeline
from rote.diffusion.pipelines.prompts import Asked

Change = Callable[[OpenPipeline, Sequence[Asked]], contextlib.AbstractContextManager[None]]
ROUNDS, RATE = 20, 0.05
"""Steps of an adjustment of a prompt at most, and the length of one, of the size of its numbers."""


@contextlib.contextmanager
def unchanged(pipeline: OpenPipeline, asked: Sequence[Asked]) -> Iterator[None]:
    """Draw as the pipeline does."""
    yield


def noisy_text(strength: float) -> Change:
    """Add Gaussian noise to the text, ``strength`` times the size (RMS) of its numbers; 0 adds none.

    Somepalli, Singla, Goldblum, Geiping and Goldstein, "Understanding and mitigating copying in diffusion
    models", NeurIPS 2023.
    """

    def change(
        pipeline: OpenPipeline, asked: Sequence[Asked]
    ) -> contextlib.AbstractContextManager[None]:
        seeds = [child_seed(one.seed, "noise") for one in asked]

        def noisy(told: Tensor, _: Tensor, __: Any) -> Tensor:
            noise = [
                torch.randn(told.shape[1:], generator=torch.Generator().manual_seed(seed))
                for seed in seeds
            ]
            return told + strength * _size(told) * torch.stack(noise).to(told)

        return _with_text(pipeline, len(asked), noisy)

    return change


def late_text(share: float) -> Change:
    """Tell the text in the last part of the noise levels alone, the empty one before; 0 is as it is.

    Parameters
    ----------
    share
        Of the time steps that the network was trained on, before the text is told, from 0 to 1.
    """

    def change(
        pipeline: OpenPipeline, asked: Sequence[Asked]
    ) -> contextlib.AbstractContextManager[None]:
        last = (1 - share) * pipeline.given.scheduler.config.num_train_timesteps

        def late(told: Tensor, without: Tensor, call: Any) -> Tensor:
            return told if float(torch.as_tensor(call.time).flatten()[0]) <= last else without

        return _with_text(pipeline, len(asked), late)

    return change


def adjusted_text(share: float) -> Change:
    """Adjust the text before the first step until it adds ``share`` of what it added; 1 is as it is.

    What a text adds is the length of e(x_T, text) - e(x_T, empty), which is large where a text decides
    from pure noise what the image will be. It is made small by steps of Adam on the text alone.

    Wen, Liu, Chen and Lyu, "Detecting, explaining, and mitigating memorization in diffusion models", ICLR
    2024, section 4.
    """

    def change(
        pipeline: OpenPipeline, asked: Sequence[Asked]
    ) -> contextlib.AbstractContextManager[None]:
        found: list[Tensor] = []

        def adjusted(told: Tensor, without: Tensor, call: Any) -> Tensor:
            if not found:
                found.append(_adjusted(told, without, call, share))
            return found[0]

        return _with_text(pipeline, len(asked), adjusted)

    return change


def _adjusted(told: Tensor, without: Tensor, call: _Call, share: float) -> Tensor:
    """Return the text (B, L, D) adjusted, each prompt until it adds little enough."""
    with torch.enable_grad():
        at = told.detach().clone()
        first, rate = None, RATE * _size(told)
        mean, square = torch.zeros_like(at), torch.zeros_like(at)
        for step in range(1, ROUNDS + 1):
            at.requires_grad_()
            before, after = call.predicted(torch.cat([without, at])).chunk(2)
            added = (after - before.detach()).flatten(1).norm(dim=1)
            first = added.detach() if first is None else first
            left = (added.detach() > share * first).view(-1, 1, 1)
            if not bool(left.any()):
                break
            (slope,) = torch.autograd.grad(added.sum(), at)
            mean = 0.9 * mean + 0.1 * slope
            square = 0.999 * square + 0.001 * slope**2
            move = mean / (1 - 0.9**step) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
            at = torch.where(left, at - rate * move, at).detach()
    return at.detach()


def _size(told: Tensor) -> Tensor:
    """Return the root mean square of each text (B, L, D), as (B, 1, 1)."""
    return told.float().square().mean(dim=(1, 2), keepdim=True).sqrt().to(told.dtype)


class _Call:
    """One call of a denoiser."""

    def __init__(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._module, self._args, self._kwargs = module, args, kwargs

    @property
    def time(self) -> Any:
        """The time step."""
        return self._kwargs["timestep"] if "timestep" in self._kwargs else self._args[1]

    def predicted(self, told: Tensor) -> Tensor:
        """Predict with another text, past the hooks."""
        kwargs = self._kwargs | {"encoder_hidden_states": told}
        result = self._module.forward(*self._args, **kwargs)
        found: Tensor = result[0] if isinstance(result, tuple) else result.sample
        return found


@contextlib.contextmanager
def _with_text(
    pipeline: OpenPipeline, count: int, change: Callable[[Tensor, Tensor, _Call], Tensor]
) -> Iterator[None]:
    """Hand ``change`` the text with the prompt, the one without, and the call; tell what it returns."""

    def before(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        told = kwargs.get("encoder_hidden_states")
        if told is None or len(told) != 2 * count:
            raise ConfigError(
                f"the pipeline {pipeline.name} does not predict with and without the prompt side by side "
                "(it has no classifier-free guidance, or guidance is 1 or less), so its text cannot be "
                "changed; give a guidance above 1"
            )
        without, with_text = told.chunk(2)
        new = change(with_text, without, _Call(module, args, kwargs))
        return args, kwargs | {"encoder_hidden_states": torch.cat([without, new])}

    hook = pipeline.denoiser.register_forward_pre_hook(before, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
