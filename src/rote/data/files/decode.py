"""One image file to pixels, as a person looking at it would expect, or as the options ask.

========================  ==========================================================
file                      becomes
========================  ==========================================================
8-bit grey, RGB           itself
1-bit                     grey, 0 and 255
16-bit and deeper grey    its own values; `rote.data.files.window` makes 8 bits of them
palette                   RGB
any transparency          laid over white (``alpha``); grey with alpha stays grey
CMYK, YCbCr, Lab          RGB
EXIF orientation          applied (``exif``)
animation, several pages  the first frame, or the one asked for (``frames``)
========================  ==========================================================

An RGB file whose three channels are equal is still RGB. Color profiles are not applied.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from rote.data.files.faults import stop_if_machine_fails
from rote.data.files.sniff import sort_of
from rote.data.options import ReadOptions

# Only formats whose decoders are self-contained: Pillow hands EPS to another program, for example.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000", "ICO")
_GREY_MODES = ("1", "L", "LA", "La")
_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
_OTHER_COLORS = ("CMYK", "YCbCr", "LAB", "HSV")
_ORIENTATION = 0x0112
_ON_THEIR_SIDE = range(5, 9)

TRANSPARENT, TURNED, PALETTE, DEEP_COLOR, DEEP_GREY, OTHER_COLOR, PROFILE, TWO_LEVELS, OUTSIDE = (
    range(9)
)
"""What is noted of an image."""


class UnreadableImageError(Exception):
    """One file cannot be used; the message is a short reason, without the name."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One decoded image.

    Attributes
    ----------
    pixels
        (H, W, C), C = 1 or 3: uint8, or the values of a deep grey file, (H, W, 1) of any type.
    facts
        What was noted of it.
    frames
        How many the file has.
    full_range
        Whether the type of a deep file says what white is: 65,535 of 16 bits.
    hidden
        Of a deep file: bool (H, W), where it is transparent and is to be black or white.
    """

    pixels: npt.NDArray[Any]
    facts: tuple[int, ...] = ()
    frames: int = 1
    full_range: bool = True
    hidden: npt.NDArray[np.bool_] | None = None


def decode(content: bytes | Image.Image, options: ReadOptions, *, frame: int = 0) -> Picture:
    """Decode one file's content, or take an image that is open already.

    Raises
    ------
    UnreadableImageError
        If the content is no image, is cut off, or is a decompression bomb.
    """
    if isinstance(content, bytes) and not content:
        raise UnreadableImageError("empty file")
    try:
        with contextlib.ExitStack() as opened:
            if isinstance(content, Image.Image):
                image = content
            else:
                image = opened.enter_context(Image.open(io.BytesIO(content), formats=FORMATS))
            _check_pixels(image)
            given = image is content  # as it stands, at its frame
            frames = 1 if given else _frames(image, strict=options.frames == "all")
            if frame:
                image.seek(frame)
                _check_pixels(image)
            deep_color = any(";16" in str(tile) for tile in getattr(image, "tile", ()))
            image.load()
            return _picture(image, options, frames, deep_color=deep_color)
    except UnreadableImageError:
        raise
    except UnidentifiedImageError:
        foreign = isinstance(content, bytes) and sort_of(content[:512]) == "foreign"
        reason = (
            "of a format that is not decoded, convert it to .png" if foreign else "not an image"
        )
        raise UnreadableImageError(f"{reason}, or of an unknown format") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        limit = Image.MAX_IMAGE_PIXELS or 0
        raise UnreadableImageError(f"more than {limit:,} pixels") from None
    # Pillow's decoders answer broken bytes with nearly every built-in exception.
    except Exception as error:  # noqa: BLE001
        stop_if_machine_fails(error)
        raise UnreadableImageError(f"broken: {error or type(error).__name__}") from None


def _check_pixels(image: Image.Image) -> None:
    """Refuse an image, or a page that is larger than the one before it, before memory is taken for it."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit and image.width * image.height > limit:
        raise UnreadableImageError(f"more than {limit:,} pixels")


def count_frames(content: bytes | Image.Image) -> int:
    """Return how many frames or pages a file has; 1 of one that cannot be read."""
    if not isinstance(content, bytes):
        return 1
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return int(getattr(image, "n_frames", 1))
    except Exception as error:  # noqa: BLE001 - as in `decode`
        stop_if_machine_fails(error)
        return 1


