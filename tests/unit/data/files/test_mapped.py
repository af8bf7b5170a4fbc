"""Large array files are mapped, and hold what a plain read of them holds."""

import numpy as np
import pytest

from rote.core.errors import DataError
from rote.core.mapped_pages import is_mapped, release_pages
from rote.data.files import mapped, npz
from rote.data.load import load_images

IMAGES = np.random.default_rng(0).integers(0, 256, (300, 6, 5, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(npz, "MAPPED_FROM", 1000)
    monkeypatch.setattr(mapped, "BLOCK_BYTES", 7 * 90)


def saved(path, array, *, compressed=False, **more):
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        (np.savez_compressed if compressed else np.savez)(path, images=array, **more)
    return path


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("layout", ["uint8", "channels first", "int64", "float32"])
def test_mapped_files_hold_what_arrays_hold(tmp_path, suffix, compressed, layout):
    stored = IMAGES.transpose(0, 3, 1, 2) if layout == "channels first" else IMAGES
    stored = stored.astype(layout) if layout in ("int64", "float32") else stored
    path = saved(tmp_path / f"x{suffix}", np.ascontiguousarray(stored), compressed=compressed)
    plain = load_images(IMAGES)
    for decoded in (None, tmp_path / "decoded", tmp_path / "decoded"):
        found = load_images(path, decoded=decoded)
        assert found.items.dtype == np.uint8
        assert (np.asarray(found.items) == IMAGES).all()
        assert found.digest == plain.digest
    unpacked = suffix == ".npz" and compressed and layout != "uint8"
    assert is_mapped(found.items) != unpacked
    kept = len(list((tmp_path / "decoded").glob("*.npy")))
    at_rest = layout == "uint8" and not (suffix == ".npz" and compressed)
    assert kept == (0 if at_rest or unpacked else 1)


def test_labels_and_seeds_of_a_mapped_archive_are_kept(tmp_path):
    labels, seeds = np.arange(300) % 7, np.arange(300)
    path = saved(tmp_path / "x.npz", IMAGES, labels=labels, seeds=seeds)
    found = load_images(path)
    assert is_mapped(found.items)
    assert (found.labels == labels).all()
    assert (found.seeds == seeds).all()


def test_a_changed_file_is_not_served_from_what_was_kept(tmp_path):
    decoded = tmp_path / "decoded"
    path = saved(tmp_path / "x.npz", IMAGES, compressed=True)
    assert (load_images(path, decoded=decoded).items == IMAGES).all()
    saved(path, IMAGES[::-1], compressed=True)
    assert (load_images(path, decoded=decoded).items == IMAGES[::-1]).all()


def test_a_mapped_file_is_fitted_as_an_array_is(tmp_path):
    path = saved(tmp_path / "x.npy", IMAGES)
    found = load_images(path, resolution=4, channels=1, decoded=tmp_path / "decoded")
    assert is_mapped(found.items)
    assert (found.items == load_images(IMAGES, resolution=4, channels=1).items).all()


@pytest.mark.parametrize("compressed", [False, True])
def test_a_damaged_archive_is_one_line(tmp_path, compressed):
    path = saved(tmp_path / "x.npz", IMAGES, compressed=compressed)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as a NumPy file") as raised:
        load_images(path, decoded=tmp_path / "decoded")
    assert "\n" not in str(raised.value)
    assert not list((tmp_path / "decoded").glob("*"))


def test_a_wrong_range_of_a_mapped_file_is_found_in_its_last_block(tmp_path):
    wrong = IMAGES.astype(np.int64)
    wrong[-1, 0, 0, 0] = 256
    path = saved(tmp_path / "x.npy", wrong)
    with pytest.raises(DataError, match="values from 0 to 256"):
        load_images(path, decoded=tmp_path / "decoded")
    path = saved(tmp_path / "dark.npy", IMAGES // 128)
    with pytest.raises(DataError, match="largest pixel value"):
        load_images(path)


def resident(array):
    """Return the pages of the process's files that are mapped in."""
    with open("/proc/self/status") as status:  # noqa: PTH123 - not a file that has a path's methods
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssFile"))


def test_released_pages_leave_memory_and_come_back(tmp_path):
    big = np.random.default_rng(1).integers(0, 256, (4096, 4096), dtype=np.uint8)
    np.save(tmp_path / "x.npy", big)
    found = np.load(tmp_path / "x.npy", mmap_mode="r")[::2]
    before = resident(found)
    total = int(found.sum())
    read = resident(found)
    release_pages(found)
    after = resident(found)
    assert read - before > 12e6  # 16 MiB but for what the kernel maps in around
    assert after - before < 4e6
    assert int(found.sum()) == total


def test_pages_with_private_changes_are_not_released(tmp_path):
    np.save(tmp_path / "x.npy", IMAGES)
    private = np.load(tmp_path / "x.npy", mmap_mode="c")
    private[0] = 9
    release_pages(private)
    assert (private[0] == 9).all()
    assert not is_mapped(IMAGES)
