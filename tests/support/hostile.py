"""Damaged and hostile inputs, made from a seed: the same on every machine.

Each maker fills a folder and returns the source in it with how many items it gives: image files by their
names, or rows of an array. What is given is known here, without asking the code under test.
"""

import io
import json
import os
import pickle
import socket
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

Rng = np.random.Generator
Made = tuple[Path | str, int]
Maker = Callable[[Rng, Path], Made]
GOOD = 2  # whole images beside the hostile one
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
ENDINGS = {"JPEG": "jpg", "TIFF": "tif"}
MARKUP = "<img src=x onerror=alert(1)>"
NAMES = (
    *(MARKUP, "<script>alert(1)<", "';alert(1);'", "{{7*7}}", "${HOME}", "$(touch executed)"),
    *("a\nb", "\x1b[31mred\x1b]0;title\x07", "\u202egnp.exe", "-rf", "%s%n", "=cmd()", "a" * 240),
    *("[red]x[/red]", "CON", " ", "\u2028x"),
)


class Touch:
    """Its unpickling makes a file: the proof that something ran."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, (f"touch '{self.path}'",))


def mark(folder: Path) -> Path:
    return folder / "executed"


def image(rng: Rng, size: tuple[int, int] = (8, 8)) -> Image.Image:
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def encoded(rng: Rng, file_format: str = "PNG", size: tuple[int, int] = (8, 8)) -> bytes:
    held = io.BytesIO()
    image(rng, size).save(held, file_format)
    return held.getvalue()


def flipped(rng: Rng, content: bytes, count: int = 8) -> bytes:
    damaged = bytearray(content)
    for position in rng.integers(0, len(damaged), count):
        damaged[position] ^= int(rng.integers(1, 256))
    return bytes(damaged)


def cut(rng: Rng, content: bytes) -> bytes:
    return content[: int(rng.integers(1, len(content)))]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *extra: bytes, data: bytes = b"\0" * 72) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + body


def beside_good(rng: Rng, folder: Path, name: str | bytes, content: bytes) -> Made:
    for number in range(GOOD):
        (folder / f"good-{number}.png").write_bytes(encoded(rng))
    (folder / os.fsdecode(name)).write_bytes(content)
    return folder, GOOD + 1


# Image files in a folder


def torn_file(rng: Rng, folder: Path) -> Made:
    kind = FORMATS[rng.integers(len(FORMATS))]
    ending = ENDINGS.get(kind, kind.lower())
    return beside_good(rng, folder, f"x.{ending}", cut(rng, encoded(rng, kind)))


def flipped_file(rng: Rng, folder: Path) -> Made:
    kind = FORMATS[rng.integers(len(FORMATS))]
    ending = ENDINGS.get(kind, kind.lower())
    content = encoded(rng, kind)
    # Mostly the head: there lie the sizes and offsets.
    head = int(rng.integers(8, len(content)))
    return beside_good(rng, folder, f"x.{ending}", flipped(rng, content[:head]) + content[head:])


def huge_dimensions(rng: Rng, folder: Path) -> Made:
    side = int(rng.choice([20_000, 65_535, 2**31 - 1, 2**32 - 1, 0]))
    bmp = bytearray(encoded(rng, "BMP"))
    struct.pack_into("<ii", bmp, 18, min(side, 2**31 - 1), -min(side, 2**31 - 1))
    jpeg = bytearray(encoded(rng, "JPEG"))
    struct.pack_into(">HH", jpeg, jpeg.index(b"\xff\xc0") + 5, 65_535, 65_535)
    ppm = f"P6 {side} {side} 255\n".encode() + b"\0" * 100
    gif = bytearray(encoded(rng, "GIF"))
    struct.pack_into("<HH", gif, 6, 65_535, 65_535)
    names = ("x.png", "x.bmp", "x.jpg", "x.ppm", "x.gif")
    contents = (png(side, side), bytes(bmp), bytes(jpeg), ppm, bytes(gif))
    which = int(rng.integers(len(names)))
    return beside_good(rng, folder, names[which], contents[which])


def text_bomb(rng: Rng, folder: Path) -> Made:
    packed = zlib.compress(b"\0" * 2**25, 9)
    kinds = (b"zTXt", b"iCCP")
    extra = chunk(kinds[rng.integers(2)], b"key\0\0" + packed)
    return beside_good(rng, folder, "x.png", png(8, 8, extra))


def pixel_bomb(rng: Rng, folder: Path) -> Made:
    side = int(rng.integers(3000, 6000))
    return beside_good(rng, folder, "x.png", png(side, side, data=b"\0" * (side * (side + 1))))


def wrong_extension(rng: Rng, folder: Path) -> Made:
    held = io.BytesIO()
    np.savez(held, images=np.zeros((2, 8, 8, 1), np.uint8))
    contents = (
        *(b"", b"\0" * 5000, b"hello", held.getvalue(), rng.bytes(3000)),
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(executed) (w) file closefile\n",
        pickle.dumps(Touch(mark(folder))),
    )
    endings = (*("png", "jpg", "gif", "bmp", "tiff", "webp"), *("jp2", "avif", "psd"))
    ending = endings[rng.integers(len(endings))]
    return beside_good(rng, folder, f"x.{ending}", contents[rng.integers(len(contents))])


def hostile_name(rng: Rng, folder: Path) -> Made:
    name = os.fsencode(NAMES[rng.integers(len(NAMES))].replace("/", "\\"))
    if rng.random() < 0.2:
        name = b"\xff\xfe" + name[:200]
    content = encoded(rng) if rng.random() < 0.5 else b"torn"
    return beside_good(rng, folder, name + b".png", content)


def links(rng: Rng, folder: Path) -> Made:
    beside_good(rng, folder, "c.png", encoded(rng))
    targets = ("x.png", "nowhere", "/dev/zero", "/dev/null", ".", "..", "/proc/self/mem")
    target = targets[rng.integers(len(targets))]
    (folder / "x.png").symlink_to(target)
    if target == "..":  # a folder of its own above, so that the walk stays in this case
        (folder / "x.png").unlink()
        inner = folder / "inner"
        inner.mkdir()
        (inner / "up").symlink_to("..")
        (inner / "self").symlink_to(".")
    return folder, GOOD + 1 + (target not in (".", ".."))


def special_file(rng: Rng, folder: Path) -> Made:
    beside_good(rng, folder, "c.png", encoded(rng))
    if rng.random() < 0.5:
        os.mkfifo(folder / "x.png")
    else:
        # A socket's path must be short; it is bound in another place and moved.
        name = f"/tmp/rote-test-{os.getpid()}-{int(rng.integers(2**31))}"
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(name)
        Path(name).rename(folder / "x.png")
    return folder, GOOD + 2


def special_source(rng: Rng, folder: Path) -> Made:
    kind = int(rng.integers(7))
    ending = str(rng.choice(["png", "zip", "npy", "npz"]))
    path = folder / f"x.{ending}"
    if kind == 0:
        os.mkfifo(path)
    elif kind == 1:
        path.symlink_to("/dev/zero")
    elif kind == 2:
        path.symlink_to(path.name)
    elif kind == 3:
        path.mkdir()
    elif kind == 4:
        return f"{path}/{'y' * 300}", 0
    elif kind == 5:
        return f"{path}\0.png", 0
    return path, 0


def deep_folder(rng: Rng, folder: Path) -> Made:
    """Levels of long names: beyond a few, a path no longer fits what the system takes."""
    beside_good(rng, folder, "c.png", encoded(rng))
    here = os.open(folder, os.O_RDONLY)
    for _ in range(int(rng.choice([5, 15, 25]))):
        os.mkdir("d" * 200, dir_fd=here)
        inner = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    handle = os.open("x.png", os.O_CREAT | os.O_WRONLY, dir_fd=here)
    os.write(handle, encoded(rng))
    os.close(handle)
    os.close(here)
    return folder, GOOD + 2


def mixed(rng: Rng, folder: Path) -> Made:
    modes = ("1", "L", "LA", "P", "RGBA", "CMYK", "I", "F", "YCbCr", "I;16")
    mode = modes[rng.integers(len(modes))]
    held = io.BytesIO()
    drawn = Image.new(mode, (8, 8)) if mode == "I;16" else image(rng).convert("L").convert(mode)
    drawn.save(held, "TIFF")
    return beside_good(rng, folder, "x.tif", held.getvalue())


def sizes(rng: Rng, folder: Path) -> Made:
    width, height = (int(side) for side in rng.integers(1, 40, 2))
    return beside_good(rng, folder, "x.png", encoded(rng, size=(width, height)))


def empty_folder(rng: Rng, folder: Path) -> Made:
    names = ("notes.txt", ".hidden.png", "x.npy", "Thumbs.db", "x.png.exe")
    chosen = rng.choice(names, 2)
    for name in chosen:
        (folder / name).write_bytes(encoded(rng))
    (folder / "x.png").mkdir()
    # Pictures under the name of something else are pictures, hidden ones are not looked at.
    return folder, sum(name in ("notes.txt", "x.png.exe") for name in chosen)


# dataset.json, in a folder or an archive


def hostile_sidecar(rng: Rng, folder: Path) -> Made:
    deep = int(rng.choice([1000, 100_000, 1_000_000]))
    contents = (
        *(b"[" * deep, b'{"labels":' * deep, b"\xff\xfe\0", b"", b"NaN", b'{"labels": 3}'),
        *(b'{"labels": [["good-0.png", 1e400]]}', b'{"labels": {"a": 1}}', b'{"labels": [[]]}'),
        b'{"labels": [["good-0.png", ' + b"9" * 5000 + b"]]}",
        b'{"labels": [["good-0.png", ' + b"9" * 4000 + b'], ["good-1.png", 0]]}',
        b'{"labels": [["good-0.png", true], ["good-1.png", -1]]}',
        b'{"labels": [[["good-0.png"], 0], [{"a": 1}, 1]]}',
        b'{"labels": [["good-0.png", 9223372036854775808], ["good-1.png", 3]]}',
        json.dumps({"labels": [[MARKUP, 1], ["../../x", 2]]}).encode(),
    )
    content = contents[rng.integers(len(contents))]
    if rng.random() < 0.5:
        made = beside_good(rng, folder, "dataset.json", content)
        return made[0], GOOD
    return archive(folder, [*good(rng), ("dataset.json", content)]), GOOD


# Zip archives


def good(rng: Rng) -> list[tuple[str, bytes]]:
    return [(f"good-{number}.png", encoded(rng)) for number in range(GOOD)]


def archive(
    folder: Path, members: list[tuple[str, bytes]], *, method: int = zipfile.ZIP_DEFLATED
) -> Path:
    path = folder / "x.zip"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that occur twice
        with zipfile.ZipFile(path, "w", method) as opened:
            for name, content in members:
                opened.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return path


def hostile_member_name(rng: Rng, folder: Path) -> Made:
    outside = folder.parent / f"escaped-{folder.name}"
    names = (
        *("../escaped.png", "../../../../escaped.png", f"{outside}.png", "a/../../escaped.png"),
        *("..\\escaped.png", ".\\x.png", "C:\\escaped.png", "//host/share/escaped.png", "a//b.png"),
        *("/", "x" * 60_000 + ".png", "nul", "a/" * 5000 + "x.png", "~/x.png", "./x.png"),
        *NAMES,
    )
    name = names[rng.integers(len(names))]
    name = name if name.endswith((".png", "/")) else f"{name}.png"
    # A name that ends in a slash is a folder, not an image.
    path = archive(folder, [*good(rng), (name, encoded(rng))])
    return path, GOOD + (not name.endswith("/"))


def torn_zip(rng: Rng, folder: Path) -> Made:
    path = archive(folder, good(rng))
    path.write_bytes(cut(rng, path.read_bytes()))
    return path, GOOD


def flipped_zip(rng: Rng, folder: Path) -> Made:
    """Bytes of members' content are changed, names and ends are not: the count stays known."""
    path = archive(folder, good(rng))
    content = bytearray(path.read_bytes())
    start = 30 + len("good-0.png")
    for position in rng.integers(start, start + 40, 6):
        content[position] ^= 0xFF
    path.write_bytes(content)
    return path, GOOD


