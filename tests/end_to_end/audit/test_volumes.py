"""Volumes through the command: copies found across formats, a page, refusals in one line."""

import json

import numpy as np
import pytest
from command import run
from phantoms import eight_bit, phantoms, write_dicom, write_nifti

from rote.results.gallery import read_gallery

pytestmark = pytest.mark.slow
PAD = ((0, 0), (1, 1), (0, 0), (0, 0), (0, 0))


def test_copies_are_found_across_formats(tmp_path):
    scans = phantoms(24)
    write_dicom(tmp_path / "scans", scans, suffix="", shuffled=True)
    write_nifti(tmp_path / "made", np.concatenate([scans[:10], phantoms(10, seed=9)]), flipped=True)
    done = run(
        *(
            "audit",
            "made",
            "scans",
            "--window",
            "0,4095",
            "--space",
            "pixel",
            "--space",
            "lowres:2",
        ),
        *("--out", "audit", "--positive-control", "5"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert (told["rate"]["count"], told["rate"]["total"]) == (10, 20)
    assert told["training"]["kind"] == "volume"
    assert told["training"]["shape"] == [1, 6, 10, 8]
    made = {cell["corruption"] for cell in told["positive_control"]["cells"]}
    assert made == {"noise", "tone", "blur-3d", "shift-3d", "left-right", "rotation"}
    shown = read_gallery(tmp_path / "audit" / "gallery.npz", total=20, columns=())
    assert shown.voxels is not None
    exact = eight_bit(scans)[shown.nearest[0]]
    assert np.array_equal(shown.voxels[0, 0], exact)
    assert "Feet to head" in (tmp_path / "audit" / "report.html").read_text()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("train", "--data", "v.npz", "--out", "o"), "volumes of 6x10x8 voxels, in blocks of 8"),
        (
            ("study", "dimension", "--data", "v.npz", "--scale", "smoke", "--out", "o"),
            "is for images",
        ),
        (("audit", "v.npz", "v.npz", "--space", "patch"), "--space patch is for images"),
        (
            ("audit", "v.npz", "v.npz", "--invariances", "shift"),
            "--invariances shift is for images",
        ),
        (("audit", "v.npz", "v.npz", "--criterion", "tiles"), "--criterion tiles is for images"),
        (("data", "show", "v.npz", "--resolution", "4"), "--resolution is for images"),
    ],
)
def test_what_cannot_take_volumes_says_so_in_one_line(tmp_path, asked, words):
    np.savez(tmp_path / "v.npz", volumes=eight_bit(phantoms(6)))
    done = run(*asked, cwd=tmp_path)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert words in last
    assert "Traceback" not in done.stderr


def test_a_model_of_volumes_is_trained_and_drawn_from(tmp_path):
    scans = phantoms(12)
    np.savez(tmp_path / "v.npz", volumes=eight_bit(scans))
    np.savez(tmp_path / "others.npz", volumes=eight_bit(phantoms(5, seed=9)))
    few = [f"--set={key}" for key in ("train.images=32", "model.width=8", "train.batch=8")]
    steps = [
        ("train", "v.npz", "--crop", "8", *few, "--out", "run", "--gap", "--holdout", "others.npz"),
        ("sample", "run", "--count", "6", "--steps", "2", "--out", "new.npz"),
        ("audit", "new.npz", "v.npz", "--crop", "8", "--out", "audit"),
        ("optimum", "v.npz", "--crop", "8", "--count", "6", "--out", "copies.npz"),
    ]
    for step in steps:
        done = run(*step, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert "rate of the theoretical optimum 1" in done.stdout
    gap = json.loads((tmp_path / "run" / "gap.json").read_text())
    assert [entry["holdout"] for entry in gap["snapshots"]] == [5]
    with np.load(tmp_path / "new.npz") as new, np.load(tmp_path / "copies.npz") as copies:
        assert new["volumes"].shape == (6, 8, 8, 8, 1)
        known = {scan.tobytes() for scan in np.pad(eight_bit(scans), PAD)[:, :, 1:9]}
        assert all(copy.tobytes() in known for copy in copies["volumes"])
