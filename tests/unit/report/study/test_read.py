"""What the page of a study reads of its runs: the samples under every value."""

import base64
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from rote.report.study.read import STRIP, Study, strips
from rote.results.gallery import planes_of
from rote.results.schema import parse_result
from rote.results.study import StudyFile

STUDY = Path(__file__).parents[4] / "docs" / "results" / "studies" / "digits-depth.json"


def test_volumes_are_shown_by_their_middle_planes(tmp_path):
    told = json.loads(STUDY.read_text())
    told["data"] |= {"kind": "volume", "shape": [1, 2, 4, 6]}
    told["runs_folder"] = "runs"
    file = parse_result(json.dumps(told), StudyFile, STUDY)
    made = np.random.default_rng(0).integers(0, 256, (STRIP + 1, 2, 4, 6, 1), np.uint8)
    memorized = np.arange(len(made)) % 3 == 0
    for cell in file.cells:
        run = tmp_path / "runs" / cell.runs[0].key
        for name, arrays in {
            "samples/fresh.npz": {"volumes": made},
            "audit/neighbors.npz": {"memorized": memorized},
        }.items():
            (run / name).parent.mkdir(parents=True, exist_ok=True)
            np.savez(run / name, **arrays)
    found = strips(Study(tmp_path, file, {}))
    assert {row["value"] for row in found} == {cell.value for cell in file.cells}
    for tile, volume, copy in zip(found[0]["tiles"], made, memorized, strict=False):
        picture = Image.open(io.BytesIO(base64.b64decode(tile["src"].partition(",")[2])))
        assert np.array_equal(np.asarray(picture), planes_of(volume)[..., 0])
        assert tile["memorized"] == copy
    assert len(found[0]["tiles"]) == STRIP
