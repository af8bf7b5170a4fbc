"""Which device to compute on."""

from __future__ import annotations

from rote.core.errors import ConfigError, did_you_mean

DEVICES = ("auto", "cpu", "cuda")


def resolve_device(device: str) -> str:
    """Turn auto into a device that is there; torch is imported only where it must be asked.

    Raises
    ------
    ConfigError
        If the device is unknown, or cuda is asked for and there is none.

    >>> resolve_device("cpu")
    'cpu'
    """
    if device not in DEVICES:
        raise ConfigError(f"`device` {device} is unknown{did_you_mean(device, DEVICES)}")
    if device == "cpu":
        return device
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise ConfigError(
            "`device` cuda was asked for, but torch sees no CUDA device here; use `device` cpu, or "
            "install a CUDA build of torch"
        )
    return "cpu"
