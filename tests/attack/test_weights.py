"""Weights from strangers: what is refused before anything of it runs, in one line each."""

import contextlib
import resource
import shutil
import struct
from pathlib import Path

import hostile_weights as made
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from rote.core.errors import ConfigError, RoteError
from rote.diffusion.checkpoint import load_checkpoint
from rote.spaces import open_space

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
DOUBLING = "def f0(x: Tensor) -> Tensor:\n  return torch.relu(x)\n" + "".join(
    f"def f{n}(x: Tensor) -> Tensor:\n  _0 = __torch__.f{n - 1}\n"
    "  return torch.add(_0(x, ), _0(x, ))\n"
    for n in range(1, 64)
)
AROUND = "  def {name}(self: __torch__.Net,\n    x: Tensor) -> Tensor:\n    {body}\n"

CODE = {
    "from_file": 'return torch.from_file("{victim}", True, 4)',
    "from_file of another function": "_0 = __torch__.f\n    return _0(x, )",
    "save": 'torch.save(x, "{victim}")\n    return x',
    "print": "print(x)\n    return x",
    "warn": 'torch.warn("\\x1b[2J")\n    return x',
    "operation of others": "return ops.my.thing(x)",
    "rand": "return torch.rand([5, 3])",
    "randn_like": "return torch.randn_like(x)",
    "bernoulli": "return torch.bernoulli(x)",
    "manual_seed": "torch.manual_seed(3)\n    return x",
    "empty": "return torch.empty([5, 3])",
    "resize_": "return torch.resize_(x, [1000000])",
    "as_strided": "return torch.as_strided(x, [5], [1])",
    "set_": "return torch.set_(x, self.w)",
    "its own state": "self.w = x\n    return x",
    "fork": "_0 = fork(__torch__.f0, x)\n    return torch.wait(_0)",
    "grad mode": "torch.set_grad_enabled(True)\n    return x",
    "time": "_0 = ops.prim.TimePoint()\n    return x",
    "endless": "y = x\n    while True:\n      y = torch.neg(y)\n    return y",
    "long": "y = x\n    for i in range(1000000000000):\n      y = torch.neg(y)\n    return y",
    "doubling": "_0 = __torch__.f63\n    return _0(x, )",
    "nested": "return " + "(" * 5000 + "x" + ")" * 5000,
    "a long sum": "return " + "x + " * 50000 + "x",
    "no code": "return x x",
    "nothing there": "_0 = __torch__.nowhere\n    return _0(x, )",
}


@pytest.mark.parametrize("name", CODE)
def test_code_that_is_no_network_is_refused_before_it_runs(name, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"as it was before")
    before = DOUBLING if name in ("doubling", "fork") else ""
    if name == "from_file of another function":
        before = 'def f(x: Tensor) -> Tensor:\n  return torch.from_file("v", True, 4)\n'
    body = CODE[name].replace("{victim}", str(victim))
    (tmp_path / "net.pt").write_bytes(made.torchscript(body, before=before))
    message = _one_line(f"torchscript:{tmp_path / 'net.pt'}")
    assert "is no TorchScript file that is taken" in message
    assert victim.read_bytes() == b"as it was before"


LYING = {
    "record too short": {"record": b"\0" * 8},
    "record too long": {"record": b"\0" * 16},
    "no record": {"members": {"data/0": None}},
    "a trillion numbers": {"count": 10**12, "shape": (10**12,)},
    "shape beyond": {"shape": (4,)},
    "strides beyond": {"shape": (3,), "strides": (2,)},
    "offset beyond": {"offset": 1},
    "negative offset": {"offset": -1},
    "negative count": {"count": -1},
    "negative shape": {"shape": (-3,)},
    "no type of numbers": {"kind": "torch\nEvilStorage"},
    "another type": {"kind": "torch\nDoubleStorage"},
    "sparse": {"rebuild": "torch._utils\n_rebuild_sparse_tensor"},
    "a call of Python": {"extra": b"cposix\nsystem\n(X\x02\x00\x00\x00lstR0"},
    "a class of C++": {"extra": b"c__torch__.torch.classes.quantized\nConv2dPackedParamsBase\n0"},
    "a far memo": {"extra": b"X\x01\x00\x00\x00ar\xff\xff\xff\xff0"},
    "broken pickle": {"pickled": b"\x80\x02}"},
    "no pickle": {"members": {"data.pkl": None}},
    "no constants": {"members": {"constants.pkl": None}},
    "code on loading": {
        "around": "  def __setstate__(self: __torch__.Net,\n    state: int) -> NoneType:\n"
        "    return None\n"
    },
    "classes in code": {"before": "def g() -> int:\n  return torch.classes.x.y\n"},
}


@pytest.mark.parametrize("name", LYING)
def test_an_archive_that_lies_is_refused(name, tmp_path):
    (tmp_path / "net.pt").write_bytes(made.torchscript(**LYING[name]))
    assert "that is taken" in _one_line(f"torchscript:{tmp_path / 'net.pt'}")


