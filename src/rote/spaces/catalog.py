"""All spaces by name.

===========================  ==========================================================================
name                         where distances are taken
===========================  ==========================================================================
``pixel``                    8-bit values, on integers (the default)
``lowres[:SIZE]``            area means, 8x8 unless given: fast, and blind to small shifts and noise
``patch``                    the worst of 4x4 tiles, among the 50 nearest in pixels
``st-lpips``                 a perceptual distance of pairs, among the 10 nearest in pixels
``imgsim[:SIZE]``            ResNet-50 trained for the similarity of copies
``efficientnet-lite0[:SIZE]``  EfficientNet-Lite0, trained on ImageNet's classes
``sscd:PATH``                a descriptor of copies, from its published TorchScript file
``dinov2``, ``clip``         from the Hugging Face hub, or a folder behind a colon
``torchscript:PATH``         any TorchScript file; ``onnx:PATH`` any ONNX file
``module:function``          any function of uint8 images
``columns``                  numbers, as `rote.data.scaling` scales them: the default of what is no image
``gower``                    Gower's distance of rows: the default of tables with categorical columns
===========================  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rote.core.errors import ConfigError
from rote.spaces import hub_network as hubs
from rote.spaces import low_resolution as plain
from rote.spaces import packaged_network as packaged
from rote.spaces import pairwise as pairs
from rote.spaces import user_network as given
from rote.spaces.parse import Wanted, check_options, read
from rote.spaces.space import COLUMNS, GOWER, PIXEL, Space

Opener = Callable[[Wanted, str], Space]


def _plain(wanted: Wanted, device: str) -> Space:
    check_options(wanted, ())
    if wanted.argument:
        raise ConfigError(f"`spaces` {wanted.text}: {wanted.name} takes nothing behind it")
    return {space.name: space for space in (PIXEL, COLUMNS, GOWER)}[wanted.name]


OPENERS: dict[str, Opener] = {
    "pixel": _plain,
    "columns": _plain,
    "gower": _plain,
    "lowres": plain.lowres,
    "patch": pairs.patch,
    "st-lpips": pairs.st_lpips,
    "imgsim": packaged.imgsim,
    "efficientnet-lite0": packaged.efficientnet_lite0,
    "sscd": given.sscd,
    "dinov2": hubs.dinov2,
    "clip": hubs.clip,
    "torchscript": given.torchscript,
    "onnx": given.onnx,
}


def open_space(text: str, *, device: str = "cpu") -> Space:
    """Return the space of a text as the module's table tells them.

    Raises
    ------
    ConfigError
        If there is no such space, an extra is not installed, or its weights are others than expected.

    >>> open_space("lowres:4").describe(48)["preprocessing"]
    'means over a grid of 4x4 areas, in 8-bit units'
    """
    wanted = read(text)
    opener = OPENERS.get(wanted.name)
    if opener is None:
        return given.function(text, OPENERS)
    return opener(wanted, device)


def open_spaces(given: Sequence[str | Space], *, device: str = "cpu") -> tuple[Space, ...]:
    """Return spaces, each of them once, in order; errors as `open_space` has them."""
    spaces = [one if isinstance(one, Space) else open_space(one, device=device) for one in given]
    names = [space.name for space in spaces]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"`spaces` {name} is given twice; give it once")
    return tuple(spaces)