def zip_fields(rng: Rng, folder: Path) -> Made:
    """Lying fields of the directory: flags, methods, sizes, offsets."""
    path = archive(folder, good(rng))
    content = bytearray(path.read_bytes())
    first = content.index(b"PK\1\2")
    which = int(rng.integers(6))
    if which == 0:  # encrypted
        content[first + 8] |= 1
        content[6] |= 1
    elif which == 1:  # a compression that there is not
        struct.pack_into("<H", content, first + 10, 99)
    elif which == 2:  # sizes beyond all
        struct.pack_into("<II", content, first + 20, 2**32 - 2, 2**32 - 2)
    elif which == 3:  # smaller than it is
        struct.pack_into("<I", content, first + 24, 5)
    elif which == 4:  # both members are the second: overlapping files
        second = content.index(b"PK\1\2", first + 4)
        struct.pack_into("<I", content, first + 42, *struct.unpack_from("<I", content, second + 42))
    else:
        struct.pack_into("<I", content, first + 42, int(rng.integers(2**31)))
    path.write_bytes(content)
    return path, GOOD


def zip_bomb(rng: Rng, folder: Path) -> Made:
    size = int(rng.choice([2**20, 2**25, 2**27]))
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    part = b"\0" * 2**20
    body = b"".join(packer.compress(part) for _ in range(size // len(part))) + packer.flush()
    path = archive(folder, [*good(rng), ("bomb.png", b"")], method=zipfile.ZIP_DEFLATED)
    # By hand: an archive whose member unpacks to far more than it says.
    said = int(rng.choice([100, size, 2**31]))
    name = b"bomb.png"
    fields = (20, 0, 8, 0, 0, 0, len(body), said, len(name), 0)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", *fields) + name + body
    central = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 8, 0, 0, 0, len(body), said,
                          len(name), 0, 0, 0, 0, 0, 0) + name  # fmt: skip
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local), 0)
    path.write_bytes(local + central + end)
    return path, 1


