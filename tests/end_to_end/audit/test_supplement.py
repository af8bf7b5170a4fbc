"""`rote audit` with quality, whole sets and captions, as a process."""

import json

import numpy as np
from command import run
from PIL import Image

from rote.data.load import load_images


def test_quality_whole_sets_and_captions_stand_beside_the_rate(tmp_path):
    digits = load_images("digits").items[..., 0]
    order = np.random.default_rng(0).permutation(len(digits))
    (tmp_path / "made").mkdir()
    lines = []
    for number, place in enumerate([*order[:20], *order[500:540]]):
        Image.fromarray(digits[place]).save(tmp_path / "made" / f"{number:03d}.png")
        lines.append(json.dumps({"file_name": f"{number:03d}.png", "text": f"a {number // 10}"}))
    np.savez(tmp_path / "train.npz", images=digits[order[:200]])
    np.savez(tmp_path / "test.npz", images=digits[order[200:400]])
    asked = ["audit", "--generated", "made", "--training", "train.npz", "--holdout", "test.npz"]
    asked += ["--cluster-by", "caption", "--positive-control", "0", "--no-cache"]
    done = run(*asked, cwd=tmp_path)
    assert done.returncode == 1 and "has no metadata.jsonl or metadata.csv" in done.stderr
    (tmp_path / "made" / "metadata.jsonl").write_text("\n".join(lines))
    asked += ["--quality", "--population", "--criterion", "authenticity", "--criterion", "absolute"]
    done = run(*asked, "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for text in ("Fréchet distance", "C_T", "not authentic", "design effect", "a 0"):
        assert text in done.stderr
    said = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert said["quality"]["against"] == "holdout"
    assert [g["rate"]["count"] for g in said["clusters"]["groups"]] == [10, 10, 0, 0, 0, 0]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Quality beside memorization" in page and "Authenticity" in page
