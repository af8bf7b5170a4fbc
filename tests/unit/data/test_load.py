"""Folders of image files: order, labels, what is ignored, and every error's way out."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from rote.core.errors import DataError
from rote.data.load import load_images, named_sources


def save(path, value=100, size=(6, 4), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value, 50, 200)).save(path)


def error_of(*args, **options):
    with pytest.raises(DataError) as caught:
        load_images(*args, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_flat_folder_in_sorted_order_without_labels(tmp_path):
    for name, value in (("b.png", 20), ("a.png", 10), ("C.PNG", 30), ("a10.png", 40)):
        save(tmp_path / name, value)
    data = load_images(tmp_path)
    assert data.names == ("C.PNG", "a.png", "a10.png", "b.png")
    assert data.items[:, 0, 0, 0].tolist() == [30, 10, 40, 20]
    assert (data.labels, data.classes, data.unreadable) == (None, (), ())
    assert data.shape == (3, 4, 6)
    assert data.source == str(tmp_path)
    assert load_images(str(tmp_path)).digest == data.digest


def test_sub_folders_are_classes(tmp_path):
    save(tmp_path / "dog/x/1.png", 1)
    save(tmp_path / "cat/2.png", 2)
    save(tmp_path / "dog/0.png", 3)
    data = load_images(tmp_path)
    assert data.names == ("cat/2.png", "dog/0.png", "dog/x/1.png")
    assert data.classes == ("cat", "dog")
    assert data.labels.tolist() == [0, 1, 1]
    assert data.items[:, 0, 0, 0].tolist() == [2, 3, 1]


def test_an_image_beside_the_sub_folders_means_no_labels(tmp_path):
    save(tmp_path / "cat/2.png")
    save(tmp_path / "1.png")
    assert load_images(tmp_path).labels is None


def test_hidden_and_other_files_are_ignored(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / ".hidden.png")
    save(tmp_path / ".cache/b.png")
    (tmp_path / "notes.txt").write_text("x")
    assert load_images(tmp_path).names == ("a.png",)


def test_order_does_not_depend_on_how_threads_finish(tmp_path):
    for i in range(40):
        size = (200, 200) if i % 3 == 0 else (4, 4)
        save(tmp_path / f"{i:03}.png", i, size)
    data = load_images(tmp_path, resolution=2)
    assert data.items[:, 0, 0, 0].tolist() == list(range(40))


def test_more_images_than_one_batch(tmp_path):
    for i in range(300):
        save(tmp_path / f"{i:03}.pgm", i % 250, (1, 1), "L")
    data = load_images(tmp_path)
    assert data.items[:, 0, 0, 0].tolist() == [i % 250 for i in range(300)]


def test_one_image_is_loadable_as_folder_and_as_file(tmp_path):
    save(tmp_path / "a.png", 9)
    from_folder, from_file = load_images(tmp_path), load_images(tmp_path / "a.png")
    assert len(from_folder) == 1
    assert from_file.digest == from_folder.digest
    assert from_file.names == ("a.png",)


def test_loops_of_links_end_and_linked_folders_are_read_once(tmp_path):
    save(tmp_path / "data/cat/1.png", 1)
    save(tmp_path / "elsewhere/2.png", 2)
    (tmp_path / "data/cat/up").symlink_to(tmp_path / "data")
    (tmp_path / "data/self").symlink_to("self")
    (tmp_path / "data/ant").symlink_to(tmp_path / "data/cat")
    (tmp_path / "data/dog").symlink_to(tmp_path / "elsewhere")
    data = load_images(tmp_path / "data")
    assert data.names == ("cat/1.png", "dog/2.png")
    assert data.classes == ("cat", "dog")


def test_dataset_json_labels_a_folder(tmp_path):
    save(tmp_path / "x/a.png")
    save(tmp_path / "x/b.png")
    (tmp_path / "dataset.json").write_text('{"labels": [["x/b.png", 3], ["x/a.png", 7]]}')
    data = load_images(tmp_path)
    assert data.classes == ("3", "7")
    assert data.labels.tolist() == [1, 0]
    (tmp_path / "dataset.json").write_text('{"labels": null}')
    assert load_images(tmp_path).labels is None
    (tmp_path / "dataset.json").write_text('{"about": "something else"}')
    assert load_images(tmp_path).classes == ("x",)


def test_hostile_names_are_only_text(tmp_path):
    names = ["new\nline/[red]a.png", "new\nline/\x1b[31mb.png", "$(rm)/'; --.png"]
    for name in names:
        save(tmp_path / name)
    (tmp_path / os.fsdecode(b"bad\xff")).mkdir()
    save(tmp_path / os.fsdecode(b"bad\xff") / "c.png")
    data = load_images(tmp_path)
    assert sorted(data.names) == sorted([*names, "bad\\udcff/c.png"])
    assert data.classes == ("$(rm)", "bad\\udcff", "new\nline")
    for text in (*data.names, *data.classes):
        text.encode("utf-8")
    save(tmp_path / "new\nline/c\td.png", size=(9, 9))
    message = error_of(tmp_path)
    assert "new\\nline/c\\td.png" in message


def test_missing_and_misspelled_sources(tmp_path):
    message = error_of(tmp_path / "nothing")
    assert "does not exist" in message
    assert "`source`" in message
    message = error_of("digts")
    assert "did you mean 'digits'?" in message
    assert "nor a path that exists" in message
    assert "known: digits, wine" in error_of("qqq")
    assert "`source`" in error_of("")
    assert "`source`" in error_of("a\0b.png")
    assert "`source`" in error_of("x" * 5000)


def test_a_path_object_is_never_a_named_source():
    with pytest.raises(DataError, match="does not exist"):
        from pathlib import Path

        load_images(Path("digits"))


def test_folders_without_images(tmp_path):
    message = error_of(tmp_path)
    assert "has no files" in message
    assert "`source`" in message
    (tmp_path / "a.txt").touch()
    (tmp_path / "b.txt").touch()
    (tmp_path / "c").touch()
    message = error_of(tmp_path)
    assert "has 3 files and none is an image (extensions seen: .txt (2), none (1))" in message
    assert ".png" in message
    assert "the path of that file" not in message
    (tmp_path / "train.npz").touch()
    assert "the path of that file" in error_of(tmp_path)


def test_files_of_unknown_type(tmp_path):
    path = tmp_path / "a.feather"
    path.touch()
    message = error_of(path)
    assert "unknown type '.feather'" in message
    assert "`source`" in message
    os.mkfifo(tmp_path / "pipe.png")
    assert "neither a folder nor a file" in error_of(tmp_path / "pipe.png")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read(tmp_path):
    save(tmp_path / "a/1.png")
    (tmp_path / "b").mkdir(mode=0)
    try:
        assert "permissions" in error_of(tmp_path)
    finally:
        (tmp_path / "b").chmod(0o700)


def test_mixed_sizes_name_the_two_most_common_and_the_flag(tmp_path):
    for i in range(3):
        save(tmp_path / f"a{i}.png", size=(6, 4))
    for i in range(2):
        save(tmp_path / f"b{i}.png", size=(8, 9))
    save(tmp_path / "c.png", size=(50, 50))
    message = error_of(tmp_path)
    assert "3 sizes" in message
    assert "6x4 (3 images, such as a0.png) and 8x9 (2 images, such as b0.png)" in message
    assert "`resolution` 4" in message
    assert "50x50" not in message
    data = load_images(tmp_path, resolution=4)
    assert data.shape == (3, 4, 4)
    assert len(data) == 6


def test_uniform_images_need_not_be_square(tmp_path):
    save(tmp_path / "a.png", size=(9, 2))
    assert load_images(tmp_path).shape == (3, 2, 9)


def test_grey_files_give_one_channel(tmp_path):
    save(tmp_path / "a.png", 7, mode="L")
    save(tmp_path / "b.png", 8, mode="L")
    data = load_images(tmp_path)
    assert data.shape == (1, 4, 6)
    assert data.items[:, 0, 0, 0].tolist() == [7, 8]
    assert load_images(tmp_path, channels=3).items[1, 0, 0].tolist() == [8, 8, 8]


def test_grey_and_rgb_mixed_need_channels(tmp_path):
    save(tmp_path / "a.png", 10, mode="L")
    save(tmp_path / "b.png", 20)
    save(tmp_path / "c.png", 30)
    message = error_of(tmp_path)
    assert "1 grey images (such as a.png) and 2 RGB images (such as b.png)" in message
    assert "`channels` 3" in message
    rgb = load_images(tmp_path, channels=3)
    assert rgb.items[:, 0, 0].tolist() == [[10, 10, 10], [20, 50, 200], [30, 50, 200]]
    grey = load_images(tmp_path, channels=1)
    wanted = np.asarray(Image.open(tmp_path / "b.png").convert("L"))
    assert np.array_equal(grey.items[1, :, :, 0], wanted)
    assert grey.items[0, 0, 0, 0] == 10


def make_unreadable(folder, count):
    for i in range(count):
        (folder / f"bad{i}.png").write_bytes(b"no image")


def test_unreadable_files_are_listed(tmp_path):
    save(tmp_path / "good.png", 5)
    make_unreadable(tmp_path, 7)
    message = error_of(tmp_path)
    assert "7 of 8 image files cannot be read (bad0.png: not an image" in message
    assert "bad4.png" in message
    assert "bad5.png" not in message
    assert "and 2 more" in message
    assert "`skip_unreadable`" in message


def test_unreadable_files_can_be_skipped_and_are_recorded(tmp_path):
    save(tmp_path / "x/bad9.png", 5)
    save(tmp_path / "y/z.png", 6)
    make_unreadable(tmp_path / "x", 2)
    (tmp_path / "y/link.png").symlink_to("nowhere")
    data = load_images(tmp_path, skip_unreadable=True)
    assert data.names == ("x/bad9.png", "y/z.png")
    assert data.labels.tolist() == [0, 1]
    assert data.items[:, 0, 0, 0].tolist() == [5, 6]
    assert data.unreadable == ("x/bad0.png", "x/bad1.png", "y/link.png")


def test_formats_that_are_not_decoded_are_not_left_out_silently(tmp_path):
    save(tmp_path / "a.png")
    (tmp_path / "b.heic").write_bytes(b"x")
    message = error_of(tmp_path)
    assert "b.heic: .heic is not supported, convert it to .png" in message
    assert load_images(tmp_path, skip_unreadable=True).unreadable == ("b.heic",)


def test_pipes_and_huge_files_do_not_hang(tmp_path, monkeypatch):
    save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    monkeypatch.setattr("rote.data.files.entry.MAX_FILE_BYTES", 2**20)
    with (tmp_path / "sparse.png").open("wb") as handle:
        handle.truncate(2**20 + 1)
    message = error_of(tmp_path)
    assert "pipe.png: not a regular file, sparse.png: larger than 1 MiB" in message


def test_nothing_readable_is_an_error_even_when_skipping(tmp_path):
    make_unreadable(tmp_path, 2)
    message = error_of(tmp_path, skip_unreadable=True)
    assert "none of 2 image files can be read (bad0.png: " in message
    assert "`source`" in message


def test_a_set_of_black_images_is_an_error(tmp_path):
    for name in "ab":
        Image.new("L", (2, 2), 1).save(tmp_path / f"{name}.png")
    assert "largest pixel value of all 2 images is 1" in error_of(tmp_path)
    assert len(load_images(tmp_path / "a.png")) == 1


@pytest.mark.parametrize("resolution", [0, -1, 2.5, True, "8"])
def test_bad_resolutions(resolution):
    assert "`resolution`" in error_of("digits", resolution=resolution)


@pytest.mark.parametrize("channels", [0, 2, 4, "3"])
def test_bad_channels(channels):
    assert "`channels`" in error_of("digits", channels=channels)


def test_more_pixels_than_memory(tmp_path, monkeypatch):
    save(tmp_path / "a.png")

    def no_memory(*_, **__):
        raise MemoryError

    monkeypatch.setattr("rote.data.files.decode_all.np.empty", no_memory)
    message = error_of(tmp_path)
    assert "GiB of memory" in message
    assert "`resolution`" in message


def test_every_name_has_one_line():
    for name, description in named_sources().items():
        assert name
        assert "\n" not in description


def test_a_name_wins_over_a_path_and_a_dot_chooses_the_path(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(load_images("digits")) == 1797
    with pytest.raises(DataError, match="has no files"):
        load_images("./digits")


def test_importing_the_sources_imports_no_torch_and_no_scikit_learn():
    code = (
        "import sys, rote.data.load; "
        "sys.exit(str({'torch', 'sklearn', 'scipy'} & set(sys.modules)) "
        "if {'torch', 'sklearn', 'scipy'} & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
