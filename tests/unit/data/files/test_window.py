"""Deep images: no window is guessed, the one that is taken is named, and all sides share it."""

import numpy as np
import pytest
from PIL import Image

from rote.core.errors import DataError
from rote.data.files.window import measure, percentile_window, to_uint8
from rote.data.load import load_images
from rote.data.options import ReadOptions, parse_window
from rote.data.shards.stream import open_stream

RNG = np.random.default_rng(0)
EIGHT = RNG.integers(0, 256, (6, 9, 9), dtype=np.uint8)
EIGHT[0, 0, :2] = (0, 255)


def save(folder, arrays, suffix=".png"):
    folder.mkdir(exist_ok=True)
    for number, array in enumerate(arrays):
        Image.fromarray(array).save(folder / f"{number}{suffix}")
    return folder


@pytest.mark.parametrize("bits", [9, 10, 12, 14])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_the_bits_that_are_used_are_the_window(tmp_path, bits, suffix):
    deep = np.rint(EIGHT * ((2**bits - 1) / 255)).astype(np.uint16)
    found = load_images(save(tmp_path / "a", deep, suffix))
    assert found.window == (0, 2**bits - 1)
    assert np.array_equal(found.items[..., 0], EIGHT)
    (part,) = found.account.parts()
    assert f"values from 0 to {2**bits - 1}" in part
    assert "`window`" in part


def test_all_sixteen_bits_are_as_the_type_says(tmp_path):
    found = load_images(save(tmp_path / "a", EIGHT.astype(np.uint16) * 257))
    assert (found.window, np.array_equal(found.items[..., 0], EIGHT)) == ((0, 65535), True)


@pytest.mark.parametrize(("low", "high"), [(20000, 24000), (40000, 44000), (0, 60), (1000, 1100)])
def test_a_part_of_the_bits_is_refused_with_its_range(tmp_path, low, high):
    deep = (low + EIGHT.astype(np.float64) * (high - low) / 255).round().astype(np.uint16)
    folder = save(tmp_path / "a", deep)
    with pytest.raises(DataError, match=rf"values from {low} to {high} of 65,535.*`window`"):
        load_images(folder)
    found = load_images(folder, options=ReadOptions(window=(low, high)))
    assert np.abs(found.items[..., 0].astype(int) - EIGHT).max() <= 255 / (high - low) / 2 + 1


