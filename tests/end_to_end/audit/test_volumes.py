"""Volumes through the command: copies found across formats, a page, refusals in one line."""

import json

import numpy as np
import pytest
from command import run
from phantoms import eight_bit, phantoms, write_dicom, write_nifti

from rote.results.gallery import read_gallery

pytestmark = pytest.mark.slow


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
        (("train", "--data", "v.npz", "--out", "o"), "--data holds volumes"),
        (("emm", "v.npz", "--out", "o"), "--data holds volumes"),
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
    np.savez(tmp_path / "v.npz", volumes=eight_bit(phantoms(4)))
    done = run(*asked, cwd=tmp_path)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert words in last
    assert "Traceback" not in done.stderr