def zip_shapes(rng: Rng, folder: Path) -> Made:
    """Archives that are whole, and odd."""
    which = int(rng.integers(7))
    if which == 0:
        return archive(folder, []), 0
    if which == 1:
        return archive(folder, [("a/", b""), ("b/c/", b"")]), 0
    if which == 2:
        return archive(folder, [*good(rng), *good(rng)]), 2 * GOOD
    if which == 3:
        inner = archive(folder, good(rng)).read_bytes()
        return archive(folder, [*good(rng), ("inner.zip", inner), ("inner.png", inner)]), GOOD + 1
    if which == 4:
        return archive(folder, [(f"{number}.png", b"") for number in range(3000)]), 3000
    if which == 5:
        path = archive(folder, good(rng))
        path.write_bytes(rng.bytes(500) + path.read_bytes())
        return path, GOOD
    path = folder / "x.zip"
    with zipfile.ZipFile(path, "w") as opened:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        opened.writestr(link, "/etc/passwd")
        for name, content in good(rng):
            opened.writestr(name, content)
    return path, GOOD + 1


# NumPy files


def pickled(rng: Rng, folder: Path) -> Made:
    evil = np.array([Touch(mark(folder))] * 3, dtype=object)
    whole = np.zeros((3, 8, 8, 1), np.uint8)
    whole[:, 0] = 200
    which = int(rng.integers(7))
    path = folder / ("x.npy" if which < 3 else "x.npz")
    if which == 0:
        np.save(path, evil, allow_pickle=True)
    elif which < 3:
        path.write_bytes(pickle.dumps(Touch(mark(folder)), protocol=which))
    elif which == 3:
        path.write_bytes(pickle.dumps({"images": Touch(mark(folder))}))
    else:
        key = ("labels", "classes", "seeds")[which - 4]
        labels = {"labels": np.arange(3)} if key == "classes" else {}
        np.savez(path, images=whole, **{**labels, key: evil})
    return path, 3


