"""Files that change while they are read: what was measured is what was hashed, or one line says which."""

import contextlib
import errno
import os
import resource
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command import run_here
from PIL import Image

from rote.core.errors import DataError, RoteError
from rote.data.files import archives, decoded_cache, mapped, npz
from rote.data.files.entry import Entry
from rote.data.load import load_images
from rote.data.options import ReadOptions

COUNT = 8


def write(path: Path, value: int) -> None:
    """Write an image of its own size of file, whatever it shows."""
    pixels = np.random.default_rng(value).integers(0, 256, (6, 6, 3), np.uint8)
    Image.fromarray(pixels).save(path, "BMP")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for number in range(COUNT):
        write(tmp_path / "images" / f"{number}.bmp", number)
    return tmp_path / "images"


@pytest.fixture(autouse=True)
def _keep_small_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded_cache, "CACHE_FROM", 2)


def gone(path: Path) -> None:
    path.unlink()


def cut_short(path: Path) -> None:
    os.truncate(path, 40)


def replaced(path: Path) -> None:
    write(path.with_name("other"), 99)
    path.with_name("other").replace(path)


def rewritten(path: Path) -> None:
    """Write another image into the same file, of the same size, and set its time back."""
    found = path.stat()
    write(path.with_name("other"), 99)
    with path.open("r+b") as handle:
        handle.write(path.with_name("other").read_bytes())
    path.with_name("other").unlink()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert path.stat().st_mtime_ns == found.st_mtime_ns


CHANGES = [gone, cut_short, replaced, rewritten]


def change_at_read(
    monkeypatch: pytest.MonkeyPatch, name: str, number: int, change: Callable[[], None]
) -> None:
    """Have the source changed just before one of its files is read for the ``number``-th time."""
    read, left = Entry._read, number

    def counting(self: Entry, size: int | None) -> object:
        nonlocal left
        left -= self.name == name
        if left == 0 and self.name == name:
            change()
        return read(self, size)

    monkeypatch.setattr(Entry, "_read", counting)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("seen", [False, True])
def test_a_file_that_changes_while_others_are_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change, seen: bool
) -> None:
    """Files are hashed and decoded from one read; those of known names are hashed first."""
    kept = tmp_path / "decoded"
    last, at = folder / f"{COUNT - 1}.bmp", 1
    if seen:
        load_images(folder, decoded=kept, skip_unreadable=True)
        write(folder / "0.bmp", 50)  # so that all are hashed, and then decoded
        at = 2
    with monkeypatch.context() as patch:
        change_at_read(patch, last.name, at, lambda: change(last))
        try:
            found = load_images(folder, decoded=kept, skip_unreadable=True)
        except DataError as error:
            assert "7.bmp" in str(error)
            assert "while it was read; run again" in str(error)
            assert "\n" not in str(error)
        else:
            # It changed before anybody had read it: then the new one is what was measured. Of two
            # reads the second counts, and a reader knows the file that it has read before.
            assert not seen and change is not gone
            plain = load_images(folder, skip_unreadable=True)
            assert found.digest == plain.digest and found.names == plain.names
    if change is gone:
        write(last, COUNT - 1)
    # Whatever happened, nothing lies under a key that is not its own.
    for _ in range(2):
        found = load_images(folder, decoded=kept, skip_unreadable=True)
        assert found.digest == load_images(folder, skip_unreadable=True).digest


def test_without_a_cache_a_file_that_goes_away_is_not_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_at_read(monkeypatch, "7.bmp", 1, (folder / "7.bmp").unlink)
    with pytest.raises(DataError, match=r"7\.bmp went away while it was read"):
        load_images(folder, skip_unreadable=True)


