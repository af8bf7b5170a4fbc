"""Files of weights that nobody should have to trust, written byte by byte."""

import io
import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

HEAD = """class Net(Module):
  __parameters__ = ["w", ]
  __buffers__ = []
  w : Tensor
  training : bool
"""


def torchscript(
    body: str = "return torch.mul(torch.mean(x, [2, 3]), self.w)",
    *,
    around: str = "",
    before: str = "",
    record: bytes = struct.pack("<3f", 1, 2, 3),
    pickled: bytes | None = None,
    members: Mapping[str, bytes | None] | None = None,
    **tensor: object,
) -> bytes:
    """Return an archive of a network with one tensor; ``members`` replace its own, or take them out."""
    method = f"  def forward(self: __torch__.Net,\n    x: Tensor) -> Tensor:\n    {body}\n"
    parts: dict[str, bytes | None] = {
        "data.pkl": state(**tensor) if pickled is None else pickled,  # type: ignore[arg-type]
        "constants.pkl": b"\x80\x02).",
        "code/__torch__.py": (before + HEAD + method + around).encode(),
        "data/0": record,
        "version": b"3\n",
        **(members or {}),
    }
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, held in parts.items():
            if held is not None:
                archive.writestr(f"net/{name}", held)
    return written.getvalue()


def state(
    *,
    count: int = 3,
    kind: str = "torch\nFloatStorage",
    offset: int = 0,
    shape: tuple[int, ...] = (3,),
    strides: tuple[int, ...] = (1,),
    rebuild: str = "torch._utils\n_rebuild_tensor_v2",
    extra: bytes = b"",
) -> bytes:
    """Return the pickle of the network's state."""
    storage = b"(" + text("storage") + f"c{kind}\n".encode() + text("0") + text("cpu")
    storage += number(count) + b"tQ"
    tensor = f"c{rebuild}\n(".encode() + storage + number(offset) + _tuple(shape) + _tuple(strides)
    tensor += b"\x89ccollections\nOrderedDict\n)RtR"
    object_ = (
        b"\x80\x02c__torch__\nNet\n)\x81}(" + text("w") + tensor + text("training") + b"\x89ub"
    )
    return object_.replace(b"\x80\x02", b"\x80\x02" + extra) + b"."


def text(value: str) -> bytes:
    """Return the pickle of a text."""
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    """Return the pickle of a number."""
    return b"\x8a\x08" + struct.pack("<q", value)


def _tuple(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def field(place: int, payload: bytes | str | int) -> bytes:
    """Return one field of a protobuf message."""
    if isinstance(payload, int):
        return varint(place << 3) + varint(payload)
    held = payload.encode() if isinstance(payload, str) else payload
    return varint(place << 3 | 2) + varint(len(held)) + held


def varint(value: int) -> bytes:
    """Return a number as protobuf writes it."""
    value &= (1 << 64) - 1
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def node(
    operation: str,
    inputs: tuple[str, ...] = ("x",),
    output: str = "y",
    *,
    domain: str = "",
    attributes: bytes = b"",
) -> bytes:
    """Return a node of an ONNX graph."""
    held = b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, operation)
    return held + attributes + (field(7, domain) if domain else b"")


def tensor(
    name: str,
    *,
    dims: tuple[int, ...],
    raw: bytes = b"",
    kind: int = 1,
    location: str | None = None,
) -> bytes:
    """Return a tensor of an ONNX graph, with its numbers or the name of a file of them."""
    held = b"".join(field(1, size) for size in dims) + field(2, kind) + field(8, name)
    if location is None:
        return held + field(9, raw)
    entry = field(1, "location") + field(2, location)
    return held + field(13, entry) + field(14, 1)


def graph(*nodes: bytes, tensors: tuple[bytes, ...] = (), rank: int = 2, kind: int = 1) -> bytes:
    """Return an ONNX graph from x of (T, 3, h, w) to y."""
    held = b"".join(field(1, one) for one in nodes) + field(2, "g")
    held += b"".join(field(5, one) for one in tensors)
    return held + field(11, _value("x", 4)) + field(12, _value("y", rank, kind))


def onnx(*nodes: bytes, tensors: tuple[bytes, ...] = (), rank: int = 2, more: bytes = b"") -> bytes:
    """Return an ONNX file."""
    return model(graph(*nodes, tensors=tensors, rank=rank)) + more


def model(held: bytes) -> bytes:
    """Return an ONNX file of a graph."""
    domains = (("", 17), ("com.microsoft", 1), ("my.own", 1))
    sets = b"".join(field(8, (field(1, n) if n else b"") + field(2, v)) for n, v in domains)
    return field(1, 8) + field(7, held) + sets


def _value(name: str, rank: int, kind: int = 1) -> bytes:
    dims = b"".join(field(1, field(2, f"{name}{n}")) for n in range(rank))
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, dims)))


def safetensors(
    path: Path, header: object, data: bytes = b"", *, claimed: int | None = None
) -> None:
    """Write a safetensors file whose header, and the length of it, say anything."""
    held = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(held) if claimed is None else claimed) + held + data)
