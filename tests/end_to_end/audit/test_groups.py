"""`--group-by` as it is typed: by a pattern of the names, by a table of groups, and wrong."""

import json

import numpy as np
import pytest
from command import run_here
from PIL import Image


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """Twelve patients of four near slices each, ten others held out, and three noisy copies."""
    folder, rng = tmp_path_factory.mktemp("patients"), np.random.default_rng(0)
    people = rng.integers(40, 216, (30, 8, 8, 1))

    def put(side, name, person, noise):
        slice_ = np.clip(people[person] + rng.normal(0, noise, (8, 8, 1)), 0, 255).astype(np.uint8)
        (folder / side).mkdir(exist_ok=True)
        Image.fromarray(slice_[..., 0]).save(folder / side / f"{name}.png")

    for person in range(22):
        for number in range(4):
            put("train" if person < 12 else "held", f"p{person:02d}_{number}", person, 8)
    for number, person in enumerate((0, 1, 2, 22, 23, 24, 25, 26, 27, 28)):
        put("made", f"g{number}", person, 3)
    rows = [f"{path.name},{path.name[:3]}" for path in sorted((folder / "train").iterdir())]
    (folder / "groups.csv").write_text("\n".join(["file_name,group", *rows]))
    return folder


@pytest.mark.parametrize("by", [r"(p\d+)_", "groups.csv"])
def test_patients_are_counted(room, by):
    more = () if by.endswith("csv") else ("--holdout", "held")
    asked = ("made", "train", *more, "--positive-control", "0", "--group-by", by, "--json")
    done = run_here("audit", *asked, cwd=room)
    assert done.returncode == 0, done.stderr
    assert "brought to" not in done.stderr  # all are of one size
    reproduced = json.loads(done.stdout)["groups"]["reproduced"]["ratio"]
    assert (reproduced["count"], reproduced["total"]) == (3, 12)


def test_wrong_groups_are_one_line(room):
    asked = ("audit", "made", "train", "--holdout", "held", "--group-by")
    done = run_here(*asked, "no(such)", cwd=room)
    assert done.returncode == 1 and "48 of 48 names of train do not match" in done.stderr
    done = run_here(*asked[:3], "--holdout", "train", "--group-by", r"(p\d+)_", cwd=room)
    assert done.returncode == 1 and "share 12 of 12 groups (p00, p01, p02" in done.stderr
