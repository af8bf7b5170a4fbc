"""One image file to pixels, as a person looking at it would expect.

========================  ==========================================================
file                      becomes
========================  ==========================================================
8-bit grey, RGB           itself
1-bit                     grey, 0 and 255
16-bit grey               grey, value / 257 rounded to the nearest integer
palette                   RGB
any transparency          composited over white; grey with alpha stays grey
CMYK, YCbCr, Lab          RGB
EXIF orientation          applied
animation, several pages  the first frame
32-bit and float pixels   refused: their range is unknown
========================  ==========================================================

An RGB file whose three channels are equal is still RGB. Color profiles are not applied.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from rote.data.resample import Pixels

# Only formats whose decoders are self-contained: Pillow hands EPS to another program, for example.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000")
_GREY_MODES = ("1", "L", "LA", "La")
_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")


class UnreadableImageError(Exception):
    """One file cannot be used; the message is a short reason, without the name."""


@contextlib.contextmanager
def strict_pillow() -> Iterator[None]:
    """Turn Pillow's warning about decompression bombs into an error and silence its others.

    The filter is of the whole process: enter it in the main thread, around the pool that decodes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def decode(content: bytes) -> Pixels:
    """Decode one file's content to uint8 (H, W, C), C = 1 or 3.

    Raises
    ------
    UnreadableImageError
        If the content is no image, is cut off, is a decompression bomb, or has an unknown range.
    """
    if not content:
        raise UnreadableImageError("empty file")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            image.load()
            return _pixels(ImageOps.exif_transpose(image), file_format=image.format or "")
    except UnreadableImageError:
        raise
    except UnidentifiedImageError:
        raise UnreadableImageError("not an image, or of an unknown format") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        limit = Image.MAX_IMAGE_PIXELS or 0
        raise UnreadableImageError(f"more than {limit:,} pixels") from None
    # Pillow's decoders answer broken bytes with nearly every built-in exception.
    except Exception as error:  # noqa: BLE001
        raise UnreadableImageError(f"broken: {error or type(error).__name__}") from None


def _pixels(image: Image.Image, *, file_format: str) -> Pixels:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _from_deep_grey(image, file_format=file_format)
    grey = image.mode in _GREY_MODES
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        flat = np.array(Image.alpha_composite(white, layer).convert("RGB"))
        return flat[:, :, :1] if grey else flat
    if grey:
        return np.array(image.convert("L"))[:, :, None]
    return np.array(image.convert("RGB"))


def _from_deep_grey(image: Image.Image, *, file_format: str) -> Pixels:
    """Scale 16-bit grey to 8 bits; 65,535 / 255 = 257, so that white stays white."""
    # Older Pillow opens 16-bit PNG in the 32-bit mode "I", and every Pillow does so for 16-bit PGM.
    if not (image.mode.startswith("I;16") or (image.mode == "I" and file_format in ("PNG", "PPM"))):
        kind = "floating-point" if image.mode == "F" else "32-bit"
        raise UnreadableImageError(f"{kind} pixels of unknown range; save it with 8 or 16 bits")
    values: npt.NDArray[np.int64] = np.asarray(image).astype(np.int64)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        values[values == transparent] = 65535
    return ((values + 128) // 257).astype(np.uint8)[:, :, None]
