"""All spaces, in the order in which they are told.

How each is written stands in its entry. ``module:function``, any function of uint8 images, needs none.
"""

from __future__ import annotations

from collections.abc import Sequence

from rote.core.catalog import Catalog
from rote.core.errors import ConfigError
from rote.spaces.factory import SpaceFactory
from rote.spaces.hub_network import CLIP, DINOV2
from rote.spaces.log_mel import LOG_MEL
from rote.spaces.low_resolution import LOW_RESOLUTION
from rote.spaces.packaged_network import EFFICIENTNET_LITE0, IMGSIM
from rote.spaces.pairwise import PATCH, ST_LPIPS
from rote.spaces.parse import read
from rote.spaces.space import COLUMNS, GOWER, PIXEL, Space
from rote.spaces.user_network import ONNX, SSCD, TORCHSCRIPT, function

SPACES: Catalog[SpaceFactory] = Catalog(
    "`space`",
    (
        SpaceFactory.of(PIXEL),
        LOW_RESOLUTION,
        PATCH,
        ST_LPIPS,
        IMGSIM,
        EFFICIENTNET_LITE0,
        SSCD,
        DINOV2,
        CLIP,
        TORCHSCRIPT,
        ONNX,
        LOG_MEL,
        SpaceFactory.of(COLUMNS),
        SpaceFactory.of(GOWER),
    ),
)


def register(space: SpaceFactory | Space) -> None:
    """Add a space from outside: from then on it can be asked for by its name.

    Raises
    ------
    ConfigError
        If its name is that of a space that comes with rote.
    """
    SPACES.register(SpaceFactory.of(space) if isinstance(space, Space) else space)


def open_space(text: str, *, device: str = "cpu") -> Space:
    """Return the space of a text, such as "lowres:4" or "my_module:my_function".

    Raises
    ------
    ConfigError
        If there is no such space, an extra is not installed, or its weights are others than expected.

    >>> open_space("lowres:4").describe(48)["preprocessing"]
    'means over a grid of 4x4 areas, in 8-bit units'
    """
    wanted = read(text)
    if wanted.name not in SPACES:
        return function(text, SPACES.names)
    return SPACES[wanted.name](wanted, device)


def open_spaces(given: Sequence[str | Space], *, device: str = "cpu") -> tuple[Space, ...]:
    """Return spaces, each of them once, in order; errors as `open_space` has them."""
    spaces = [one if isinstance(one, Space) else open_space(one, device=device) for one in given]
    names = [space.name for space in spaces]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"`space` {name} is given twice; give it once")
    return tuple(spaces)
