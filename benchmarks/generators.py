"""The EMM of several kinds of generators on one data set, side by side.

    python benchmarks/generators.py OUT [--data digits] [--images 240000] [--workers 2] [--only NAME ...]

Searches the EMM of every trainer in `examples/trainers` and of rote's own U-Net (preset tiny) and
prints a table: EMM with its interval, the size at which half of the samples are copies, runs, seconds.
Run it again to carry on: a finished search is read from its folder.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "examples" / "trainers"


def search(name: str, args: argparse.Namespace) -> dict[str, object]:
    """Return the content of `emm.json`."""
    out = args.out / name
    command = [
        sys.executable,
        "-m",
        "rote",
        "emm",
        "--data",
        args.data,
        "--out",
        str(out.resolve()),
    ]
    command += ["--workers", str(args.workers), "--budget", args.budget, "--set", "search.start=16"]
    if name != "unet":
        command += ["--trainer", f"{name}:trainer", "--set", f"trainer.images={args.images}"]
    if not (out / "emm.json").exists():
        subprocess.run(command, cwd=FOLDER, check=True, stdout=subprocess.DEVNULL)
    found: dict[str, object] = json.loads((out / "emm.json").read_text())
    return found


def shown(emm: dict[str, object]) -> str:
    """Return an EMM with its interval, or the one end that is known."""
    if emm["value"] is not None:
        return f"{emm['value']:.0f} ({emm['low']:.0f} to {emm['high']:.0f})"
    ends = [f"at least {emm['low']:.0f}"] if emm["low"] else []
    ends += [f"at most {emm['high']:.0f}"] if emm["high"] else []
    return " and ".join(ends) or "not known"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--images", type=int, default=240_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--budget", default="15m", help="of each search")
    parser.add_argument("--only", nargs="*")
    args = parser.parse_args()
    names = ["unet", *sorted(path.stem for path in FOLDER.glob("*.py"))]
    print("| generator | EMM (90 %) | half are copies | runs | seconds |\n|---|---|---|---|---|")
    for name in args.only or names:
        value = search(name, args)
        half = next(one for one in value["other_epsilons"] if one["epsilon"] == 0.5)
        print(
            f"| {name} | {shown(value['emm'])} | {shown(half)} | {len(value['points'])} | "
            f"{value['cost']['seconds']:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
