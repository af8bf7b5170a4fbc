"""Watch a training of your own for memorization: a diffusion model in plain torch, on digits.

    python examples/plain_torch_loop.py

Nothing here but data and monitor comes from rote: put the lines marked ### into your loop. The model is
a small flow-matching network (Lipman et al. 2023) on 8x8 digits. It sees few images again and again, so
that it begins to copy them within half a minute on one core.
"""

import argparse
import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from rote import MemorizationMonitor, load_images


class Velocity(nn.Module):
    """Predicts noise - image from an image at noise level t in [0, 1]; float32 (B, 1, 8, 8)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(64 + 32, width)
        self.hidden = nn.ModuleList(nn.Linear(width + 32, width) for _ in range(3))
        self.last = nn.Linear(width, 64)
        self.register_buffer("frequencies", 2.0 ** torch.arange(16) * 0.1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the velocity of x (B, 1, 8, 8) at t (B,)."""
        angles = t[:, None] * self.frequencies
        time = torch.cat([angles.sin(), angles.cos()], dim=1)
        h = nn.functional.silu(self.first(torch.cat([x.flatten(1), time], dim=1)))
        for layer in self.hidden:
            h = h + nn.functional.silu(layer(torch.cat([h, time], dim=1)))
        return self.last(h).view_as(x)


@torch.no_grad()
def sample(network: Velocity, num: int, seed: int, *, steps: int = 40) -> Tensor:
    """Draw images, float32 (num, 1, 8, 8) in about [-1, 1], by Euler steps from noise to image."""
    x = torch.randn(num, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    for step in range(steps):
        t = 1 - step / steps
        x = x - network(x, torch.full((num,), t)) / steps
    return x


def main() -> None:
    """Train, and say when copying began."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--size", type=int, default=64, help="training images")
    parser.add_argument("--images", type=int, default=1_000_000, help="images to train for")
    parser.add_argument("--every", type=int, default=100_000, help="images between two checks")
    parser.add_argument("--samples", type=int, default=400, help="images drawn for each check")
    parser.add_argument("--width", type=int, default=256, help="width of the network")
    parser.add_argument("--out", type=Path, help="file that keeps the curve")
    parser.add_argument("--stop", action="store_true", help="stop when memorization has begun")
    options = parser.parse_args()

    torch.manual_seed(0)
    digits = load_images("digits")
    order = torch.randperm(len(digits)).numpy()
    training, rest = digits.take(order[: options.size]), digits.take(order[options.size :])
    images = training.tensor().float() / 127.5 - 1

    network = Velocity(options.width)
    average = copy.deepcopy(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    monitor = MemorizationMonitor(  ### 1: the data; real digits that were not trained on as control
        training,
        holdout=rest,
        every_images=options.every,
        samples=options.samples,
        value_range=(-1, 1),
        stop_at="begun" if options.stop else None,
        out=options.out,
    )

    images_seen, batch = 0, 128
    while images_seen < options.images:
        clean = images[torch.randint(len(images), (batch,))]
        noise, t = torch.randn_like(clean), torch.rand(batch)
        mixed = clean + t.view(-1, 1, 1, 1) * (noise - clean)
        loss = (network(mixed, t) - (noise - clean)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), network.parameters(), strict=True):
                slow.lerp_(fast, 0.005)
        images_seen += batch

        checks = monitor(  ### 2: call it at every step; it acts every so many images
            images_seen,
            {
                "raw": lambda num, seed: sample(network, num, seed),
                "ema": lambda num, seed: sample(average, num, seed),
            },
        )
        for check in checks:
            print(check)
        if monitor.should_stop:  ### 3: if you like
            break

    print(f"held-out digits that look memorized: {monitor.control}")
    if monitor.begun is None:
        print(f"memorization has not begun after {images_seen:,} images")
    else:
        print(f"memorization began by {monitor.begun:,} images ({monitor.begun_by})")


if __name__ == "__main__":
    main()