def odd_values(rng: Rng, folder: Path) -> Made:
    shape = ((3, 8, 8, 1), (3, 8, 8), (3, 5))[rng.integers(3)]
    array = rng.normal(100, 20, shape)
    array.flat[rng.integers(array.size)] = rng.choice([np.nan, np.inf, -np.inf, 1e300, -1.0])
    with np.errstate(over="ignore"):
        array = array.astype(rng.choice([np.float16, np.float32, np.float64, np.longdouble]))
    np.save(folder / "x.npy", array)
    return folder / "x.npy", 3


def odd_types(rng: Rng, folder: Path) -> Made:
    types = ("?", "c16", "U5", "S3", "M8[s]", "m8[ns]", "V8", "u8", "i8", ">i2", ">f4", "f2", "i1")
    fields = np.dtype([("r", "u1"), ("g", "u1")])
    dtype = fields if rng.random() < 0.1 else np.dtype(types[rng.integers(len(types))])
    count = 3 * 8 * 8 * 3
    raw = rng.bytes(count * dtype.itemsize)
    if dtype.kind == "U":
        array = np.full((3, 8, 8, 3), MARKUP[:5], dtype)
    else:
        array = np.frombuffer(raw, dtype).reshape(3, 8, 8, 3)
    if rng.random() < 0.3:
        array = np.asfortranarray(array)
    np.save(folder / "x.npy", array)
    return folder / "x.npy", 3