def test_a_link_to_nothing_is_a_file_that_cannot_be_read(folder: Path) -> None:
    (folder / "8.bmp").symlink_to(folder / "nothing")
    assert load_images(folder, skip_unreadable=True).unreadable == ("8.bmp",)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_that_changes_while_it_is_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / f"a.{kind}"
    files = sorted(folder.iterdir())
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as held:
            for file in files:
                held.write(file, file.name)
    else:
        with tarfile.open(path, "w") as tar:
            for file in files:
                tar.add(file, file.name)
    at = path.read_bytes().index(files[-1].read_bytes())

    def change() -> None:
        with path.open("r+b") as handle:
            handle.seek(at + 80)
            handle.write(b"\0" * 8)

    change_at_read(monkeypatch, "7.bmp", 1, change)
    with pytest.raises(DataError, match="while it was read"):
        load_images(path, decoded=tmp_path / "decoded", skip_unreadable=True)


# -- the machine runs out --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        *(OSError(n, os.strerror(n)) for n in (errno.ENOMEM, errno.EMFILE, errno.ENFILE)),
        OSError(errno.EIO, os.strerror(errno.EIO)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("where", ["read", "decode"])
def test_a_machine_that_runs_out_makes_no_file_unreadable(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, where: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    if where == "read":
        monkeypatch.setattr(archives, "file_reader", lambda path: fail)
    else:
        monkeypatch.setattr(Image.Image, "getexif", fail)
    with pytest.raises(DataError, match=r"memory ran out|too many files|the device") as found:
        load_images(folder, skip_unreadable=True)
    assert "\n" not in str(found.value)


def test_too_few_open_files_is_one_line(folder: Path) -> None:
    entry = Entry("0.bmp", archives.file_reader(folder / "0.bmp"), "0.bmp")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                held.append(os.dup(0))
        with pytest.raises(DataError, match="too many files are open"):
            entry.content()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for number in held:
            os.close(number)


# -- the cache -------------------------------------------------------------------------------------


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "flipped":
        content[-1] ^= 1
    elif how == "cut":
        content = content[:-1]
    elif how == "empty":
        content = bytearray()
    else:
        content += b"\0"
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "longer"])
@pytest.mark.parametrize("pattern", ["*.npy", "*.json"])
def test_a_damaged_entry_is_made_anew(folder: Path, tmp_path: Path, how: str, pattern: str) -> None:
    kept = tmp_path / "decoded"
    expected = load_images(folder, decoded=kept).digest
    damage(next(kept.glob(pattern)), how)
    found = load_images(folder, decoded=kept)
    assert found.digest == expected
    assert len(list(kept.glob("*.npy"))) == len(list(kept.glob("*.json"))) == 1


