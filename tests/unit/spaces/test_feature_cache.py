"""Rows are found again by everything that they were made with, or are not kept."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from rote.data.dataset import Dataset
from rote.spaces import open_space
from rote.spaces.feature_cache import KEPT_FROM, rows_of
from rote.spaces.parse import folder_digest

IMAGES = np.random.default_rng(0).integers(0, 256, (KEPT_FROM, 4, 4, 3), dtype=np.uint8)
SIDE = Dataset(IMAGES, source="made")


def field(number, content):
    """A field of a protobuf: a number, or bytes with their length."""

    def varint(n):
        return bytes([n]) if n < 128 else bytes([n % 128 + 128]) + varint(n // 128)

    if isinstance(content, int):
        return varint(number * 8) + varint(content)
    content = content.encode() if isinstance(content, str) else content
    return varint(number * 8 + 2) + varint(len(content)) + content


def matmul_as_onnx(location):
    """The protobuf of y = Flatten(x) w, with w float32 (48, 2) in a file beside it."""

    def value(name, *shape):
        sizes = b"".join(field(1, field(2 if isinstance(x, str) else 1, x)) for x in shape)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, sizes)))

    def node(kind, inputs, output):
        return field(1, b"".join(field(1, x) for x in inputs) + field(2, output) + field(4, kind))

    beside = field(13, field(1, "location") + field(2, location))
    weights = field(1, 48) + field(1, 2) + field(2, 1) + field(8, "w") + beside + field(14, 1)
    graph = node("Flatten", ["x"], "f") + node("MatMul", ["f", "w"], "y") + field(2, "g")
    graph += field(5, weights) + field(11, value("x", "n", 3, 4, 4)) + field(12, value("y", "n", 2))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))


@pytest.mark.parametrize("location", ["w.bin", "w" * 200 + ".bin"])
def test_weights_beside_an_onnx_graph_count(tmp_path, location):
    pytest.importorskip("onnxruntime")
    (tmp_path / "net.onnx").write_bytes(matmul_as_onnx(location))
    rng = np.random.default_rng(1)
    hashes, kept = [], tmp_path / "kept"
    for _ in range(2):
        matrix = rng.normal(size=(48, 2)).astype(np.float32)
        (tmp_path / location).write_bytes(matrix.tobytes())
        space = open_space(f"onnx:{tmp_path}/net.onnx")
        rows, timed = rows_of(space, SIDE, folder=kept)
        again, none = rows_of(space, SIDE, folder=kept)
        assert timed is not None and none is None
        assert rows == pytest.approx(space.features(IMAGES)) and (rows == again).all()
        hashes.append(space.weights_sha256)
        assert open_space(f"onnx:{tmp_path}/net.onnx#sha256={hashes[-1]}").name == space.name
    assert hashes[0] != hashes[1]
    with pytest.raises(Exception, match="they hold other weights"):
        open_space(f"onnx:{tmp_path}/net.onnx#sha256={hashes[0]}")


def test_rows_of_a_function_are_not_kept(tmp_path, monkeypatch):
    name = "space_that_reads_a_file"
    (tmp_path / "scale.txt").write_text("1")
    (tmp_path / f"{name}.py").write_text(
        "from pathlib import Path\n"
        "def rows(images):\n"
        "    return images.mean((1, 2)) * float(Path('scale.txt').read_text())\n"
    )
    monkeypatch.chdir(tmp_path)
    space = open_space(f"{name}:rows")
    sys.modules.pop(name)
    first, timed = rows_of(space, SIDE, folder=tmp_path / "kept")
    assert not timed.known
    (tmp_path / "scale.txt").write_text("2")
    assert rows_of(space, SIDE, folder=tmp_path / "kept")[0] == pytest.approx(2 * first, rel=1e-6)


def test_rows_of_a_space_of_ones_own_are_not_kept(tmp_path):
    """Its name and words say nothing of what its network is."""
    own = replace(open_space("lowres:2"), name="mine", beside=None)
    first, _ = rows_of(own, SIDE, folder=tmp_path)
    changed = replace(own, network=lambda prepared: 2 * prepared.flatten(1))
    assert rows_of(changed, SIDE, folder=tmp_path)[0].shape != first.shape
    assert not list(tmp_path.iterdir())


def test_every_file_of_a_folder_counts(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"w")
    found = {folder_digest(tmp_path)}
    for name, text in (("config.json", "1"), ("config.json", "2"), ("adapter.json", "2")):
        (tmp_path / name).write_text(text)
        found.add(folder_digest(tmp_path))
    assert len(found) == 4
