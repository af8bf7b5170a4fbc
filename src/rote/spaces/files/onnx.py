"""ONNX files, taken as data: what a graph uses and which files it names, before onnxruntime sees it.

A graph is read as the protobuf that it is (onnx.proto), by its few fields that matter here:

    model: 7 graph, 25 functions           graph: 1 nodes, 5 and 15 tensors
    function: 1 name, 7 nodes, 10 domain   node: 4 operation, 5 attributes, 7 domain
    attribute: 5 and 10 tensors, 6 and 11 graphs, 22 and 23 sparse tensors
    sparse tensor: 1 and 2 tensors         tensor: 13 external data, pairs of 1 key and 2 value

A field of one value may come several times, and readers then join them; here each time counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rote.spaces.guard import RefusedError

DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
"""Of the operations that the standard defines; none of them reaches a file."""
_FUSED = """
Attention BiasGelu ConvTransposeWithDynamicPads DequantizeLinear DynamicQuantizeLSTM
DynamicQuantizeMatMul EmbedLayerNormalization FastGelu FusedConv FusedGemm FusedMatMul Gelu
GroupNorm LayerNormalization MatMulInteger16 MatMulIntegerToFloat MultiHeadAttention NhwcConv
NhwcFusedConv NhwcMaxPool QAttention QGemm QLinearAdd QLinearAveragePool QLinearConcat
QLinearConv QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul QLinearReduceMean
QLinearSigmoid QLinearSoftmax QuantizeLinear QuickGelu SimplifiedLayerNormalization
SkipGroupNorm SkipLayerNormalization SkipSimplifiedLayerNormalization
"""
FUSED = frozenset(_FUSED.split())
"""Operations of onnxruntime's own that it writes into optimized files."""
UNBOUNDED = ("Loop", "Scan", "SequenceMap")
RANDOM = ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform")
MOST_DEEP = 64
Field = tuple[int, bytes]


def check_onnx(content: bytes, path: Path) -> list[Path]:
    """Return the files beside an ONNX graph that hold its weights, sorted.

    Parameters
    ----------
    content
        Of the file.
    path
        The file.

    Raises
    ------
    RefusedError
        If it is no such file, uses what is no operation of a network, or names files elsewhere.
    """
    model = list(_fields(content))
    graphs = _of(model, 7)
    if not graphs:
        raise RefusedError("it holds no graph")
    functions = [list(_fields(one)) for one in _of(model, 25)]
    own = {(_text(one, 10), _text(one, 1)) for one in functions}
    nodes = [node for one in functions for node in _of(one, 7)]
    locations: set[str] = set()
    for graph in graphs:
        _check_graph(graph, own, locations, 0)
    for node in nodes:
        _check_node(node, own, locations, 0)
    return sorted(_inside(name, path) for name in locations)


def _check_graph(graph: bytes, own: set[tuple[str, str]], locations: set[str], depth: int) -> None:
    if depth > MOST_DEEP:
        raise RefusedError(f"its graphs lie more than {MOST_DEEP} deep in each other")
    fields = list(_fields(graph))
    for tensor in _of(fields, 5):
        locations |= _external(tensor)
    for sparse in _of(fields, 15):
        locations |= _external_of_sparse(sparse)
    for node in _of(fields, 1):
        _check_node(node, own, locations, depth)


def _check_node(node: bytes, own: set[tuple[str, str]], locations: set[str], depth: int) -> None:
    fields = list(_fields(node))
    domain, operation = _text(fields, 7), _text(fields, 4)
    name = f"{domain}.{operation}" if domain else operation
    known = domain in DOMAINS or (domain == "com.microsoft" and operation in FUSED)
    if not known and (domain, operation) not in own:
        raise RefusedError(f"it uses {name}, which is no operation of the standard")
    if operation in UNBOUNDED:
        raise RefusedError(f"it uses {name}, which may run without end")
    if operation.removesuffix("Like") in RANDOM:
        raise RefusedError(f"it uses {name}, which gives random numbers")
    for attribute in _of(fields, 5):
        held = list(_fields(attribute))
        for tensor in (*_of(held, 5), *_of(held, 10)):
            locations |= _external(tensor)
        for sparse in (*_of(held, 22), *_of(held, 23)):
            locations |= _external_of_sparse(sparse)
        for graph in (*_of(held, 6), *_of(held, 11)):
            _check_graph(graph, own, locations, depth + 1)


def _external(tensor: bytes) -> set[str]:
    """Return the files that a tensor names."""
    entries = [list(_fields(entry)) for entry in _of(list(_fields(tensor)), 13)]
    return {_text(entry, 2) for entry in entries if _text(entry, 1) == "location"}


def _external_of_sparse(sparse: bytes) -> set[str]:
    fields = list(_fields(sparse))
    return {name for part in (*_of(fields, 1), *_of(fields, 2)) for name in _external(part)}


def _inside(name: str, path: Path) -> Path:
    """Return a file of weights, which must lie in the folder of the graph, whatever links say."""
    file = path.parent / name
    try:
        folders = (path.parent.resolve(), path.resolve().parent)
        inside = any(file.resolve().is_relative_to(folder) for folder in folders)
        there = file.is_file()
    except (OSError, ValueError) as error:
        raise RefusedError(f"it names weights at '{name}' ({error})") from None
    if Path(name).is_absolute() or ".." in Path(name).parts or not inside:
        raise RefusedError(f"it names weights outside of its folder, '{name}'")
    if not there:
        raise RefusedError(f"it names weights that are not there, '{name}'")
    return file


def _text(fields: list[Field], number: int) -> str:
    """Return a field of text; of several, the last, as readers of protobuf do."""
    found = _of(fields, number)
    try:
        return found[-1].decode() if found else ""
    except UnicodeDecodeError:
        raise RefusedError("a name in it is no text") from None


def _of(fields: list[Field], number: int) -> list[bytes]:
    return [held for one, held in fields if one == number]


def _fields(message: bytes) -> Iterator[Field]:
    """Yield the fields of a protobuf message that hold bytes: text and other messages."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == 0:
            _, place = _varint(message, place)
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        elif kind == 2:
            size, place = _varint(message, place)
            if size > len(message) - place:
                raise RefusedError("a part of it claims more bytes than there are")
            yield tag >> 3, message[place : place + size]
            place += size
        else:
            raise RefusedError("it is no protobuf")
    if place > len(message):
        raise RefusedError("it ends in mid-number")


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """Return a number of at most ten groups of 7 bits, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise RefusedError("it ends in mid-number")
        byte = message[place]
        value, place = value | (byte & 127) << shift, place + 1
        if byte < 128:
            return value & (1 << 64) - 1, place
    raise RefusedError("it is no protobuf")