def _damaged():
    whole = made.torchscript()
    central = whole.index(b"PK\x01\x02")
    bomb = bytearray(whole)
    bomb[central + 20 : central + 28] = struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)
    twice = made.torchscript(members={"code/__torch__.pyX": b"x"})
    return {
        "empty": b"",
        "no zip": b"no network",
        "cut": whole[: len(whole) // 2],
        "sizes that lie": bytes(bomb),
        "flipped": whole.replace(struct.pack("<3f", 1, 2, 3), struct.pack("<3f", 1, 2, 4)),
        "two of one name": twice.replace(b"__torch__.pyX", b"__torch__.py\0"),
        "mobile": b"\0\0\0\0PTMF" + b"\0" * 64,
    }


@pytest.mark.parametrize(("name", "content"), _damaged().items())
def test_a_damaged_archive_is_refused(name, content, tmp_path):
    (tmp_path / "net.pt").write_bytes(content)
    assert "that is taken" in _one_line(f"torchscript:{tmp_path / 'net.pt'}")


def test_the_network_that_all_of_these_are_made_from_is_taken(tmp_path):
    (tmp_path / "net.pt").write_bytes(made.torchscript())
    rows = open_space(f"torchscript:{tmp_path / 'net.pt'}").features(IMAGES)
    assert rows == pytest.approx(IMAGES.mean(axis=(1, 2)) / 255 * [1, 2, 3], abs=1e-6)


FLATTEN = made.node("Flatten")
ADD = (made.node("Flatten", output="f"), made.node("Add", ("f", "w")))
BILLION = made.tensor("n", dims=(2,), raw=struct.pack("<2q", 16, 10**9), kind=7)


def _weights(location):
    return made.onnx(*ADD, tensors=(made.tensor("w", dims=(1,), location=location),))


def _if(inner):
    branch = made.field(1, "then_branch") + made.field(6, inner) + made.field(20, 5)
    return made.onnx(made.node("If", ("c",), attributes=made.field(5, branch)))


def _deep(depth):
    inner = made.graph(FLATTEN)
    for _ in range(depth):
        branch = made.field(1, "then_branch") + made.field(6, inner)
        inner = made.graph(made.node("If", ("c",), attributes=made.field(5, branch)))
    return made.model(inner)


ONNX = {
    "parent": _weights("../secret"),
    "parent by way of a folder": _weights("a/../../secret"),
    "absolute": _weights("/etc/hostname"),
    "link": _weights("link"),
    "linked folder": _weights("away/secret"),
    "not there": _weights("nowhere"),
    "the folder itself": _weights("."),
    "memory": _weights("*/_ORT_MEM_ADDR_/*"),
    "no name": _weights(""),
    "a zero byte": _weights("a\0b"),
    "no text": _weights("X").replace(b"\x01X", b"\x01\xff"),
    "in a branch": _if(
        made.graph(FLATTEN, tensors=(made.tensor("w", dims=(1,), location="../secret"),))
    ),
    "in a second graph": made.onnx(
        FLATTEN,
        more=made.field(7, made.field(5, made.tensor("w", dims=(1,), location="../secret"))),
    ),
    "in a constant": made.onnx(
        made.node(
            "Constant",
            (),
            attributes=made.field(
                5,
                made.field(1, "value") + made.field(5, made.tensor("", dims=(1,), location="../s")),
            ),
        )
    ),
    "operation of others": made.onnx(made.node("Thing", domain="my.own")),
    "of no standard": made.onnx(made.node("EPContext", domain="com.microsoft")),
    "loop": made.onnx(made.node("Loop", ("n", "c", "x"))),
    "scan": made.onnx(made.node("Scan")),
    "random": made.onnx(made.node("RandomNormalLike")),
    "deep": _deep(200),
    "lying tensor": made.onnx(*ADD, tensors=(made.tensor("w", dims=(10**12,), raw=b"\0" * 8),)),
    "negative tensor": made.onnx(*ADD, tensors=(made.tensor("w", dims=(-5,), raw=b"\0" * 8),)),
    "no graph": made.field(1, 8),
    "empty": b"",
    "cut": made.onnx(FLATTEN)[:40],
    "endless number": b"\x80" * 30,
    "length that lies": made.field(1, 8) + b"\x3a\xff\xff\xff\xff\x0f",
    "no protobuf": b"\x03\x07",
}


@pytest.mark.parametrize("name", ONNX)
def test_an_onnx_file_that_is_no_network_is_refused(name, tmp_path):
    pytest.importorskip("onnxruntime")
    folder = tmp_path / "given"
    (folder / "a").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(struct.pack("<f", 1))
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "away").symlink_to(tmp_path)
    (folder / "net.onnx").write_bytes(ONNX[name])
    assert "is no ONNX file that is taken" in _one_line(f"onnx:{folder / 'net.onnx'}")


