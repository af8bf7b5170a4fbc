"""Arrays, .npy and .npz: layouts, types, ranges, labels."""

import pickle
import zipfile

import numpy as np
import pytest

from rote.core.errors import DataError
from rote.data.dataset import Dataset
from rote.data.files.arrays import arrays_of
from rote.data.load import load_images

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (4, 6, 5, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (5, 6, 7), dtype=np.uint8)


def error_of(*args, **options):
    with pytest.raises(DataError) as caught:
        load_images(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (RGB, RGB),
        (RGB.transpose(0, 3, 1, 2), RGB),
        (GREY, GREY[..., None]),
        (GREY[..., None], GREY[..., None]),
        (GREY[:, None], GREY[..., None]),
        (np.asfortranarray(RGB), RGB),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "int64", ">i2", "uint16", "float32", ">f8", "float16"])
def test_layouts_and_types_are_converted_exactly(array, wanted, dtype):
    data = load_images(array.astype(dtype))
    assert data.items.dtype == np.uint8
    assert data.items.flags["C_CONTIGUOUS"]
    assert np.array_equal(data.items, wanted)
    assert data.source == "array"


def test_the_data_set_is_a_copy_of_the_array():
    array = RGB.copy()
    data = load_images(array)
    array[:] = 0
    assert np.array_equal(data.items, RGB)
    frozen = RGB.copy()
    frozen.setflags(write=False)
    assert load_images(frozen).tensor().shape == (4, 3, 6, 5)


@pytest.mark.parametrize(
    ("array", "parts"),
    [
        (RGB / 255, ["from 0", "to 1", "not all whole", "(x * 255).round().astype('uint8')"]),
        (RGB / 127.5 - 1, ["from -1 to 1", "((x + 1) * 127.5).round().astype('uint8')"]),
        (RGB - 0.25 + 0.5, ["not all whole"]),
        (np.clip(RGB + 0.5, 0, 255), ["x.round().astype('uint8')"]),
        (RGB.astype(np.float32) - 1, ["from -1 to 254", "scale them to 0..255"]),
        (RGB.astype(np.int64) + 1, ["int64", "from 1 to 256", "scale them"]),
        (RGB.astype(np.int64) - 1, ["from -1 to 254"]),
        ((RGB > 99).astype(np.float32), ["from 0 to 1;", "(x * 255)"]),
        ((RGB > 99).astype(np.int32), ["int32", "from 0 to 1;", "(x * 255)"]),
        (RGB > 99, ["bool", "x.astype('uint8') * 255"]),
        (RGB.astype(complex), ["complex128", "uint8"]),
        ((RGB > 99).astype(np.uint8), ["largest pixel value of all 4 images is 1", "(x * 255)"]),
        (RGB[:1] * 0.0, ["from 0 to 0"]),
    ],
)
def test_wrong_ranges_are_refused_with_what_was_measured(array, parts):
    message = error_of(array)
    for part in parts:
        assert part in message