def test_other_sides_are_seen_through_the_window_of_the_training_side(tmp_path):
    training = load_images(save(tmp_path / "t", EIGHT.astype(np.uint16) * 16))
    dark = save(tmp_path / "g", (EIGHT // 4).astype(np.uint16) * 16)
    alone = load_images(dark)
    asked = ReadOptions().with_window(training.window)
    assert alone.window == (0, 1023)
    assert load_images(dark, options=asked).items.max() == 63
    npz = tmp_path / "g.npz"
    np.savez(npz, images=EIGHT.astype(np.uint16) * 16)
    assert np.array_equal(load_images(npz, options=asked).items, training.items)
    eight = save(tmp_path / "e", EIGHT)
    assert np.array_equal(load_images(eight, options=asked).items[..., 0], EIGHT)


def test_values_outside_are_counted(tmp_path):
    deep = EIGHT.astype(np.uint16) * 16
    deep[3, 0, 0] = 9000
    found = load_images(save(tmp_path / "a", deep), options=ReadOptions(window=(0, 4095)))
    assert "1 with values outside of that (cut to black or white)" in found.account.parts()


@pytest.mark.parametrize("kind", ["float", "int32", "signed"])
def test_real_units_need_a_window(tmp_path, kind):
    units = EIGHT.astype(np.float32) * 10 - 1000
    dtype = {"float": np.float32, "int32": np.int32, "signed": np.int16}[kind]
    units = units.astype(dtype)
    np.save(tmp_path / "a.npy", units)
    sources = [tmp_path / "a.npy", units]
    if kind != "signed":  # Pillow writes no signed 16-bit files
        sources.append(save(tmp_path / "a", units, ".tif"))
    for source in sources:
        with pytest.raises(DataError, match=r"-1000 to .*`window`"):
            load_images(source)
        found = load_images(source, options=ReadOptions(window=(-1000, 1550)))
        assert np.array_equal(found.items[..., 0], EIGHT)
        assert found.window == (-1000, 1550)


def test_percentiles_leave_out_hot_pixels(tmp_path):
    deep = RNG.normal(5000, 300, (5, 40, 40)).astype(np.uint16)
    deep[0, 0, 0] = 65535
    for source in (save(tmp_path / "a", deep), deep):
        found = load_images(source, options=ReadOptions(window="percentile"))
        exact = np.quantile(deep, [0.005, 0.995], method="inverted_cdf")
        assert found.window == tuple(exact)
        assert np.mean((found.items > 0) & (found.items < 255)) > 0.97


def test_a_transparent_color_is_not_measured(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    for number, array in enumerate(EIGHT.astype(np.uint16) * 16):
        array[0, 0] = 65000
        Image.fromarray(array).save(folder / f"{number}.png", transparency=65000)
    found = load_images(folder)
    assert found.window == (0, 4095)
    assert (found.items[:, 0, 0, 0] == 255).all()
    assert (load_images(folder, options=ReadOptions(alpha="black")).items[:, 0, 0] == 0).all()


def test_the_window_is_measured_over_all_of_a_stream(tmp_path, monkeypatch):
    monkeypatch.setattr("rote.data.shards.stream.BATCH_FILES", 2)
    deep = EIGHT.astype(np.uint16) * 16
    deep[:2] //= 8
    folder = save(tmp_path / "a", deep)
    whole = load_images(folder).items
    parts = [batch.items for batch in open_stream(str(folder)).batches(0)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_sixteen_bit_color_of_few_bits_is_refused(tmp_path):
    # Pillow writes no 16-bit color; PNG by hand is the simplest of all formats.
    import struct
    import zlib

    def chunk(name, content):
        crc = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)

    def png(values):
        height, width, _ = values.shape
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
        header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
        return (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", header)
            + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b"")
        )

    for factor, name in ((16, "twelve"), (256, "sixteen")):
        (tmp_path / name).mkdir()
        for number, grey in enumerate(EIGHT):
            values = np.repeat(grey[:, :, None], 3, 2).astype(np.uint16) * factor
            (tmp_path / name / f"{number}.png").write_bytes(png(values))
    with pytest.raises(DataError, match=r"values up to 15 of 255, so they use 12 bits"):
        load_images(tmp_path / "twelve")
    found = load_images(tmp_path / "sixteen")
    assert np.array_equal(found.items[..., 0], EIGHT)
    assert "6 in 16-bit color (upper 8 bits read)" in found.account.parts()


def test_the_formula_of_sixteen_bits_is_that_of_257():
    values = np.arange(65536)
    assert np.array_equal(to_uint8(values, (0, 65535)), (values + 128) // 257)


def test_measured_percentiles_are_those_of_all_values():
    values = [np.random.default_rng(n).normal(size=1000) for n in range(3)]
    found = measure(lambda: iter(values))
    low, high = percentile_window(found, where="x")
    exact = np.quantile(values, [0.005, 0.995], method="inverted_cdf")
    assert np.allclose([low, high], exact, atol=2e-4)  # a bin is 1e-4 wide


def test_one_value_gives_no_percentiles(tmp_path):
    with pytest.raises(DataError, match="percentiles give no window"):
        load_images(np.full((5, 4, 6), 7.5), options=ReadOptions(window="percentile"))


@pytest.mark.parametrize("text", ["5", "a,b", "9,1", "1,1", "0,nan", "1,2,3", ""])
def test_windows_that_are_none(text):
    with pytest.raises(DataError, match="`window`"):
        parse_window(text)


@pytest.mark.parametrize("text", ["0,4095", "0 4095", "0:4095", "0, 4095"])
def test_windows_as_people_type_them(text):
    assert parse_window(text) == (0, 4095)