def test_weights_beside_a_graph_are_taken_also_through_links_of_one_folder(tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "blobs").mkdir()
    (tmp_path / "given").mkdir()
    for name, content in (("net.onnx", _weights("w.bin")), ("w.bin", struct.pack("<f", 1))):
        (tmp_path / "blobs" / name).write_bytes(content)
        (tmp_path / "given" / name).symlink_to(tmp_path / "blobs" / name)
    for folder in ("blobs", "given"):
        rows = open_space(f"onnx:{tmp_path / folder / 'net.onnx'}").features(IMAGES)
        expected = IMAGES.transpose(0, 3, 1, 2).reshape(5, -1) / 255 + 1
        assert rows == pytest.approx(expected, abs=1e-6)


GREEDY = {
    "net.pt": made.torchscript("return torch.ones([16, 1000000000000])"),
    "grows.pt": made.torchscript(
        "y = torch.mean(x, [2, 3])\n    for i in range(64):\n"
        "      y = torch.cat([y, y], 1)\n    return y"
    ),
    "wide.pt": made.torchscript(
        "return torch.expand(torch.select(self.w, 0, 0), [16, 1000000000])"
    ),
    "net.onnx": made.onnx(
        made.node("Expand", ("w", "n")),
        tensors=(BILLION, made.tensor("w", dims=(1,), raw=struct.pack("<f", 1))),
    ),
    "few.pt": made.torchscript("return self.w"),
    "raises.pt": made.torchscript(
        'ops.prim.RaiseException("\\x1b[2Jrate: 0 %", "builtins.ValueError")\n    return x'
    ),
}


@pytest.mark.parametrize("name", GREEDY)
def test_a_network_that_asks_for_too_much_is_one_line(name, tmp_path):
    (tmp_path / name).write_bytes(GREEDY[name])
    kind = "onnx" if name.endswith("onnx") else "torchscript"
    with little_memory(), pytest.raises(RoteError) as caught:
        open_space(f"{kind}:{tmp_path / name}").features(IMAGES)
    assert "\n" not in str(caught.value)


@contextlib.contextmanager
def little_memory(spare=1 << 29):
    """What grows shall not take all that this machine has."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + spare, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def _one_line(space):
    with pytest.raises(ConfigError) as caught:
        open_space(space)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    return str(caught.value)


def _without(held, name):
    del held[name]


WRONG = {
    "one missing": (lambda held, name: _without(held, name), "1 missing: {name}"),
    "one unknown": (lambda held, name: held.update(other=torch.zeros(3)), "1 unknown: other"),
    "of another shape": (
        lambda held, name: held.update({name: torch.zeros(7)}),
        "1 of another shape: {name}",
    ),
    "of another model": (
        lambda held, name: [held.update({f"model.{key}": held.pop(key)}) for key in list(held)],
        "missing: .* and .* more",
    ),
    "NaN": (lambda held, name: held.update({name: held[name] * torch.nan}), "gave NaN"),
}


@pytest.fixture(scope="module")
def dino(tmp_path_factory):
    """A small DINOv2 with random weights, as its folder."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("dino")
    config = transformers.Dinov2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=1, image_size=28, mlp_ratio=1
    )
    transformers.Dinov2Model(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", WRONG)
def test_weights_of_another_network_are_told_by_name(name, dino, tmp_path, capfd):
    change, message = WRONG[name]
    held = load_file(dino / "model.safetensors")
    weights = next(iter(held))
    change(held, weights)
    save_file(held, tmp_path / "model.safetensors", metadata={"format": "pt"})
    shutil.copy(dino / "config.json", tmp_path)
    with pytest.raises(RoteError, match=message.replace("{name}", weights)) as caught:
        open_space(f"dinov2:{tmp_path}?size=28").features(IMAGES)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


FLOATS = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
HEADERS = {
    "longer than the file": (b"{}", 10**12),
    "no text": (b"\xff\xfe", None),
    "no JSON": (b"{", None),
    "a list": (b"[]", None),
    "a trillion numbers": ({"w": FLOATS | {"shape": [10**12]}}, None),
    "beyond the end": ({"w": FLOATS | {"data_offsets": [0, 10**12]}}, None),
    "negative": ({"w": FLOATS | {"shape": [-4]}}, None),
    "backwards": ({"w": FLOATS | {"data_offsets": [16, 0]}}, None),
    "overlapping": ({"w": FLOATS, "v": FLOATS}, None),
    "no type": ({"w": FLOATS | {"dtype": "PYOBJ"}}, None),
    "deep": (b"[" * 100_000, None),
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("reader", ["dinov2", "snapshot"])
def test_a_safetensors_header_that_lies_is_one_line(reader, name, dino, tmp_path):
    header, claimed = HEADERS[name]
    made.safetensors(tmp_path / "model.safetensors", header, b"\0" * 16, claimed=claimed)
    shutil.copy(dino / "config.json", tmp_path)
    with pytest.raises(RoteError) as caught:
        if reader == "dinov2":
            open_space(f"dinov2:{tmp_path}")
        else:
            load_checkpoint(tmp_path / "model.safetensors")
    assert "\n" not in str(caught.value)
