"""One file to pixels: every kind of file as a person expects it."""

import io

import numpy as np
import pytest
from PIL import Image

from rote.data.files import decode as module
from rote.data.files.decode import UnreadableImageError
from rote.data.files.window import to_uint8
from rote.data.options import ReadOptions

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (5, 7), dtype=np.uint8)


def decode(content, **options):
    """Pixels in 8 bits; of a deep file as its type says."""
    picture = module.decode(content, ReadOptions(**options))
    if picture.pixels.dtype == np.uint8:
        return picture.pixels
    pixels = to_uint8(picture.pixels, (0, 65535))
    if picture.hidden is not None:
        pixels[picture.hidden] = 255
    return pixels


def encoded(image, file_format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF", "PPM"])
def test_rgb_and_grey_are_kept_to_the_bit(file_format):
    assert np.array_equal(decode(encoded(Image.fromarray(RGB), file_format)), RGB)
    grey = decode(encoded(Image.fromarray(GREY), file_format))
    assert grey.shape == (5, 7, 1)
    assert np.array_equal(grey[:, :, 0], GREY)


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP", "JPEG2000"])
def test_lossy_formats_are_read(file_format):
    flat = Image.new("RGB", (8, 6), (200, 100, 50))
    pixels = decode(encoded(flat, file_format))
    assert pixels.shape == (6, 8, 3)
    # JPEG at its default quality moves a flat color by a few levels at most.
    assert np.abs(pixels.astype(int) - [200, 100, 50]).max() <= 4


def test_rgb_with_equal_channels_is_still_rgb():
    assert decode(encoded(Image.fromarray(np.repeat(GREY[:, :, None], 3, 2)))).shape == (5, 7, 3)


def test_one_bit_is_black_and_white():
    pixels = decode(encoded(Image.fromarray(GREY > 128)))
    assert np.array_equal(pixels[:, :, 0], (GREY > 128) * np.uint8(255))


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_rounded_to_eight(file_format):
    values = np.array([[0, 128, 129, 257, 32767, 65406, 65407, 65535]], dtype=np.uint16)
    pixels = decode(encoded(Image.fromarray(values), file_format))
    assert pixels[0, :, 0].tolist() == [0, 0, 1, 1, 127, 254, 255, 255]


def test_every_eight_bit_value_survives_sixteen_bits():
    values = np.arange(256, dtype=np.uint16)[None] * 257
    assert decode(encoded(Image.fromarray(values)))[0, :, 0].tolist() == list(range(256))


def test_sixteen_bit_transparent_color_is_white():
    values = np.array([[1000, 2000]], dtype=np.uint16)
    pixels = decode(encoded(Image.fromarray(values), transparency=1000))
    assert pixels[0, :, 0].tolist() == [255, 8]


@pytest.mark.parametrize(("dtype", "kind"), [(np.int32, "i"), (np.float32, "f")])
def test_deep_pixels_keep_their_values_and_say_that_their_range_is_unknown(dtype, kind):
    picture = module.decode(encoded(Image.fromarray(GREY.astype(dtype)), "TIFF"), ReadOptions())
    assert picture.pixels.dtype.kind == kind
    assert np.array_equal(picture.pixels[:, :, 0], GREY)
    assert not picture.full_range


def test_palette_becomes_its_colors():
    image = Image.fromarray(RGB).quantize(35)
    pixels = decode(encoded(image))
    assert np.array_equal(pixels, np.asarray(image.convert("RGB")))


def test_palette_transparency_is_white():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([0, 1])
    assert decode(encoded(image, transparency=0))[0].tolist() == [[255] * 3, [40, 50, 60]]


def test_alpha_is_composited_over_white():
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 51]]], dtype=np.uint8)
    # 51 / 255 of black over white leaves 204.
    wanted = [[10, 20, 30], [255, 255, 255], [204, 204, 204]]
    assert decode(encoded(Image.fromarray(rgba)))[0].tolist() == wanted


def test_grey_alpha_stays_grey():
    grey_alpha = np.array([[[10, 255], [10, 0], [0, 51]]], dtype=np.uint8)
    pixels = decode(encoded(Image.fromarray(grey_alpha)))
    assert pixels.shape == (1, 3, 1)
    assert pixels[0, :, 0].tolist() == [10, 255, 204]


@pytest.mark.parametrize(
    ("image", "key", "wanted"),
    [
        (Image.fromarray(np.array([[[9, 8, 7], [1, 2, 3]]], np.uint8)), (9, 8, 7), [[255] * 3]),
        (Image.fromarray(np.array([[9, 1]], np.uint8)), 9, [[255]]),
    ],
)
def test_transparent_color_key_is_white(image, key, wanted):
    assert decode(encoded(image, transparency=key))[0, :1].tolist() == wanted


def test_cmyk_becomes_rgb():
    image = Image.new("CMYK", (4, 4), (0, 255, 255, 0))
    pixels = decode(encoded(image, "TIFF"))
    assert pixels.shape == (4, 4, 3)
    assert pixels[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    turn = {
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.transpose(1, 0, 2),
        6: lambda x: np.rot90(x, -1),
        7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
        8: lambda x: np.rot90(x),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(decode(encoded(Image.fromarray(RGB), exif=exif)), turn(RGB))


def test_the_first_frame_of_an_animation():
    frames = [Image.new("L", (4, 3), value) for value in (200, 10, 60)]
    for file_format in ("GIF", "TIFF", "WEBP"):
        options = {"lossless": True} if file_format == "WEBP" else {}
        content = encoded(
            frames[0], file_format, save_all=True, append_images=frames[1:], **options
        )
        assert (decode(content) == 200).all(), file_format


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"hello", "not an image"),
        (encoded(Image.fromarray(RGB))[:60], "broken: "),
        (encoded(Image.fromarray(RGB), "JPEG")[:400], "not an image|broken: "),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "not an image"),
    ],
)
def test_broken_files_have_a_reason(content, reason):
    with pytest.raises(UnreadableImageError, match=reason):
        decode(content)


def test_truncated_jpeg_is_not_filled_with_grey():
    whole = encoded(Image.fromarray(np.repeat(np.repeat(RGB, 20, 0), 20, 1)), "JPEG")
    with pytest.raises(UnreadableImageError, match=r"broken: .*truncated"):
        decode(whole[: len(whole) // 2])


@pytest.mark.parametrize("over", [1.5, 3])
def test_decompression_bombs_are_refused(monkeypatch, over):
    # Pillow warns above its limit and raises above twice the limit.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(35 / over))
    content = encoded(Image.fromarray(RGB))
    with pytest.raises(UnreadableImageError, match=r"more than .* pixels"):
        decode(content)