def test_an_entry_without_a_checksum_is_made_anew(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "decoded"
    expected = load_images(folder, decoded=kept).digest
    note = next(kept.glob("*.json"))
    lines = [line for line in note.read_text().splitlines() if "checksum" not in line]
    note.write_text("\n".join(lines))
    damage(next(kept.glob("*.npy")), "flipped")
    assert load_images(folder, decoded=kept).digest == expected


def test_a_cache_is_made_for_nobody_else_to_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROTE_CACHE", str(tmp_path / "new" / "cache"))
    load_images(folder, decoded=decoded_cache.decoded_folder())
    for path in (tmp_path / "new", tmp_path / "new" / "cache", decoded_cache.decoded_folder()):
        assert path.stat().st_mode & 0o777 == 0o700


def test_a_link_in_the_cache_is_not_written_through(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "decoded"
    expected = load_images(folder, decoded=kept).digest
    mine = tmp_path / "mine"
    for path in kept.iterdir():
        path.unlink()
        mine.write_bytes(b"of the user")
        path.symlink_to(mine)
    assert load_images(folder, decoded=kept).digest == expected
    assert mine.read_bytes() == b"of the user"
    assert not any(path.is_symlink() for path in kept.iterdir())


def test_a_cache_on_a_full_disk_is_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DataError, match=r"the disk is full.*no_cache") as found:
        load_images(folder, decoded=tmp_path / "decoded")
    assert "\n" not in str(found.value)
    assert not list((tmp_path / "decoded").iterdir())


LOADING = """
import sys
from pathlib import Path
from rote.data.files import decoded_cache
from rote.data.load import load_images
decoded_cache.CACHE_FROM = 2
print(load_images(sys.argv[1], decoded=Path(sys.argv[2])).digest)
"""


def loading(folder: Path, kept: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", LOADING, str(folder), str(kept)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_cache_that_processes_share_and_are_killed_in(folder: Path, tmp_path: Path) -> None:
    for number in range(COUNT, 1500):
        write(folder / f"{number}.bmp", number)
    kept = tmp_path / "decoded"
    both = [loading(folder, kept) for _ in range(2)]
    expected = load_images(folder).digest
    assert [process.communicate() for process in both] == [(f"{expected}\n", "")] * 2
    killed = 0
    for number in range(30):
        for path in kept.glob("[!.]*"):
            path.unlink()
        first, second = loading(folder, kept), loading(folder, kept)
        limit = time.monotonic() + 60
        while not list(kept.glob(".*.tmp")) and first.poll() is None and time.monotonic() < limit:
            time.sleep(0.002)
        time.sleep(0.01 * number)
        first.kill()
        first.communicate()
        killed += first.returncode == -signal.SIGKILL
        assert second.communicate() == (f"{expected}\n", "")
    assert loading(folder, kept).communicate() == (f"{expected}\n", "")
    for path in kept.glob("[!.]*"):
        path.unlink()
    load_images(folder, decoded=kept)
    assert not list(kept.glob(".*"))
    print(f"{killed} kills")
    assert killed > 10


# -- mapped sources --------------------------------------------------------------------------------


@pytest.fixture
def array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(npz, "MAPPED_FROM", 1000)
    path = tmp_path / "array.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), np.uint8))
    return path


@pytest.mark.parametrize(
    ("side", "how"),
    [
        *(("training", "rewritten"), ("generated", "replaced")),
        *(("training", "gone"), ("generated", "longer")),
    ],
)
def test_a_mapped_source_that_changes_stops_the_audit(
    array: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, side: str
) -> None:
    other = tmp_path / "other.npy"
    np.save(other, np.load(array)[:30])
    import rote.memorization.audit.audit as audits

    prepare = audits.prepare

    def changed(*given, **options):
        prepared = prepare(*given, **options)
        found = array.stat()
        if how == "rewritten":
            with array.open("r+b") as handle:
                handle.seek(-500, os.SEEK_END)
                handle.write(b"\0" * 500)
            os.utime(array, ns=(found.st_atime_ns, found.st_mtime_ns))
        elif how == "replaced":
            other.replace(array)
        elif how == "gone":
            array.unlink()
        else:
            with array.open("ab") as handle:
                handle.write(b"\0")
        return prepared

    monkeypatch.setattr(audits, "prepare", changed)
    sides = {side: array, ("training" if side == "generated" else "generated"): other}
    done = run_here(
        *("audit", "--generated", str(sides["generated"]), "--training", str(sides["training"])),
        *("--out", "out", "--no-cache", "--device", "cpu"),
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "while it was read; run again" in done.stderr.replace("\n", " ")
    assert not (tmp_path / "out" / "audit.json").exists()


def test_a_mapped_source_that_is_cut_short_ends_with_one_line(tmp_path: Path) -> None:
    program = f"""
import os, numpy as np
from rote.data.files import npz
from rote.data.load import load_images
npz.MAPPED_FROM = 1000
path = "{tmp_path}/array.npy"
np.save(path, np.full((200, 64, 64, 3), 7, np.uint8))
found = load_images(path)
os.truncate(path, 200)
print(found.items.sum())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"error: {tmp_path}/array.npy changed (from 2,457,728 to 200 bytes) while it was read; run again "
        "when nothing changes it\n"
    )


def test_an_array_that_changes_before_it_is_kept_stops_the_reading(
    array: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_blocks = mapped.write_blocks

    def late(*given) -> None:
        write_blocks(*given)
        replacement = tmp_path / "new.npy"
        np.save(replacement, np.zeros((60, 8, 8, 3), np.uint8))
        replacement.replace(array)

    monkeypatch.setattr(decoded_cache, "write_blocks", late)
    kept = tmp_path / "decoded"
    with pytest.raises(RoteError, match=r"array\.npy changed"):
        load_images(array, options=ReadOptions(resolution=4), decoded=kept)
    assert not list(kept.iterdir())
