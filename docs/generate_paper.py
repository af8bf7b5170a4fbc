"""Write the tables of docs/results/paper.md: the paper's own commands beside our factors at paper scale.

    python docs/generate_paper.py

What the paper's commands say is kept here as the flags of the authors' `train.py` (sail-sg/DiffMemorize,
`scripts/*.md`); what they mean as fields of our configuration is worked out from that script and
its loop. A test holds the page to what this script writes, so neither side can change unseen.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rote.data.variants import Variant
from rote.experiments.run.spec import Setting
from rote.experiments.scales import scale
from rote.experiments.studies.factor import factor_names, load_factor, setting

TARGET = Path(__file__).parent / "results" / "paper.md"
BEGIN, END = "<!-- tables: docs/generate_paper.py -->", "<!-- end of tables -->"

BASE: dict[str, Any] = {
    "cond": 0,
    "arch": "ddpmpp",
    "precond": "vp",
    "duration": 2000,
    "batch": 512,
    "lr": 2e-4,
    "num-blocks": 2,
    "num-channels": 128,
    "embed": "positional",
    "attn-resolutions": 16,
    "dropout": 0.13,
    "augment": 0.0,
    "xflip": False,
    "window-size": 0.0,
    "optimizer": "Adam",
    "weight-decay": 0.0,
    "ema_mode": "mode2",
    "final-ema": 0.99929,
    "fp16": False,
    "tick x snap": 2500,
}
"""Every flag that decides a training, in the authors' basic command or by default."""

DATA = ("resolution", "num-classes", "alpha", "random-labels", "unique-labels")
"""What the authors' tools for data sets are told; no flags of `train.py`."""


@dataclass(frozen=True)
class Factor:
    """A factor of the paper: the flags of each value where they are not the basic ones."""

    name: str
    values: dict[str, dict[str, Any]]
    note: str = ""
    all: dict[str, Any] = field(default_factory=dict)
    """Of every value."""


def kept(*numbers: int) -> dict[str, Any]:
    """Return the flag that keeps these skip connections."""
    return {"skip-connections": ",".join(str(int(n in numbers)) for n in range(1, 10))}


