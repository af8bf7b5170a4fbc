"""Training and sampling: images per second, two workers against one, and diffusers' U-Net of equal size.

    python benchmarks/bench_training.py [--presets tiny small] [--seconds 10] [--stacked] [--compile]
    python benchmarks/bench_training.py --device cuda --presets paper --flops

On a CPU every worker has one thread. All rows of a preset are measured in turns, in one run: a turn of
each, ``--turns`` times; the table holds medians, and medians of the ratios to the first row of its kind.

- `train`, `sample`: what `rote emm` does for each point. `x 2 workers`: two processes at once.
- `diffusers`: the same batch, loss, Adam and average on diffusers' UNet2DModel, whose width is chosen
  for the nearest number of parameters.
- `--stacked`: one model that trains 2 and 4 cells at once by `torch.func` and vmap, against as many
  trained one after the other (forward, backward and Adam only, on both sides).
- `--compile`: the loss through torch.compile; warm-up is timed and printed, not counted.
- `--flops`: the share of the chip's peak, from torch's count of operations and ``--peak`` TFLOP/s.
"""

import argparse
import multiprocessing
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from rote.core.memory import keep_freed_memory
from rote.core.precision import strict_fp32
from rote.data.dataset import Dataset
from rote.diffusion.conditioning import conditioning
from rote.diffusion.preconditioning import EDM, Denoiser, build_denoiser, denoising_loss
from rote.diffusion.sample import sample
from rote.diffusion.training.flat_parameters import FlatParameters
from rote.diffusion.training.state import TrainState
from rote.diffusion.training.step import Step
from rote.experiments.config import ExperimentConfig, preset

SHAPES = {"tiny": (1, 8, 8), "small": (3, 16, 16), "paper": (3, 32, 32)}
Work = Callable[[], int]
"""Does some work and returns its number of images."""


def data(name: str) -> Dataset:
    """Return 128 random images: their content does not change the time."""
    channels, height, width = SHAPES[name]
    draw = np.random.default_rng(0).integers(0, 256, (128, height, width, channels), np.uint8)
    return Dataset(draw, source="random")


def configuration(name: str, options: argparse.Namespace) -> ExperimentConfig:
    """Return a preset with the precision and the batch asked for."""
    config = preset(name)
    changes: dict[str, Any] = {"precision": options.precision}
    if options.batch:
        changes["batch"] = options.batch
    return config.model_copy(update={"train": config.train.model_copy(update=changes)})


def wait(device: str) -> None:
    """Let a GPU finish, so that a clock may be read."""
    if device == "cuda":
        torch.cuda.synchronize()


def stepper(config: ExperimentConfig, name: str, device: str, network: nn.Module | None) -> Work:
    """Return one step of `rote.train`, on rote's network or another one."""
    items = data(name)
    model = config.model.model_copy(update={"dropout": 0.0} if network else {})
    denoiser = build_denoiser(model, items.shape, label_count=0, seed=0)
    if network is not None:
        denoiser = Denoiser(network, denoiser.precondition, label_count=0)
    # Our step asks every module for its dropout; diffusers' model warns of such questions.
    warnings.filterwarnings("ignore", message="Accessing config attribute", category=FutureWarning)
    state = TrainState(denoiser, config.train, torch.device(device))
    conditions = conditioning(items, config.train, seed=0)
    step = Step(items, config.train, conditions, state, seed=0, device=torch.device(device))

    def work() -> int:
        step()
        return config.train.batch

    return work


def sampler(config: ExperimentConfig, name: str, device: str) -> Work:
    """Return the drawing of one tile, all evaluations."""
    denoiser = build_denoiser(config.model, SHAPES[name], label_count=0, seed=0)
    denoiser = denoiser.eval().requires_grad_(requires_grad=False).to(device)
    seeds = range(config.sample.tile)

    def work() -> int:
        drawn = sample(denoiser, seeds, shape=SHAPES[name], config=config.sample, device=device)
        return len(drawn)

    return work