def test_one_black_image_is_an_image():
    assert len(load_images(np.zeros((1, 4, 4, 1), dtype=np.uint8))) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_images_that_are_not_finite(bad):
    array = RGB.astype(np.float32)
    array[2, 0, 0, 0] = bad
    assert "1 of 4 images hold NaN or infinity" in error_of(array)


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((6, 5, 3), "HWC for one image of 6x5"),
        ((4, 6, 5, 4), "x[..., :3]"),
        ((4, 2, 6, 5), "`axes` NDHW"),
        ((2, 3, 6, 5, 3), "NCDHW for 2 volumes of 6x5x3 with 3 channels"),
        ((2, 4, 6, 5, 4), "shape (2, 4, 6, 5, 4)"),
        ((7,), "shape (7,)"),
        ((), "shape ()"),
        ((2, 0, 5, 3), "shape (2, 0, 5, 3)"),
        ((0, 4, 4, 3), "no items"),
        ((4, 10), "reshape it to images"),
    ],
)
def test_shapes_that_are_not_understood(shape, hint):
    message = error_of(np.full(shape, 9, dtype=np.uint8))
    assert hint in message


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_vectors(dtype):
    vectors = RNG.normal(size=(5, 3)).astype(dtype)
    data = load_images(vectors)
    assert (data.kind, data.items.dtype) == ("vector", np.float32)
    assert np.array_equal(data.items, vectors.astype(np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_vectors_that_are_not_finite(bad):
    vectors = np.zeros((5, 3))
    vectors[1, 2] = bad
    assert "1 of 5 vectors hold NaN, infinity or numbers beyond float32" in error_of(vectors)


def test_vectors_take_no_resolution_or_channels():
    vectors = np.zeros((5, 3))
    assert "`resolution` is for images" in error_of(vectors, resolution=8)
    assert "`channels` is for images" in error_of(vectors, channels=1)
    assert "0" in error_of(np.zeros((5, 0)))


@pytest.mark.parametrize(
    ("items", "labels"),
    [
        ("images", "labels"),
        ("x_train", "y_train"),
        ("x_test", "y_test"),
        ("data", "labels"),
        ("arr_0", "labels"),
    ],
)
def test_npz_keys(tmp_path, items, labels):
    path = tmp_path / "a.npz"
    np.savez(path, **{items: RGB, "other": np.zeros(3)})
    assert load_images(path).labels is None
    np.savez_compressed(path, **{items: RGB, labels: np.array([[1], [0], [2], [1]])})
    data = load_images(path)
    assert np.array_equal(data.items, RGB)
    assert data.labels.tolist() == [1, 0, 2, 1]
    assert data.labels.dtype == np.int64
    assert data.classes == ("0", "1", "2")
    assert data.source == str(path)


def test_train_comes_before_test(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x_test=RGB[:1], x_train=RGB, y_test=np.zeros(1, int), y_train=np.zeros(4, int))
    assert len(load_images(path)) == 4


def test_npz_classes_and_label_names(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, images=RGB, labels=np.array([0, 2, 0, 2], np.uint8), classes=["x", "y", "z"])
    data = load_images(path)
    assert data.classes == ("x", "y", "z")
    assert data.labels.tolist() == [0, 2, 0, 2]
    np.savez(path, images=RGB, labels=np.array(["dog", "cat", "dog", "cat"]))
    data = load_images(path)
    assert data.classes == ("cat", "dog")
    assert data.labels.tolist() == [1, 0, 1, 0]
    np.savez(path, images=RGB, labels=np.array([3, 5, 3, 10]))
    data = load_images(path)
    assert data.classes == ("3", "5", "10")
    assert data.labels.tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize(
    ("labels", "classes", "part"),
    [
        ([0, 1], None, "labels have shape (2,) for 4 items"),
        (np.ones((4, 2)), None, "argmax"),
        ([0.0, 1, 2, 3], None, "float64 from 0.0 to 3.0; integers from 0"),
        ([-1, 0, 0, 0], None, "from -1 to 0"),
        ([True, False, True, True], None, "bool; integers from 0"),
        ([0, 1, 2, 2], ["a", "b"], "labels go up to 2 and classes is"),
        ([0, 0, 0, 0], [["a", "b"]], "shape (1, 2)"),
    ],
)
def test_bad_labels(tmp_path, labels, classes, part):
    path = tmp_path / "a.npz"
    arrays = {"images": RGB, "labels": np.array(labels)}
    if classes is not None:
        arrays["classes"] = np.array(classes)
    np.savez(path, **arrays)
    message = error_of(path)
    assert part in message
    assert message.startswith(f"{path}: ")


def test_npy(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, RGB)
    assert np.array_equal(load_images(path).items, RGB)


def test_unknown_keys_are_listed(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, pictures=RGB)
    message = error_of(path)
    assert "holds the arrays pictures" in message
    assert "'images'" in message
    np.savez(path)
    assert "holds the arrays none" in error_of(path)


def test_pickles_are_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was run",))

    path = tmp_path / "a.npz"
    np.savez(path, images=np.array([Trap()], dtype=object))
    assert "cannot be read as a NumPy file (Object arrays" in error_of(path)
    path.write_bytes(pickle.dumps(Trap()))
    assert "without Python objects" in error_of(path)
    np.save(tmp_path / "a.npy", np.array([Trap()], dtype=object))
    assert "cannot be read" in error_of(tmp_path / "a.npy")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04" + bytes(40), b"\x93NUMPY\x01\x00"])
@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
def test_broken_files(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    assert "cannot be read as a NumPy file" in error_of(path)


def test_a_cut_file(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, RGB)
    content = path.read_bytes()
    path.write_bytes(content[:-7])
    assert "cannot be read as a NumPy file" in error_of(path)
    path.write_bytes(content.replace(b"'descr'", b"'descr-"))  # an unclosed string in the header
    assert "cannot be read as a NumPy file" in error_of(path)


@pytest.mark.parametrize("member", ["images", "labels"])
def test_a_member_that_is_no_array_is_one_line(tmp_path, member):
    path = tmp_path / "x.npz"
    np.savez(path, **({"images": GREY} if member == "labels" else {}))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{member}.npy", b"text")
    assert "no NumPy arrays" in error_of(path)


def test_groups_of_an_npz_are_read_back_and_checked(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, images=RGB, groups=np.array(["ann", "ann", "bob", "ann"]))
    found = load_images(path)
    assert found.groups == ("ann", "ann", "bob", "ann")
    np.savez(path, **arrays_of(found))
    assert load_images(path).groups == found.groups
    np.savez(path, images=RGB, groups=np.array([7, 7, 8, 9]))
    assert load_images(path).groups == ("7", "7", "8", "9")
    np.savez(path, images=RGB, groups=np.zeros((4, 2)))
    assert "one text or whole number per item" in error_of(path)


@pytest.mark.parametrize("captions", [("a", "", None), ("a", "b", "c"), ()])
def test_captions_and_repeats_come_back_from_an_npz_file(tmp_path, captions):
    repeats = np.array([1, 10, 2]) if captions else None
    held = Dataset(np.zeros((3, 4, 4, 1), np.uint8) + 9, captions=captions, repeats=repeats)
    np.savez(tmp_path / "x.npz", **arrays_of(held))
    found = load_images(tmp_path / "x.npz")
    assert found.captions == captions
    assert (found.repeats is None) == (repeats is None)
    assert repeats is None or np.array_equal(found.repeats, repeats)
