"""Small files that claim to be large, and counts that no memory holds: refused in one line, at once."""

import http.server
import io
import os
import struct
import threading
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from command import run_here
from PIL import Image

from rote.core.errors import DataError, DownloadError, RoteError, RunError
from rote.data.files import collect, entry, mapped, npz
from rote.data.load import load_images
from rote.data.named import download
from rote.data.named.download import RemoteFile, fetch
from rote.data.options import ReadOptions
from rote.diffusion.checkpoint import read_header, read_tensors, write_tensors


def png(value: int = 7, *, size: tuple[int, int] = (4, 4)) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", size, value).save(buffer, "PNG")
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def claiming_png(width: int, height: int, *, bits: int = 8) -> bytes:
    """Return a PNG whose header claims a size, with no more than a few rows behind it."""
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * 10_000)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def claiming_npy(path: Path, shape: str, *, dtype: str = "|u1") -> Path:
    """Write a .npy whose header claims a shape, with 1,000 bytes behind it."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(1000))
    return path


def refused(source: Path, *, seconds: float = 5, **options) -> str:
    """Return the one line with which a source is refused, in little time."""
    start = time.monotonic()
    with pytest.raises(RoteError) as error:
        load_images(source, **options)
    assert time.monotonic() - start < seconds
    assert "\n" not in str(error.value)
    return str(error.value)


# -- images ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "height"),
    [(30_000, 30_000), (2**31 - 1, 1), (1, 2**31 - 1), (2**31 - 1, 2**31 - 1), (90_000_000, 1)],
)
def test_an_image_that_claims_too_many_pixels(tmp_path: Path, width: int, height: int) -> None:
    (tmp_path / "a.png").write_bytes(claiming_png(width, height))
    assert "cannot be read" in refused(tmp_path) or "none of 1" in refused(tmp_path)


def test_a_large_page_behind_a_small_one(tmp_path: Path) -> None:
    pages = [Image.new("1", (8, 8)), Image.new("1", (30_000, 4_000))]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], compression="group4")
    assert "more than 89,478,485 pixels" in refused(tmp_path, options=ReadOptions(frames="all"))


def test_images_that_no_memory_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "memory_of_machine", lambda: 100_000)
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(png(size=(200, 200)))
    assert "3 images of 200x200 pixels need" in refused(tmp_path)
    assert len(load_images(tmp_path, resolution=8)) == 3


# -- archives --------------------------------------------------------------------------------------


def overlapping(path: Path, count: int) -> None:
    """Write a zip whose ``count`` members are one and the same 20 MB of zeros, squeezed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as held:
        held.writestr("0000.png", bytes(20 * 2**20))
    whole = buffer.getvalue()
    start = whole.index(b"PK\x01\x02")
    end = whole.index(b"PK\x05\x06")
    entry = whole[start:end]
    entries = b"".join(
        entry.replace(b"0000.png", f"{number:04}.png".encode()) for number in range(count)
    )
    last = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(entries), start, 0)
    path.write_bytes(whole[:start] + entries + last)


