"""Nothing vanishes: every file of a source is read, counted with its reason, or stops the reading."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from rote.core.errors import DataError
from rote.data.account import Account
from rote.data.files import decoded_cache
from rote.data.load import load_images
from rote.data.options import ReadOptions
from rote.data.shards.stream import open_stream

RNG = np.random.default_rng(0)
PHOTOS = RNG.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)


def save(folder, images, names="{:03}.png", **options):
    folder.mkdir(exist_ok=True, parents=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / names.format(number), **options)
    return folder


def zipped(folder):
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return path


def said(dataset):
    return "; ".join(dataset.account.parts())


@pytest.mark.parametrize(
    ("name", "file_format"),
    [
        *((f"{{:03}}.{end}", "JPEG") for end in ("jfif", "jpe", "JPG", "jpg?w=1", "txt", "mpo")),
        *(("{:03}.jpg ", "JPEG"), ("{:03}", "JPEG"), ("{:03}.apng", "PNG"), ("{:03}.bak", "PNG")),
        *(("{:03}.png_large", "PNG"), ("v1.{:03}", "TIFF"), ("{:03}.dat", "BMP")),
    ],
)
def test_images_are_told_by_what_they_hold(tmp_path, name, file_format):
    folder = save(tmp_path / "a", PHOTOS, name, format=file_format)
    plain = save(tmp_path / "b", PHOTOS, f"{{:03}}.{file_format.lower()}", format=file_format)
    wanted = load_images(plain).items
    for source in (folder, zipped(folder)):
        found = load_images(source)
        assert np.array_equal(found.items, wanted)
        assert found.account.parts() == []
    parts = [batch.items for batch in open_stream(str(folder)).batches(0)]
    assert np.array_equal(np.concatenate(parts), wanted)


def test_icons_are_read(tmp_path):
    save(
        tmp_path / "a", [np.kron(image, np.ones((2, 2, 1), np.uint8)) for image in PHOTOS], "{}.ico"
    )
    assert len(load_images(tmp_path / "a")) == 12


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("item.npy", None),
        ("batch.npz", b"PK\x03\x04"),
        ("scan.dcm", bytes(128) + b"DICM"),
        ("clip.wav", b"RIFF\0\0\0\0WAVE"),
        ("scan", bytes(128) + b"DICM"),
        ("volume.nii.gz", b"\x1f\x8b"),
        ("clip.mp4", b"\0\0\0\x20ftypisom"),
        ("data.parquet", b"PAR1"),
        ("model.safetensors", b"\x08\0\0\0\0\0\0\0{}"),
        ("renamed.txt", b"\x93NUMPY\1\0v\0"),
    ],
)
def test_what_might_be_data_stops_unless_patterns_leave_it_out(tmp_path, name, content):
    folder = save(tmp_path / "a", PHOTOS[:2])
    if content is None:
        np.save(folder / name, PHOTOS[2])
    else:
        (folder / name).write_bytes(content)
    for source in (folder, zipped(folder)):
        with pytest.raises(DataError, match=r"beside 2 images lie 1 files that might be data"):
            load_images(source)
        with pytest.raises(DataError, match=r"`exclude`"):
            open_stream(str(source))
        for options in (ReadOptions(exclude=(name,)), ReadOptions(include=("*.png",))):
            found = load_images(source, options=options)
            assert (len(found), found.account.files, found.account.read) == (2, 3, 2)
            assert f"(1, {'in `exclude`' if options.exclude else 'not in `include`'}" in said(found)


def test_every_file_is_read_or_counted(tmp_path):
    folder = save(tmp_path / "a", PHOTOS[:3])
    (folder / "notes.txt").write_text("x")
    (folder / "metadata.csv").write_text("a,b")
    (folder / "empty").touch()
    (folder / ".DS_Store").write_bytes(bytes(10))
    (folder / "torn.png").write_bytes(b"\x89PNG\r\n")
    found = load_images(folder, skip_unreadable=True)
    account = found.account
    assert account.files == 8 == account.read + sum(g.count for g in account.left_out)
    assert {(g.extension, g.reason) for g in account.left_out} == {
        *((".txt", "text"), (".csv", "text"), ("none", "empty"), ("none", "hidden")),
        (".png", "unreadable"),
    }
    assert json.loads(json.dumps(account.to_json())) == account.to_json()
    assert Account.from_json(account.to_json()) == account
    assert found.provenance()["account"]["files"] == 8
    assert "account" not in found.describe()


@pytest.mark.parametrize(
    ("alpha", "value"), [("white", [255] * 3), ("black", [0] * 3), ("drop", [10, 20, 30])]
)
@pytest.mark.parametrize("form", ["rgba", "palette", "grey"])
def test_transparency_is_counted_and_laid_over_what_is_asked(tmp_path, alpha, value, form):
    image = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    options = {}
    if form == "palette":
        image = Image.new("P", (4, 4))
        image.putpalette([10, 20, 30, 90, 90, 90])
        options = {"transparency": 0}
    elif form == "grey":
        image = Image.new("LA", (4, 4), (10, 0))
        value = value[:1]
    (tmp_path / "a").mkdir()
    for number in range(3):
        image.save(tmp_path / "a" / f"{number}.png", **options)
    save(tmp_path / "a", PHOTOS[:1, :4, :4, 0] if form == "grey" else PHOTOS[:1, :4, :4], "x.png")
    found = load_images(tmp_path / "a", options=ReadOptions(alpha=alpha))
    assert found.items[0, 0, 0].tolist() == value
    assert "3 with transparency" in said(found)
    assert ("hidden colors" if alpha == "drop" else f"laid over {alpha}") in said(found)


def test_an_alpha_channel_that_hides_nothing_is_nothing(tmp_path):
    opaque = [np.dstack([image, np.full((8, 8), 255, np.uint8)]) for image in PHOTOS]
    found = load_images(save(tmp_path / "a", opaque))
    assert np.array_equal(found.items, PHOTOS)
    assert said(found) == ""


@pytest.mark.parametrize("resize", ["crop", "squeeze", "pad"])
def test_pictures_that_are_not_square(tmp_path, resize):
    wide = [np.asarray(Image.fromarray(image).resize((12, 8))) for image in PHOTOS]
    options = ReadOptions(resolution=4, resize=resize)
    folder = save(tmp_path / "a", wide)
    np.savez(tmp_path / "a.npz", images=np.stack(wide))
    found = load_images(folder, options=options)
    assert "12 not square" in said(found)
    for source in (tmp_path / "a.npz", np.stack(wide), list(wide)):
        other = load_images(source, options=options)
        assert np.array_equal(other.items, found.items)
        assert "12 not square" in said(other)
    first = Image.fromarray(wide[0])
    wanted = {
        "crop": first.crop((2, 0, 10, 8)).resize((4, 4), Image.Resampling.LANCZOS),
        "squeeze": first.resize((4, 4), Image.Resampling.LANCZOS),
    }
    if resize != "pad":
        assert np.array_equal(found.items[0], np.asarray(wanted[resize]))
    else:
        small = np.asarray(first.resize((4, 3), Image.Resampling.LANCZOS))
        assert np.array_equal(found.items[0, :3], small)
        assert (found.items[0, 3:] == 0).all()


@pytest.mark.parametrize("way", ["apply", "ignore"])
def test_turns_of_cameras(tmp_path, way):
    exif = Image.Exif()
    exif[0x0112] = 3
    folder = save(tmp_path / "a", PHOTOS, exif=exif)
    found = load_images(folder, options=ReadOptions(exif=way))
    assert np.array_equal(found.items, PHOTOS[:, ::-1, ::-1] if way == "apply" else PHOTOS)
    assert "12 turned by EXIF" in said(found)


@pytest.mark.parametrize("file_format", ["TIFF", "GIF", "PNG", "WEBP"])
def test_pages_and_frames(tmp_path, file_format):
    end = {"TIFF": "tif"}.get(file_format, file_format.lower())
    options = {"lossless": True} if file_format == "WEBP" else {}
    (tmp_path / "a").mkdir()
    greys = [np.full((8, 8), 20 * n + 10, np.uint8) for n in range(6)]
    for number in range(2):
        first, *rest = (Image.fromarray(grey) for grey in greys[3 * number : 3 * number + 3])
        path = tmp_path / "a" / f"{number}.{end}"
        first.save(path, save_all=True, append_images=rest, **options)
    one = load_images(tmp_path / "a", channels=1)
    assert len(one) == 2
    assert "2 of several frames or pages (4 after the first not read; see `frames`)" in said(one)
    every = ReadOptions(frames="all", channels=1)
    found = load_images(tmp_path / "a", options=every)
    assert found.items[:, 0, 0, 0].tolist() == [10, 30, 50, 70, 90, 110]
    assert found.names[:4] == (f"0.{end}#1", f"0.{end}#2", f"0.{end}#3", f"1.{end}#1")
    parts = list(open_stream(str(tmp_path / "a"), options=every).batches(1))
    assert np.array_equal(np.concatenate([part.items for part in parts]), found.items[1:])


def test_masks_beside_their_pictures_are_noticed(tmp_path):
    folder = save(tmp_path / "a", PHOTOS)
    masks = np.zeros((12, 8, 8, 3), np.uint8)
    masks[:, 2:5, 3:6] = 255
    save(folder, masks, "{:03}_mask.png")
    found = load_images(folder)
    assert "12 of 24 images have at most two grey levels" in said(found)
    assert "end in _mask" in said(found) and "`exclude` '*_mask.*'" in said(found)
    left = load_images(folder, options=ReadOptions(exclude=("*_mask.*",)))
    assert np.array_equal(left.items, PHOTOS)


def test_masks_are_noticed_in_a_folder_of_their_own_and_in_an_array(tmp_path):
    masks = np.where(PHOTOS[..., :1] > 128, 255, 0).astype(np.uint8).repeat(3, 3)
    save(tmp_path / "a" / "images", PHOTOS)
    save(tmp_path / "a" / "masks", masks)
    for source in (tmp_path / "a", np.concatenate([PHOTOS, masks])):
        assert "12 of 24 images have at most two grey levels" in said(load_images(source))


def test_depth_maps_are_noticed_by_their_names(tmp_path):
    folder = save(tmp_path / "a", PHOTOS)
    save(folder, PHOTOS[::-1], "{:03}-depth.png")
    assert "12 of 24 are named after another and end in -depth" in said(load_images(folder))


@pytest.mark.parametrize("names", ["{:03}.png", "cat_{}.png", "a_b_{}.png"])
def test_ordinary_names_and_ordinary_pictures_are_no_masks(tmp_path, names):
    found = load_images(save(tmp_path / "a", [*PHOTOS, np.zeros((8, 8, 3), np.uint8)], names))
    assert said(found) == ""


def test_a_set_of_nothing_but_two_levels_is_taken_as_it_is(tmp_path):
    bits = np.where(PHOTOS[..., 0] > 128, 255, 0).astype(np.uint8)
    assert said(load_images(save(tmp_path / "a", bits))) == ""


def test_dark_sets_name_their_range(tmp_path):
    dark = PHOTOS // 16
    for source in (dark, save(tmp_path / "a", dark)):
        assert "the largest pixel value of all 12 images is 15 of 255" in said(load_images(source))


def test_other_colors_and_profiles_are_counted(tmp_path):
    (tmp_path / "a").mkdir()
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a/c.tif")
    save(tmp_path / "a", PHOTOS[:2], icc_profile=b"another profile, 128 bytes" * 9)
    text = said(load_images(tmp_path / "a"))
    assert "1 in CMYK, YCbCr or Lab (turned to RGB)" in text
    assert "2 with a color profile other than sRGB (not applied)" in text


def test_what_is_kept_on_disk_says_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(decoded_cache, "CACHE_FROM", 2)
    wide = [np.dstack([x, x[..., :1]])[:6] for x in PHOTOS]
    folder = save(tmp_path / "a", wide)
    (folder / "a.txt").write_text("x")
    kept = tmp_path / "kept"
    entries = set()
    for changed in ({}, {"resize": "squeeze"}, {"alpha": "drop"}, {"resize": "pad"}):
        options = ReadOptions(resolution=4, **changed)
        plain = load_images(folder, options=options)
        for _ in range(2):
            found = load_images(folder, options=options, decoded=kept)
            assert np.array_equal(found.items, plain.items)
            assert found.account == plain.account
        entries.add(found.digest)
    assert len(entries) == 4 == len(list(kept.glob("*.npy")))


def test_a_stream_gives_the_account_of_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("rote.data.shards.stream.BATCH_FILES", 5)
    folder = save(tmp_path / "a", [np.dstack([x, x[..., :1]]) for x in PHOTOS])
    (folder / "a.txt").write_text("x")
    (folder / "b.png").write_bytes(b"torn")
    options = ReadOptions(skip_unreadable=True)
    stream = open_stream(str(folder), options=options)
    assert sum(len(batch.items) for batch in stream.batches(0)) == 12
    assert stream.account() == load_images(folder, options=options).account


def test_arrays_that_are_not_read_are_named(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x_train=PHOTOS, x_test=PHOTOS[:2], y_train=np.arange(12))
    found = load_images(path)
    assert said(found) == "1 of 3 arrays not read: x_test (1, shape (2, 8, 8, 3))"
    test = load_images(path, options=ReadOptions(include=("x_test",)))
    assert np.array_equal(test.items, PHOTOS[:2])


def test_a_second_batch_in_one_file_stops(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, PHOTOS, PHOTOS[:3])
    with pytest.raises(DataError, match=r"arr_1 of \(3, 8, 8, 3\), which might be items too"):
        load_images(path)
    assert len(load_images(path, options=ReadOptions(exclude=("arr_1",)))) == 12


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("arr_1", np.arange(12) % 3),
        ("arr_1", np.eye(3)[np.arange(12) % 3]),
        ("label", np.arange(12)[:, None] % 3 + 1),
        ("y", np.array(["a", "b", "c"])[np.arange(12) % 3]),
        ("targets", np.eye(3, dtype=np.uint8)[np.arange(12) % 3]),
    ],
)
def test_labels_under_other_names(tmp_path, name, labels):
    path = tmp_path / "a.npz"
    np.savez(path, **{"arr_0": PHOTOS, name: labels})
    found = load_images(path)
    assert found.labels.tolist() == (np.arange(12) % 3).tolist()
    assert said(found) == ""


def test_the_warnings_of_the_process_are_left_alone(tmp_path):
    import warnings

    before = list(warnings.filters)
    folder = save(tmp_path / "a", PHOTOS)
    load_images(folder)
    list(open_stream(str(folder)).batches(0))
    assert list(warnings.filters) == before


def test_a_file_of_another_picture_format_is_named(tmp_path):
    folder = save(tmp_path / "a", PHOTOS)
    (folder / "x.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(DataError, match=r"x\.jpg: of a format that is not decoded, convert"):
        load_images(folder)
    out = io.BytesIO()
    Image.fromarray(PHOTOS[0]).save(out, "PNG")
    (folder / "x.jpg").write_bytes(out.getvalue())
    assert len(load_images(folder)) == 13