def odd_shapes(rng: Rng, folder: Path) -> Made:
    shapes = [(), (0,), (3,), (0, 8, 8, 1), (3, 0, 8, 1), (3, 8, 8, 0), (3, 8, 8, 2), (3, 8, 8, 4)]
    shapes += [(3, 1, 1, 1, 8, 8), (3, 2, 8, 8, 1), (1,) * 20, (3, 0), (3, 1), (8, 8, 3)]
    shape = shapes[rng.integers(len(shapes))]
    array = np.full(shape, 7, rng.choice([np.uint8, np.float32]))
    np.save(folder / "x.npy", array)
    return folder / "x.npy", shape[0] if shape else 0


def header(text: bytes, version: bytes = b"\1\0") -> bytes:
    size = struct.pack("<H" if version == b"\1\0" else "<I", len(text))
    return b"\x93NUMPY" + version + size + text


def hostile_header(rng: Rng, folder: Path) -> Made:
    def described(shape: str, dtype: str = "'|u1'") -> bytes:
        return f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()

    texts = (
        *(described("(1000000000000, 8, 8, 1)"), described("(-1, 8, 8, 1)"), described("(3, -8)")),
        *(described("(4611686018427387904, 4)"), described("(2147483647, 2147483647, 3)")),
        *(described("(3, 8, 8, 1)", "'|O'"), described("(3,)", "[('a', '|O')]"), described("3")),
        *(described("(3.5, 8)"), described("(True, 8)"), described("(3, 8)", "'f99999999'")),
        *(described("(3, 8)", "'V2147483647'"), described("(3,)", "('u1', (2**30,))")),
        *(b"(" * 9000, b"[" * 60_000, b"{" * 9000, b"-" * 9000, b"__import__('os').system('x')"),
        *(b"\xff" * 100, b"", b"{}", b"{'descr': {}, 'fortran_order': 1, 'shape': 2}"),
        f"__import__('os').system('touch {mark(folder)}')".encode(),
    )
    text = texts[rng.integers(len(texts))]
    version = (b"\1\0", b"\2\0", b"\3\0", b"\x09\x09")[rng.choice([0, 0, 0, 1, 2, 3])]
    content = header(text, version) + rng.bytes(192)
    path = folder / "x.npy"
    if rng.random() < 0.4:
        path = folder / "x.npz"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
            opened.writestr("images.npy", content)
    else:
        path.write_bytes(content)
    return path, 3


