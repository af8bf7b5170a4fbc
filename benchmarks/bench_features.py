"""Features: images/s of every network, and the share of time spent outside it.

    python benchmarks/bench_features.py cifar10_test.npz --images 1000

Each network computes the features of the first --images images; then the same prepared tiles go through
the network alone. CPU seconds of this process, the median of --repeats passes, taken in turns; so other
processes on the machine disturb the rates little and the share less. Target: at most 15 % outside.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from rote.core.errors import ConfigError
from rote.data.load import load_images
from rote.spaces import Space, open_space

SPACES = ("lowres", "imgsim:64", "imgsim:96", "efficientnet-lite0:96", "efficientnet-lite0:224")


def network_alone(space: Space, tiles: list[torch.Tensor]) -> float:
    """Return the CPU seconds that the network itself takes for prepared tiles."""
    assert space.network is not None
    start = time.process_time()
    with torch.inference_mode():
        for tile in tiles:
            space.network(tile)
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--images", dest="count", type=int, default=1000)
    parser.add_argument("--spaces", nargs="*", default=SPACES)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    images = np.asarray(load_images(str(given.images)).items[: given.count])
    print(f"{len(images):,} images of {images.shape[2]}x{images.shape[1]}")
    print("| space | images/s of CPU time | outside the network |\n|---|---|---|")
    for name in given.spaces:
        try:
            space = open_space(name, device=given.device)
        except ConfigError as error:
            print(f"| `{name}` | {error} | |")
            continue
        assert space.prepare is not None
        whole, alone = [], []
        for _ in range(given.repeats):
            start = time.process_time()
            space.features(images)
            whole.append(time.process_time() - start)
            parts = range(0, len(images) - len(images) % space.tile or space.tile, space.tile)
            tiles = [space.prepare(images[a : a + space.tile]) for a in parts]
            # The last tile is filled up in `features`; here it counts in proportion.
            alone.append(network_alone(space, tiles) * len(images) / sum(map(len, tiles)))
        seconds = statistics.median(whole)
        outside = statistics.median(1 - b / a for a, b in zip(whole, alone, strict=True))
        print(f"| `{name}` | {len(images) / seconds:,.0f} | {100 * outside:.0f} % |", flush=True)


if __name__ == "__main__":
    main()