class Peer(nn.Module):
    """diffusers' U-Net with the calling convention of ours."""

    def __init__(self, config: ExperimentConfig, shape: tuple[int, ...], width: int) -> None:
        from diffusers import UNet2DModel

        super().__init__()
        model, heights = (
            config.model,
            [shape[1] >> i for i in range(len(config.model.channel_mult))],
        )
        attends = [height in model.attention_resolutions for height in heights]
        self.network = UNet2DModel(
            sample_size=shape[1],
            in_channels=shape[0],
            out_channels=shape[0],
            layers_per_block=model.blocks,
            block_out_channels=tuple(width * mult for mult in model.channel_mult),
            down_block_types=tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in attends),
            up_block_types=tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in attends[::-1]),
            attention_head_dim=None,
            norm_num_groups=4,
            downsample_type="resnet",
            upsample_type="resnet",
        )

    def forward(self, x: Tensor, c_noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Run the network on (B, C, H, W) and (B,)."""
        return self.network(x, c_noise).sample


def count(module: nn.Module) -> int:
    """Return a module's number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def peer(config: ExperimentConfig, name: str) -> nn.Module:
    """Return diffusers' network of the nearest number of parameters, in widths of multiples of 4."""
    ours = count(build_denoiser(config.model, SHAPES[name], label_count=0, seed=0))
    middle = config.model.width
    widths = range(max(4, middle // 2 // 4 * 4), middle * 2, 4)
    with torch.device("meta"):
        sizes = {width: count(Peer(config, SHAPES[name], width)) for width in widths}
    chosen = min(sizes, key=lambda width: abs(sizes[width] - ours))
    print(f"parameters: rote {ours:,}, diffusers {sizes[chosen]:,} (width {chosen})", flush=True)
    return Peer(config, SHAPES[name], chosen)


# -- many cells at once ----------------------------------------------------------------------------


def one_by_one(config: ExperimentConfig, name: str, device: str, cells: int) -> Work:
    """Return a step of each of some cells: forward, backward and Adam."""
    x, sigma, noise = inputs(config, name, device, cells)
    works = []
    for cell in range(cells):
        denoiser = build_denoiser(config.model, SHAPES[name], label_count=0, seed=cell).to(device)
        flat = FlatParameters(denoiser)
        adam = torch.optim.Adam([flat.values], lr=1e-3, fused=True)
        works.append((denoiser, flat, adam))

    def work() -> int:
        for cell, (denoiser, flat, adam) in enumerate(works):
            flat.gradient.zero_()
            denoising_loss(denoiser, x[cell], sigma[cell], noise[cell]).sum().backward()
            adam.step()
        return cells * config.train.batch

    return work


def stacked(config: ExperimentConfig, name: str, device: str, cells: int) -> Work:
    """Return the same as one step of a model with a leading dimension of cells, by vmap."""
    x, sigma, noise = inputs(config, name, device, cells)
    made = [
        build_denoiser(config.model, SHAPES[name], label_count=0, seed=cell).to(device)
        for cell in range(cells)
    ]
    parameters, buffers = torch.func.stack_module_state(made)
    held = {key: value.detach().requires_grad_() for key, value in parameters.items()}
    adam = torch.optim.Adam(held.values(), lr=1e-3, fused=True)
    template = made[0]

    def loss(weights: Any, constants: Any, clean: Tensor, level: Tensor, added: Tensor) -> Tensor:
        def call(noisy: Tensor, sigma: Tensor, labels: None) -> Tensor:
            return torch.func.functional_call(template, (weights, constants), (noisy, sigma))

        call.precondition = template.precondition  # type: ignore[attr-defined]
        return denoising_loss(call, clean, level, added).sum()  # type: ignore[arg-type]

    batched = torch.vmap(loss, in_dims=(0, 0, 0, 0, 0))

    def work() -> int:
        adam.zero_grad(set_to_none=True)
        batched(held, buffers, x, sigma, noise).sum().backward()
        adam.step()
        return cells * config.train.batch

    return work


def inputs(
    config: ExperimentConfig, name: str, device: str, cells: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return clean images, noise levels and noise of some cells."""
    generator = torch.Generator().manual_seed(0)
    shape = (cells, config.train.batch, *SHAPES[name])
    x, noise = (torch.randn(shape, generator=generator).to(device) for _ in range(2))
    return x, EDM().draw_sigma(shape[0] * shape[1], generator).view(shape[:2]).to(device), noise


# -- measuring -------------------------------------------------------------------------------------


def speed(work: Work, *, seconds: float, device: str, clock: str) -> float:
    """Return images per second over about ``seconds`` of a clock."""
    now = time.process_time if clock == "cpu" else time.perf_counter
    wait(device)
    start, images = now(), 0
    while now() - start < seconds:
        images += work()
        wait(device)
    return images / (now() - start)


def serve(kind: str, name: str, options: argparse.Namespace, barrier: Any, found: Any) -> None:
    """Measure one kind of work in a worker process, whenever all workers are there."""
    torch.set_num_threads(1)
    keep_freed_memory()
    config = configuration(name, options)
    with strict_fp32():
        work = (
            stepper(config, name, "cpu", None) if kind == "train" else sampler(config, name, "cpu")
        )
        work()
        while True:
            barrier.wait()
            found.put(speed(work, seconds=options.seconds, device="cpu", clock=options.clock))


class Workers:
    """Processes that do one kind of work at the same time, and wait in between."""

    def __init__(self, kind: str, name: str, options: argparse.Namespace, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._barrier, self._found = context.Barrier(number + 1), context.Queue()
        self._number = number
        arguments = (kind, name, options, self._barrier, self._found)
        for _ in range(number):
            context.Process(target=serve, args=arguments, daemon=True).start()

    def speed(self) -> float:
        """Return the images per second of all workers together."""
        self._barrier.wait()
        return sum(self._found.get() for _ in range(self._number))


def rows(name: str, options: argparse.Namespace) -> dict[str, tuple[str, Callable[[], float]]]:
    """Return the rows of a preset: the row it is compared with, and its measurement."""
    config, device = configuration(name, options), options.device
    table: dict[str, tuple[str, Callable[[], float]]] = {}

    def here(row: str, base: str, work: Work) -> None:
        start = time.perf_counter()
        work()
        wait(device)
        print(f"{row}: first call {time.perf_counter() - start:.1f} s", flush=True)
        table[row] = (
            base,
            lambda: speed(work, seconds=options.seconds, device=device, clock=options.clock),
        )

    for kind in ("train", "sample"):
        own = (
            stepper(config, name, device, None)
            if kind == "train"
            else sampler(config, name, device)
        )
        here(kind, kind, own)
        if kind == "train":
            here("train, diffusers", "train", stepper(config, name, device, peer(config, name)))
        if device == "cpu" and options.clock == "wall":
            table[f"{kind} x 2 workers"] = kind, Workers(kind, name, options, 2).speed
    if options.compile:
        compiled = config.train.model_copy(update={"compile": True})
        changed = config.model_copy(update={"train": compiled})
        here("train, compiled", "train", stepper(changed, name, device, None))
    for cells in (2, 4) if options.stacked else ():
        here(
            f"{cells} cells in turn",
            f"{cells} cells in turn",
            one_by_one(config, name, device, cells),
        )
        here(
            f"{cells} cells stacked", f"{cells} cells in turn", stacked(config, name, device, cells)
        )
    return table


def train_flops(name: str, options: argparse.Namespace) -> float:
    """Return the operations of training on one image: three forward passes."""
    denoiser = build_denoiser(preset(name).model, SHAPES[name], label_count=0, seed=0)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        denoiser(torch.zeros(1, *SHAPES[name]), torch.ones(1))
    return 3 * float(counter.get_total_flops())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--presets", nargs="+", choices=SHAPES, default=["tiny", "small"])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--batch", type=int, help="images of a step, in place of the preset's")
    parser.add_argument("--seconds", type=float, default=5.0, help="of one turn of one row")
    parser.add_argument(
        "--clock",
        choices=["wall", "cpu"],
        default="wall",
        help="cpu: seconds of the process, for a machine that is busy; leaves out the workers",
    )
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--stacked", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--flops", action="store_true")
    parser.add_argument("--peak", type=float, help="TFLOP/s of the chip at this precision")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    for name in options.presets:
        with strict_fp32():
            table = rows(name, options)
            found: dict[str, list[float]] = {row: [] for row in table}
            for _ in range(options.turns):
                for row, (_, measure) in table.items():
                    found[row].append(measure())
        print(f"\n{name} {SHAPES[name]}, batch {configuration(name, options).train.batch}")
        print("| work | images/s | ratio | to |\n|---|---|---|---|")
        for row, (base, _) in table.items():
            ratio = statistics.median(a / b for a, b in zip(found[row], found[base], strict=True))
            print(f"| {row} | {statistics.median(found[row]):.1f} | {ratio:.2f} | {base} |")
        if options.flops:
            rate = train_flops(name, options) * statistics.median(found["train"]) / 1e12
            share = f", {rate / options.peak:.1%} of the peak" if options.peak else ""
            print(
                f"training: {rate:.3f} TFLOP/s{share} ({options.precision}, TF32 off)", flush=True
            )


if __name__ == "__main__":
    main()