def torn_array(rng: Rng, folder: Path) -> Made:
    ending = str(rng.choice(["npy", "npz"]))
    path = folder / f"x.{ending}"
    array = rng.integers(0, 256, (3, 8, 8, 1)).astype(np.uint8)
    with path.open("wb") as handle:
        if ending == "npy":
            np.save(handle, array)
        else:
            np.savez_compressed(handle, images=array)
    path.write_bytes(cut(rng, path.read_bytes()))
    return path, 3


def odd_npz(rng: Rng, folder: Path) -> Made:
    path = folder / "x.npz"
    whole = rng.integers(0, 256, (3, 8, 8, 1)).astype(np.uint8)
    labels = (
        *(np.array([0.5, np.nan, 1]), np.array([-1, 0, 1]), np.arange(4), np.eye(3), np.array(5)),
        *(np.array([MARKUP, "b", "c"]), np.array([2**63, 0, 1], np.uint64), np.array([b"a"] * 3)),
        *(np.array([], np.int64), np.array([True, False, True]), np.array(["a\nb", "\0", ""])),
    )
    which = int(rng.integers(4))
    if which < 2:
        np.savez(path, images=whole, labels=labels[rng.integers(len(labels))])
    elif which == 2:
        np.savez(path, images=whole, labels=np.arange(3), classes=labels[rng.integers(len(labels))])
    else:
        odd = (b"", b"text", encoded(rng), b"\x93NUMPY")[rng.integers(4)]
        with zipfile.ZipFile(path, "w") as opened:
            opened.writestr("images.npy" if rng.random() < 0.7 else "images", odd)
            opened.writestr("../escaped.npy", odd)
    return path, 3


def array_bomb(rng: Rng, folder: Path) -> Made:
    """An .npz of a few kilobytes whose array would not fit."""
    rows = int(rng.choice([2**20, 2**27]))
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({rows}, 8, 8, 1), }}\n".encode()
    path = folder / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as opened:
        opened.writestr("images.npy", header(text) + b"\0" * 2**22)
    return path, rows


MAKERS: tuple[Maker, ...] = (
    *(torn_file, flipped_file, huge_dimensions, text_bomb, pixel_bomb, wrong_extension),
    *(hostile_name, links, special_file, special_source, deep_folder, mixed, sizes, empty_folder),
    *(hostile_sidecar, hostile_member_name, torn_zip, flipped_zip, zip_fields, zip_bomb),
    *(zip_shapes, pickled, odd_values, odd_types, odd_shapes, hostile_header, torn_array),
    *(odd_npz, array_bomb, flipped_file),
)


def make(root: Path, count: int, *, seed: int) -> list[tuple[str, Path | str, int]]:
    """Fill ``root`` with ``count`` cases; return name, source and items given of each."""
    cases = []
    for number in range(count):
        maker = MAKERS[number % len(MAKERS)]
        folder = root / f"{number:03d}"
        folder.mkdir()
        path, given = maker(np.random.default_rng([seed, number]), folder)
        cases.append((f"{number:03d} {maker.__name__}", path, given))
    return cases