EDM = {"precond": "edm", "duration": 600, "num-blocks": 4, "lr": 10e-4}
BATCHES = {128: 0.5e-4, 256: 1e-4, 384: 1.5e-4, 640: 2.5e-4, 768: 3e-4, 896: 3.5e-4}
DECAYS = ("0", "1e-5", "1e-4", "1e-3", "1e-2", "2e-2", "5e-2", "8e-2", "1e-1")
EMAS = (0.99929, 0.999, 0.99, 0.9, 0.8, 0.5, 0.2, 0.1)
FACTORS = (
    Factor("size", {v: {} for v in ("500", "1000", "2000", "3000", "4000", "5000")}),
    Factor(
        "dimension",
        {
            "32": {"resolution": 32, "attn-resolutions": 16},
            "16": {"resolution": 16, "attn-resolutions": 8},
            "8": {"resolution": 8, "attn-resolutions": 4},
        },
    ),
    Factor("classes", {v: {"num-classes": int(v)} for v in ("10", "5", "2", "1")}),
    Factor(
        "diversity",
        {v: {"alpha": float(v)} for v in ("0", "0.2", "0.5", "0.8", "1")},
        "Their second source: 2,000 dogs of ImageNet, cropped and resized; ours comes with `--second`.",
    ),
    Factor("width", {v: {"num-channels": int(v)} for v in ("128", "192", "256", "320")}),
    Factor("depth", {v: {"num-blocks": int(v)} for v in ("2", "4", "6", "8", "10", "12")}),
    Factor(
        "time-embedding",
        {v: {"embed": v} for v in ("positional", "fourier")},
        "Theirs are trained with 4 blocks, too: `--set model.blocks=4` of `rote emm`.",
    ),
    Factor(
        "skips-number",
        {"all": kept(*range(1, 10)), "3": kept(1, 2, 3), "1": kept(1)},
        "Theirs also keep two, at every resolution, and repeat all with NCSN++ (VE); ours 6 and none.",
    ),
    Factor(
        "skips-resolution",
        {"all": {}, "32x32": kept(1, 2, 3), "16x16": kept(4, 5, 6), "8x8": kept(7, 8, 9)},
        "Theirs repeat all with NCSN++ (VE).",
    ),
    Factor(
        "skips-location",
        {"all": {}} | {str(n): kept(n) for n in range(1, 10)},
        "Theirs repeat all with NCSN++ (VE).",
    ),
    Factor(
        "architecture",
        {
            "DDPM++": {},
            "NCSN++, VE": {"arch": "ncsnpp", "precond": "ve", "embed": "fourier"},
        },
        "NCSN++ with VP and the transformer are ours alone.",
    ),
    Factor(
        "batch-size",
        {"512": {}}
        | {f"{b}, rate in proportion": {"batch": b, "lr": lr} for b, lr in BATCHES.items()},
        "'Same rate' is ours alone.",
    ),
    Factor("weight-decay", {v: {"weight-decay": float(v)} for v in DECAYS}),
    Factor(
        "ema",
        {f"paper {v:g}": {"ema_mode": "mode4", "final-ema": v} for v in EMAS}
        | {"0": {"ema_mode": "mode4", "final-ema": 0.0}},
        "Their mode4 scales the ramp-up, too; ours ends it earlier. The two are the same from 200 N "
        "images on, half a percent of a training.",
    ),
    Factor(
        "labels",
        {
            "none": {},
            "true": {"cond": 1},
            "random": {"cond": 1, "random-labels": 10},
        },
    ),
    Factor(
        "random-classes",
        {"none": {}}
        | {str(c): {"cond": 1, "random-labels": c} for c in (1, 2, 5, 10, 20, 50, 100, 500, 1000)},
    ),
    Factor(
        "unique",
        {"none": {}, "unique": {"cond": 1, "unique-labels": True}},
        "Theirs also train unique labels by the basic command at small N.",
        all=EDM,
    ),
    Factor(
        "duration",
        {f"{e} epochs": {"duration": e // 20} for e in (2000, 4000, 8000)},
        "Theirs are snapshots of one training (`duration=600`); ours are trainings, the same so far.",
        all=EDM | {"cond": 1, "unique-labels": True},
    ),
)


def meant(flags: dict[str, Any]) -> dict[str, Any]:
    """Return what the authors' flags mean, as fields of our configuration."""
    ncsn = flags["arch"] == "ncsnpp"
    rate = flags["final-ema"] if flags["ema_mode"] == "mode4" else 0.99929
    # mode2 keeps 0.5 ** (512 / 500,000) = 0.99929 a step, whatever the batch.
    images = 500_000 / 512 if rate == 0.99929 else math.log(0.5) / math.log(rate) if rate else 0
    labels = "none"
    if flags["cond"]:
        labels = "random" if "random-labels" in flags else "true"
        labels = "unique" if "unique-labels" in flags else labels
    skips = flags.get("skip-connections")
    on = None if skips is None else [n for n, c in enumerate(skips.split(","), 1) if c == "1"]
    return {
        "model.architecture": "unet",
        "model.width": flags["num-channels"],
        "model.channel_mult": [2, 2, 2],
        "model.blocks": flags["num-blocks"],
        "model.attention_resolutions": [flags["attn-resolutions"]],
        "model.dropout": flags["dropout"],
        "model.time_embedding": flags["embed"],
        "model.encoder": "residual" if ncsn else "standard",
        "model.resampling_filter": [1, 3, 3, 1] if ncsn else [1, 1],
        "model.skips": None if on == list(range(1, 10)) else on,
        "model.preconditioning": flags["precond"],
        "train.batch": flags["batch"],
        "train.epochs": flags["duration"] * 20.0,  # duration x N / 50 thousand images
        "train.optimizer": flags["optimizer"].lower(),
        "train.learning_rate": flags["lr"],
        "train.weight_decay": flags["weight-decay"],
        "train.warmup_epochs": 200.0,  # N / 5 thousand images
        "train.warmup_images": 0.0,
        "train.ema_halflife_images": images * flags["batch"],
        "train.ema_rampup": 0.05 * flags["batch"] / 512,
        "train.ema_rampup_reference": 50_000,
        "train.precision": "bf16" if flags["fp16"] else "fp32",
        "train.order": "fixed" if flags["window-size"] == 0 else "shuffled",
        "train.labels": labels,
        "train.random_classes": flags.get("random-labels"),
        "train.mirror": flags["xflip"],
        "train.snapshot_images": flags["tick x snap"] * 1000,
        "data.resolution": flags.get("resolution"),
        "data.classes": flags.get("num-classes"),
        "data.second_share": flags.get("alpha"),
    }


def ours(found: Setting) -> dict[str, Any]:
    """Return a setting by the same fields."""
    value = found.to_json()
    flat = {f"{room}.{key}": v for room in ("model", "train") for key, v in value[room].items()}
    variant: Variant = found.variant
    return flat | {
        "data.resolution": variant.resolution,
        "data.classes": variant.classes,
        "data.second_share": variant.second_share,
    }


def same(one: Any, other: Any) -> bool:
    """Say whether two fields are the same, numbers to six digits."""
    if isinstance(one, float) or isinstance(other, float):
        numbers = isinstance(one, int | float) and isinstance(other, int | float)
        return numbers and math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-12)
    return bool(one == other)


def differences(factor: Factor, value: str) -> dict[str, tuple[Any, Any]]:
    """Return the fields in which our value is not what the paper's command means."""
    theirs = meant(BASE | factor.all | factor.values[value])
    mine = ours(setting(load_factor(factor.name), scale("paper"), value))
    if factor.name in ("labels", "random-classes") and mine["train.random_classes"] is None:
        mine["train.random_classes"] = theirs["train.random_classes"]  # the data's own ten
    return {k: (v, mine[k]) for k, v in theirs.items() if not same(v, mine[k])}


def shown(value: Any) -> str:
    """Return a field as text."""
    if isinstance(value, list):
        return "[" + ",".join(map(str, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def page() -> str:
    """Return the whole page, with the tables written anew."""
    before, rest = TARGET.read_text().split(BEGIN)
    after = rest.split(END)[1]
    base = ours(setting(load_factor("labels"), scale("paper"), "none"))
    lines = [
        "",
        "### The basic command, field by field",
        "",
        "| field | theirs | ours |",
        "|---|---|---|",
    ]
    for key, value in meant(BASE).items():
        if key.startswith("data."):
            continue
        mark = "" if same(value, base[key]) else " **differs**"
        lines.append(f"| `{key}` | {shown(value)} | {shown(base[key])}{mark} |")
    lines += [
        "",
        "### Every factor, where it leaves the basic command",
        "",
        "| factor | value | the paper's flags | ours |",
        "|---|---|---|---|",
    ]
    for factor in FACTORS:
        for value, flags in factor.values.items():
            changed = factor.all | flags
            told = [f"{'' if k in DATA else '--'}{k}={shown(v)}" for k, v in changed.items()]
            found = differences(factor, value)
            verdict = "; ".join(
                f"**differs**: `{k}` {shown(a)}, ours {shown(b)}" for k, (a, b) in found.items()
            )
            cells = (factor.name, value, " ".join(told) or "as above", verdict or "the same")
            lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "What the fields do not say:", ""]
    lines += [
        "- All: their warm-up and average count the images before a step, ours those after it: one batch."
    ]
    lines += [f"- `{factor.name}`: {factor.note}" for factor in FACTORS if factor.note]
    others = [name for name in factor_names() if name not in {f.name for f in FACTORS}]
    names = ", ".join(f"`{name}`" for name in others)
    lines += [f"- Not in the paper: {names}.", ""]
    return before + BEGIN + "\n" + "\n".join(lines) + END + after


if __name__ == "__main__":
    TARGET.write_text(page())