def test_members_that_overlap(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    overlapping(path, 4_000)
    assert path.stat().st_size < 300_000
    assert "its members overlap" in refused(path)
    (tmp_path / "folder").mkdir()
    path.rename(tmp_path / "folder" / "a.zip")
    assert "its members overlap" in refused(tmp_path / "folder")


def test_a_member_that_unpacks_without_end(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as held:
        held.writestr("0.png", bytes(entry.MAX_FILE_BYTES // 15))
    assert path.stat().st_size < 1_000
    assert "unpacks to more than 1,100 times its size" in refused(path)


def test_a_large_black_image_is_no_bomb(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as held:
        for number in range(2):
            picture = io.BytesIO()
            Image.new("L", (5_000, 4_000), 200 * number).save(picture, "BMP")
            held.writestr(f"{number}.bmp", picture.getvalue())
    found = load_images(tmp_path / "a.zip", resolution=8).items
    assert (found[0].max(), found[1].min()) == (0, 200)


@pytest.mark.parametrize("count", [1_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_very_many_members(tmp_path: Path, count: int) -> None:
    path, content = tmp_path / "a.zip", png()
    with zipfile.ZipFile(path, "w") as held:
        for number in range(count):
            held.writestr(f"{number}.png", content)
    start = time.monotonic()
    assert len(load_images(path)) == count
    assert time.monotonic() - start < 5 + count / 400


# -- arrays ----------------------------------------------------------------------------------------

CLAIMS = [
    *("(1000000000000,)", "(1000000000000, 8, 8, 3)", "(1000000, 1000000)"),
    *("(9223372036854775807, 9223372036854775807)", "(4611686018427387904, 4)", "(-1, 8, 8, 3)"),
    *("(99999999999999999999,)", "(1000000, 64, 64, 3)", "(3, 1000000, 1000000, 3)"),
]


@pytest.mark.parametrize("dtype", ["|u1", "<f8", "<U1000000"])
@pytest.mark.parametrize("shape", CLAIMS)
def test_an_array_that_claims_more_than_it_holds(tmp_path: Path, shape: str, dtype: str) -> None:
    path = claiming_npy(tmp_path / "a.npy", shape, dtype=dtype)
    refused(path)
    for way in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", way) as held:
            held.write(path, "images.npy")
        refused(tmp_path / "a.npz")


@pytest.mark.parametrize("way", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_mapped_member_that_claims_the_bytes_of_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: int
) -> None:
    monkeypatch.setattr(npz, "MAPPED_FROM", 1000)
    path = claiming_npy(tmp_path / "a.npy", "(40, 8, 8, 1)")
    with zipfile.ZipFile(tmp_path / "a.npz", "w", way) as held:
        held.write(path, "images.npy")
        held.writestr("labels.npy", bytes(100_000))
    assert "claims 2,560 bytes and 1,000 follow" in refused(
        tmp_path / "a.npz", decoded=tmp_path / "decoded"
    )
    assert mapped.MAPPED_FROM == 64 * 2**20


def test_an_array_that_no_memory_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "MAPPED_FROM", 1000)
    monkeypatch.setattr(npz, "memory_of_machine", lambda: 10_000)
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((100, 8, 8, 3), np.float64))
    assert "is larger than the memory" in refused(tmp_path / "a.npz")


# -- counts ----------------------------------------------------------------------------------------


def test_more_samples_than_memory(tmp_path: Path) -> None:
    count = str(10**12)
    done = run_here(
        *("optimum", "--data", "iris", "--out", "a.npz", "--count", count), cwd=tmp_path
    )
    assert done.returncode == 1
    assert "--count 1000000000000: as many samples" in done.stderr
    (tmp_path / "made.py").write_text(
        "import numpy as np\ndef made(num, seed): return np.zeros((num, 8, 8, 1), np.uint8)\n"
    )
    done = run_here(
        *("audit", "--generated", "made:made", "--training", "digits", "--count", count),
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "--count 1000000000000: as many samples" in done.stderr


# -- downloads -------------------------------------------------------------------------------------


@pytest.fixture
def dripping():
    """Return the address of a server that gives a byte now and then, and never ends."""
    over = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            while not over.wait(0.02):
                try:
                    self.wfile.write(b"x")
                except OSError:
                    return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/file.bin"
    over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.enable_socket
def test_a_download_that_drips_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dripping: str
) -> None:
    monkeypatch.setattr(download, "LEAST_SECONDS", 0.1)
    monkeypatch.setattr(download, "_ATTEMPTS", 2)
    with pytest.raises(DownloadError, match=r"fewer than 60,000 bytes came in 0\.1 seconds"):
        fetch(RemoteFile(dripping, 1_000_000, "0" * 64), tmp_path / "cache")
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


@pytest.mark.enable_socket
@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symlink", "hardlink"])
def test_a_linked_part_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dripping: str, link
) -> None:
    monkeypatch.setattr(download, "LEAST_SECONDS", 0.1)
    monkeypatch.setattr(download, "_ATTEMPTS", 1)
    (tmp_path / "mine").write_text("of the user")
    link(tmp_path / "mine", tmp_path / "file.bin.part")
    with pytest.raises(DownloadError):
        fetch(RemoteFile(dripping, 1_000_000, "0" * 64), tmp_path)
    assert (tmp_path / "mine").read_text() == "of the user"


# -- snapshots -------------------------------------------------------------------------------------


def test_a_snapshot_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "1.safetensors"
    tensors = {"a": torch.arange(4.0), "b": torch.tensor(True), "c": torch.empty(0, 3)}
    write_tensors(path, tensors, {})
    assert torch.equal(read_tensors(path)["a"], tensors["a"])
    content = bytearray(path.read_bytes())
    for at in range(len(content) - 17, len(content)):
        damaged = content.copy()
        damaged[at] ^= 16
        path.write_bytes(damaged)
        with pytest.raises(RunError, match="its numbers are not those that were written"):
            read_tensors(path)
    # One of an older version tells no checksum.
    old = bytes(content).replace(b"sha256", b"sha999")
    path.write_bytes(old)
    assert "sha256" not in read_header(path)
    assert torch.equal(read_tensors(path)["a"], tensors["a"])


def test_errors_are_of_the_data(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        load_images(claiming_npy(tmp_path / "a.npy", CLAIMS[0]))
