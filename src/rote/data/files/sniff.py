"""What a file is, by its first bytes; its name may say anything."""

from __future__ import annotations

import re
from typing import Literal

Sort = Literal["image", "foreign", "volume", "sound", "data", "text", "empty"]

HEAD = 512
"""Bytes that are looked at."""
EXTENSIONS = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".bmp", ".gif", ".webp"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".ico"),
)
"""Of files that are taken for images without a look."""
FOREIGN_EXTENSIONS = (".avif", ".heic", ".heif", ".jxl", ".tga", ".exr", ".psd", ".svg")
"""Images too, which are not decoded: leaving them out silently would change the answer."""
NIFTI_EXTENSIONS = (".nii", ".nii.gz")
VOLUME_EXTENSIONS = (*NIFTI_EXTENSIONS, ".dcm", ".dicom", ".ima")
"""Of files that are taken for volumes, or slices of some, without a look."""
SOUND_EXTENSIONS = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au")
"""Of files that are taken for sound without a look."""
ARCHIVES = (".zip", ".tar")
DATA_EXTENSIONS = (
    *(
        *ARCHIVES,
        ".tar.gz",
        ".tgz",
        ".tar.bz2",
        ".tar.xz",
        ".tar.zst",
        ".gz",
        ".bz2",
        ".xz",
        ".zst",
    ),
    *(".7z", ".rar", ".npy", ".npz", ".parquet", ".arrow", ".feather", ".h5", ".hdf5", ".mat"),
    *(".pt", ".pth", ".pkl", ".pickle", ".safetensors", ".tfrecord", ".tfrecords", ".lmdb", ".mdb"),
    *(
        ".mha",
        ".mhd",
        ".nrrd",
        ".svs",
        ".zarr",
        ".raw",
        ".bin",
    ),
    *(".mp4", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v", ".idx", ".fits", ".fit"),
)
"""Might hold what the images of a folder are a preview of."""

_EXTENSION = re.compile(
    r"(\.(?:tar|nii)\.[a-z0-9]+|\.[a-z0-9_]+)\s*(?:[?#].*)?$", re.IGNORECASE | re.DOTALL
)
_IMAGES = re.compile(
    rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|II\*\0|MM\0\*|II\+\0|MM\0\+"
    rb"|BM....\0\0\0\0....[\x0c-\x7c]\0\0\0|P[1-6]\s+(?:#[^\n]*\n\s*)*[0-9]+\s"
    rb"|\0\0\0\x0cjP  |\xff\x4f\xff\x51|\0\0\x01\0[^\0]\0.{3}\0",
    re.DOTALL,
)
_FOREIGN = re.compile(
    rb"....ftyp(?:avi[fs]|hei[cxms]|hev[cmsx]|mif1|msf1)|\xff\x0a|\0\0\0\x0cJXL |8BPS\0"
    rb"|\x76\x2f\x31\x01|\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg\b",
    re.DOTALL,
)
_NIFTI = re.compile(rb".{344}n\+1\0|.{4}n\+2\0", re.DOTALL)
_SOUND = re.compile(rb"RIFF....WAVE|fLaC|OggS|FORM....AIF[FC]|\.snd", re.DOTALL)
_TIFF = re.compile(rb"II\*\0|MM\0\*|II\+\0|MM\0\+")
_DICOM = slice(128, 132)
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")


def extension_of(name: str) -> str:
    """Return the extension in small letters, without a query or space behind it; "" if there is none.

    >>> [extension_of(name) for name in ("a/B.PNG", "x.jpg?w=1", "y.png ", "scan.nii.gz", "v1.0/z")]
    ['.png', '.jpg', '.png', '.nii.gz', '']
    """
    base = name.replace("\\", "/").rpartition("/")[2]
    found = _EXTENSION.search(base)
    return found[1].lower() if found and found.start() > 0 else ""


def sort_of(head: bytes) -> Sort:
    r"""Tell a file by its first `HEAD` bytes: binary content that is no image might be data.

    >>> sort_of(bytes(128) + b"DICM")
    'volume'
    >>> sort_of(b"P5 3 3 255 ..."), sort_of(b"a caption"), sort_of(b"PK\x03\x04\0")
    ('image', 'text', 'data')
    """
    if not head:
        return "empty"
    if _IMAGES.match(head):
        return "image"
    if _FOREIGN.match(head):
        return "foreign"
    if head[_DICOM] == b"DICM" or _NIFTI.match(head):
        return "volume"
    if _SOUND.match(head):
        return "sound"
    # Two bytes begin UTF-16. Else a text of any encoding has no control characters.
    utf_16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    return "text" if utf_16 or not _CONTROL.search(head) else "data"


def volume_format(name: str, content: bytes) -> Literal["nifti", "tiff", "dicom"]:
    r"""Tell which of the formats of volumes a file has; without any sign it is taken for DICOM.

    >>> volume_format("scan.nii.gz", b"\x1f\x8b"), volume_format("IM001", bytes(128) + b"DICM")
    ('nifti', 'dicom')
    """
    if content[_DICOM] == b"DICM":
        return "dicom"
    if extension_of(name) in NIFTI_EXTENSIONS or _NIFTI.match(content):
        return "nifti"
    return "tiff" if _TIFF.match(content) else "dicom"
