"""Pictures with names, as folders that scripts for fine-tuning read: emoji of the npm package.

    npm pack emoji-datasource-google@16.0.0 && tar xzf emoji-datasource-google-16.0.0.tgz
    python examples/text_to_image/pictures.py package --size 16 --out pictures

The package and its list are MIT, Google's pictures in it Apache-2.0. Written are three folders of PNG
files with metadata.jsonl: train (`--size` pictures), holdout, and rest, to train an autoencoder on.
`--repeat 8x16` puts the first 8 pictures of train there 16 times each. `--by-category` puts them into
folders of their categories, which are then their classes ("Animals & Nature").
"""

import argparse
import json
import random
from pathlib import Path

from PIL import Image


def named_pictures(package: Path) -> list[tuple[str, Path, str]]:
    """Return (name, file, category) of every emoji without its variants of skin tone, as listed."""
    rows = json.loads((package / "emoji.json").read_text(encoding="utf-8"))
    folder = package / "img" / "google" / "64"
    found = {row["name"].lower(): row for row in rows if row["has_img_google"]}
    listed = [(name, folder / row["image"], row["category"]) for name, row in found.items()]
    return [picture for picture in listed if picture[1].exists()]


def write(
    pictures: list[tuple[str, Path, str]], folder: Path, resolution: int, *, by_category: bool
) -> None:
    """Write pictures, on white, with their names as captions."""
    folder.mkdir(parents=True)
    with (folder / "metadata.jsonl").open("w", encoding="utf-8") as rows:
        for number, (name, path, category) in enumerate(pictures):
            picture = Image.open(path).convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            flat = Image.alpha_composite(white, picture).convert("RGB")
            file = f"{category}/{number:05d}.png" if by_category else f"{number:05d}.png"
            (folder / file).parent.mkdir(exist_ok=True)
            flat.resize((resolution, resolution), Image.Resampling.LANCZOS).save(folder / file)
            rows.write(json.dumps({"file_name": file, "text": name}) + "\n")


def main() -> None:
    """Write the three folders."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("package", type=Path, help="the unpacked npm package")
    parser.add_argument("--size", type=int, default=16, help="training pictures")
    parser.add_argument("--repeat", default="0x1", help="how many of them how many times, as 8x16")
    parser.add_argument("--holdout", type=int, default=200)
    parser.add_argument("--resolution", type=int, default=16)
    parser.add_argument("--by-category", action="store_true", help="folders of categories")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    options = parser.parse_args()

    pictures = named_pictures(options.package)
    random.Random(options.seed).shuffle(pictures)
    holdout, others = pictures[: options.holdout], pictures[options.holdout :]
    train, rest = others[: options.size], others[options.size :]
    many, times = map(int, options.repeat.split("x"))
    written = {"train": train[:many] * (times - 1) + train, "holdout": holdout, "rest": rest}
    for name, part in written.items():
        write(part, options.out / name, options.resolution, by_category=options.by_category)


if __name__ == "__main__":
    main()