@dataclass(frozen=True)
class Header:
    """Width, height and channels of a file, as the camera's turn has them."""

    width: int
    height: int
    channels: int

    def shape(self, options: ReadOptions) -> tuple[int, int, int]:
        """Return (H, W, C) of the image that the file becomes."""
        size = (self.height, self.width)
        if options.resolution is not None:
            size = (options.resolution, options.resolution)
        return *size, options.channels or self.channels


def header_of(content: bytes) -> Header | None:
    """Return what a file says of itself, without decoding it; None where it cannot be read."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if image.getexif().get(_ORIENTATION) in _ON_THEIR_SIDE:
                width, height = height, width
            grey = image.mode in (*_GREY_MODES, "I", "F") or image.mode.startswith("I;16")
            return Header(width, height, 1 if grey else 3)
    except Exception as error:  # noqa: BLE001 - as in `decode`; who reads it will say why
        stop_if_machine_fails(error)
        return None


def _frames(image: Image.Image, *, strict: bool) -> int:
    """Return how many frames a file has; what is broken behind the first matters if all are read."""
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception as error:
        stop_if_machine_fails(error)
        if strict:
            raise
        image.seek(0)
        return 1


def _picture(image: Image.Image, options: ReadOptions, frames: int, *, deep_color: bool) -> Picture:
    facts, file_format = [], image.format
    if image.getexif().get(_ORIENTATION, 1) in range(2, 9):
        facts.append(TURNED)
        if options.exif == "apply":
            image = ImageOps.exif_transpose(image)
    profile = image.info.get("icc_profile") or b""
    if profile and b"sRGB" not in profile and "sRGB".encode("utf-16-be") not in profile:
        facts.append(PROFILE)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        facts.append(DEEP_GREY)
        return _deep_grey(image, options, tuple(facts), frames, file_format=file_format)
    if deep_color:
        facts.append(DEEP_COLOR)
    if image.mode in _OTHER_COLORS:
        facts.append(OTHER_COLOR)
    if image.mode in ("P", "PA"):
        facts.append(PALETTE)
    grey = image.mode in _GREY_MODES
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        layer = image.convert("RGBA")
        if layer.getchannel("A").getextrema()[0] != 255:
            facts.append(TRANSPARENT)
        if options.alpha != "drop":
            color = (255, 255, 255, 255) if options.alpha == "white" else (0, 0, 0, 255)
            layer = Image.alpha_composite(Image.new("RGBA", layer.size, color), layer)
        pixels = np.asarray(layer.convert("RGB"))
        pixels = pixels[:, :, :1] if grey else pixels
    elif grey:
        pixels = np.asarray(image if image.mode == "L" else image.convert("L"))[:, :, None]
    else:
        pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    if has_two_levels(pixels):
        facts.append(TWO_LEVELS)
    return Picture(pixels, tuple(facts), frames)


def _deep_grey(
    image: Image.Image,
    options: ReadOptions,
    facts: tuple[int, ...],
    frames: int,
    *,
    file_format: str | None,
) -> Picture:
    values: npt.NDArray[Any] = np.asarray(image)
    # Older Pillow opens 16-bit PNG in the 32-bit mode "I", and every Pillow does so for 16-bit PGM.
    unsigned = image.mode.startswith("I;16") or (
        image.mode == "I" and file_format in ("PNG", "PPM")
    )
    if image.mode == "F" and not np.isfinite(values).all():
        raise UnreadableImageError("it holds NaN or infinity")
    transparent = image.info.get("transparency")
    hidden = None
    if isinstance(transparent, int) and unsigned and (values == transparent).any():
        facts = (*facts, TRANSPARENT)
        hidden = None if options.alpha == "drop" else values == transparent
    return Picture(values[:, :, None], facts, frames, full_range=unsigned, hidden=hidden)


def has_two_levels(pixels: npt.NDArray[np.uint8]) -> bool:
    """Say whether an image (H, W, C) holds at most two levels of grey, as a mask does."""
    # A part first, without a call to numpy: nearly all images end here.
    if len(set(pixels[len(pixels) // 2].tobytes()[:64])) > 2:
        return False
    low, high = pixels.min(), pixels.max()
    grey = pixels.shape[2] == 1 or bool((pixels == pixels[:, :, :1]).all())
    return grey and bool(((pixels == low) | (pixels == high)).all())
