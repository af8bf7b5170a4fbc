"""What reading a large captioned set in tar shards takes: seconds, and the memory of the process.

    python benchmarks/captioned_shards.py --out FOLDER [--samples 1000000]

Shards of 10,000 samples, each a PNG of 16x16 random pixels and a text, are written to FOLDER, unless they
are there. They are then read twice by fresh processes with the decoded cache: the first decodes them, the
second maps what is there. The memory is the peak of the resident set, pages of mapped files among it.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

SHARD, SIDE = 10_000, 16
READ = """
import json, resource, sys, time
from pathlib import Path
from rote.data.load import load_images
began = time.perf_counter()
found = load_images(sys.argv[1], decoded=Path(sys.argv[2]))
assert len(found.captions) == len(found)
print(json.dumps({
    "samples": len(found),
    "captions": len(set(found.captions)),
    "seconds": round(time.perf_counter() - began, 1),
    "cpu_seconds": round(time.process_time(), 1),
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
}))
"""


def write_shards(folder: Path, samples: int) -> None:
    """Write the shards that are not there."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(-(-samples // SHARD)):
        pixels = rng.integers(0, 256, (SHARD, SIDE, SIDE, 3), dtype=np.uint8)
        path = folder / f"{number:05d}.tar"
        if path.exists():
            continue
        with tarfile.open(path, "w") as archive:
            for row in range(min(SHARD, samples - number * SHARD)):
                key = number * SHARD + row
                held = io.BytesIO()
                Image.fromarray(pixels[row]).save(held, "PNG", compress_level=0)
                text = f"a caption of some length for picture number {key} of the set"
                for ending, content in ((".png", held.getvalue()), (".txt", text.encode())):
                    info = tarfile.TarInfo(f"{key:09d}{ending}")
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))


def main() -> None:
    """Write and read, and print a line for each reading."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=1_000_000)
    given = parser.parse_args()
    write_shards(given.out / "shards", given.samples)
    for way in ("decoded", "mapped"):
        command = [sys.executable, "-c", READ, str(given.out / "shards"), str(given.out / "cache")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(way, json.dumps(json.loads(done.stdout)))


if __name__ == "__main__":
    main()
