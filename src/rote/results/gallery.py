"""`gallery.npz` and `disputes.npz` of an audit: the items that its page shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rote.core.errors import RunError
from rote.results.arrays import read_arrays

if TYPE_CHECKING:
    from PIL import Image

SIDES = ("generated", "training", "holdout")
"""By the numbers of ``small_side``."""
LONGEST = 128
"""Pixels that a picture in a result file has each way at most."""
EXACT = 64
"""Pixels each way up to which a page shows images as they are; of larger ones it has thumbnails."""
LARGE = 512
"""Pixels that a picture beside a page has each way at most."""
LARGE_FOLDER = "report-pairs"
"""Of the pictures beside a page: `7.jpg` is generated image 7, and right of it its nearest."""


FEWEST_HEARD, MOST_HEARD, HEARD_BYTES, MOST_SECONDS = 3, 12, 2**21, 5.0
"""Pairs of sound that a page plays, at least and at most; bytes of all of them; seconds of each."""
LONG_SERIES, PEAKS = 2048, 512
"""Times of a series beyond which a page shows its peaks, and how many of these at most."""
GAP = 1
"""Pixels between the planes of a volume."""


LOOKED_THROUGH, MOST_LOOKED_THROUGH = 40, 24
"""Voxels each way, at most, of volumes that a page looks through, and pairs of such."""


def factor_of(*sizes: int, longest: int = LONGEST) -> int:
    """Return how many times smaller pictures, or volumes, of a size are kept.

    >>> factor_of(32, 32), factor_of(512, 384)
    (1, 4)
    """
    return max(1, -(-max(sizes) // longest))


def shrink(pictures: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Average blocks of ``factor`` x ``factor`` pixels of (..., H, W, C); a remainder is cut off.

    >>> shrink(np.arange(8, dtype=np.uint8).reshape(2, 4, 1), 2).ravel().tolist()
    [3, 5]
    """
    if factor == 1:
        return pictures
    *before, height, width, channels = pictures.shape
    h, w = height // factor, width // factor
    box = (0, 0, w * factor, h * factor)
    flat = pictures.reshape(-1, height, width, channels)
    small = [np.asarray(picture_of(one).reduce(factor, box)) for one in flat]
    return np.array(small, np.uint8).reshape(*before, h, w, channels)


def picture_of(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return uint8 (H, W, C), grey or RGB, as a picture."""
    from PIL import Image

    return Image.fromarray(
        np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    )


def planes_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the height and the width of the sheet of a volume (D, H, W, C).

    >>> planes_shape((10, 20, 30, 1))
    (31, 51)
    """
    depth, height, width, _ = shape
    return height + GAP + depth, width + GAP + height


def planes_of(volume: NDArray[np.uint8], factor: int = 1) -> NDArray[np.uint8]:
    """Return the middle planes of a volume (D, H, W, C) as one picture (h, w, 1 or 3), made smaller.

    The axial plane stands above the coronal one, the sagittal one right of that; the head is up in both.

    >>> planes_of(np.full((2, 2, 2, 1), 9, np.uint8))[..., 0].tolist()
    [[9, 9, 0, 0, 0], [9, 9, 0, 0, 0], [0, 0, 0, 0, 0], [9, 9, 0, 9, 9], [9, 9, 0, 9, 9]]
    """
    volume = smaller(in_colors(volume), factor)
    depth, height, width, channels = volume.shape
    sheet = np.zeros((*planes_shape(volume.shape), channels), np.uint8)
    sheet[:height, :width] = volume[depth // 2]
    sheet[height + GAP :, :width] = volume[::-1, height // 2]
    sheet[height + GAP :, width + GAP :] = volume[::-1, :, width // 2]
    return sheet


def in_colors(volume: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a volume of 1 or 3 channels; of any other number the first is shown."""
    return volume if volume.shape[-1] in (1, 3) else volume[..., :1]


def smaller(volume: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Average blocks of ``factor`` voxels each way; what is left over at the end is cut off."""
    if factor == 1:
        return volume
    sizes = [max(1, side // factor) for side in volume.shape[:3]]
    blocks = [min(factor, side) for side in volume.shape[:3]]
    cut = volume[tuple(slice(size * block) for size, block in zip(sizes, blocks, strict=True))]
    split = [part for pair in zip(sizes, blocks, strict=True) for part in pair]
    means = cut.reshape(*split, volume.shape[3]).mean(axis=(1, 3, 5), dtype=np.float32)
    return np.rint(means).astype(np.uint8)


def peaks_of(series: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return of each of `PEAKS` parts of series (N, T, C) the number farthest from 0.

    >>> peaks_of(np.arange(-1024, 0, dtype=np.float32).reshape(1, 1024, 1))[0, :2, 0].tolist()
    [-1024.0, -1022.0]
    """
    ends = np.linspace(0, series.shape[1], PEAKS + 1).round().astype(np.int64)
    low, high = (f.reduceat(series, ends[:-1], axis=1) for f in (np.minimum, np.maximum))
    return np.where(-low > high, low, high)


def to_pcm(values: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return sound, full scale 1, as 16-bit numbers; what is louder is cut.

    >>> to_pcm(np.array([0, 0.5, -2], np.float32)).tolist()
    [0, 16384, -32767]
    """
    return np.rint(np.clip(values, -1, 1) * 32767).astype(np.int16)


@dataclass(frozen=True)
class Gallery:
    """The lowest ratios, some of the rest, some of each listed group.

    Attributes
    ----------
    index, nearest
        int64 (n,): the generated item and its nearest training item.
    generated, nn1, nn2
        uint8 (n, H, W, C), float (n, D) or (n, T, C).
    labels
        int64 (n,): asked for; -1 none.
    small, small_keys
        One picture of each image that the page lists, with its side and index.
    columns, cells, apart
        Of a table: names of its columns, text (n, 3, columns) of generated, nn1 and nn2, and float
        (n, 2, columns), how far nn1 and nn2 are from the generated row.
    shrunk
        How many times smaller the pictures are than the images.
    tiles
        float (n, 4, 4): RMS difference of each tile to the nearest image, both as they match; NaN where
        it was not measured, None in older files and of other items.
    voxels, voxels_shrunk
        uint8 (k, 2, D, H, W, C): the first k generated volumes and their nearest, so many times smaller;
        None of other items.
    sounds, sample_rate
        int16 (k, 2, T, C): the first k generated sounds and their nearest, and samples a second; None of
        other items.
    """

    index: NDArray[np.int64]
    generated: NDArray[Any]
    nn1: NDArray[Any]
    nn2: NDArray[Any]
    nearest: NDArray[np.int64]
    labels: NDArray[np.int64]
    small: NDArray[Any]
    small_keys: tuple[tuple[str, int], ...]
    columns: tuple[str, ...] = ()
    cells: NDArray[Any] | None = None
    apart: NDArray[Any] | None = None
    shrunk: int = 1
    tiles: NDArray[Any] | None = None
    voxels: NDArray[np.uint8] | None = None
    voxels_shrunk: int = 1
    sounds: NDArray[np.int16] | None = None
    sample_rate: int | None = None


def read_gallery(path: Path, *, total: int, columns: tuple[str, ...]) -> Gallery:
    """Read the gallery of an audit of ``total`` generated items.

    Raises
    ------
    RunError
        If an array is missing, or if they do not fit together.
    """
    shown = ("generated_index", "generated", "nn1", "nn2", "nn1_index", "labels")
    small = ("small", "small_side", "small_index")
    more = ("cells", "apart") if columns else ()
    others = ("shrunk", "tiles", "voxels", "voxels_shrunk", "sounds", "sample_rate")
    arrays = read_arrays(path, shown, (*small, *others, *more))
    index, generated, nn1, nn2, nearest, labels = (arrays[name] for name in shown)
    rows = len(index)
    same = generated.shape == nn1.shape == nn2.shape and len(generated) == rows
    picture = generated.dtype == np.uint8 and generated.ndim == 4 and generated.shape[3] in (1, 3)
    other = generated.dtype.kind == "f" and generated.ndim in (2, 3)
    if not same or not (picture or other) or nearest.shape != (rows,) or labels.shape != (rows,):
        raise RunError(f"{path} is damaged: its arrays do not fit together; run again")
    if rows and not (index.min() >= 0 and index.max() < total):
        raise RunError(f"{path} does not belong to the audit.json beside it; run again")
    pictures: NDArray[Any] = generated[:0]
    keys: tuple[tuple[str, int], ...] = ()
    if set(small) <= set(arrays):
        pictures, keys = _small(path, *(arrays[name] for name in small), generated=generated)
    cells, apart = arrays.get("cells"), arrays.get("apart")
    if cells is None or apart is None:
        columns, cells, apart = (), None, None
    elif (
        cells.shape != (rows, 3, len(columns))
        or apart.shape != (rows, 2, len(columns))
        or (cells.dtype.kind, apart.dtype.kind) != ("U", "f")
    ):
        raise RunError(f"{path} is damaged: its cells do not fit the columns; run again")
    shrunk = arrays.get("shrunk", np.ones((), np.int64))
    if shrunk.shape != () or shrunk.dtype.kind != "i" or shrunk < 1:
        raise RunError(f"{path} is damaged: shrunk is no whole number from 1 on; run again")
    voxels, reduced = arrays.get("voxels"), arrays.get("voxels_shrunk", np.ones((), np.int64))
    if voxels is not None and not (
        voxels.dtype == np.uint8
        and voxels.ndim == 6
        and len(voxels) <= rows
        and voxels.shape[1] == 2
        and voxels.shape[5] in (1, 3)
        and (reduced.shape, reduced.dtype.kind) == ((), "i")
    ):
        raise RunError(f"{path} is damaged: its volumes do not fit its pictures; run again")
    sounds, rate = arrays.get("sounds"), arrays.get("sample_rate")
    if sounds is not None and not (
        (sounds.dtype, sounds.shape[1:2], sounds.ndim) == (np.dtype(np.int16), (2,), 4)
        and len(sounds) <= rows
        and rate is not None
        and (rate.shape, rate.dtype.kind) == ((), "i")
    ):
        raise RunError(f"{path} is damaged: its sounds do not fit; run again")
    tiles = arrays.get("tiles")
    if tiles is not None and (tiles.ndim != 3 or len(tiles) != rows or tiles.dtype.kind != "f"):
        raise RunError(f"{path} is damaged: its tiles do not fit its pictures; run again")
    return Gallery(
        index=index,
        generated=generated,
        nn1=nn1,
        nn2=nn2,
        nearest=nearest,
        labels=labels,
        small=pictures,
        small_keys=keys,
        columns=columns,
        cells=cells,
        apart=apart,
        shrunk=int(shrunk),
        tiles=tiles,
        voxels=voxels,
        voxels_shrunk=int(reduced),
        sounds=sounds,
        sample_rate=None if rate is None else int(rate),
    )


def _small(
    path: Path,
    small: NDArray[Any],
    side: NDArray[Any],
    index: NDArray[Any],
    *,
    generated: NDArray[Any],
) -> tuple[NDArray[Any], tuple[tuple[str, int], ...]]:
    fits = small.dtype == generated.dtype and small.shape[1:] == generated.shape[1:]
    known = side.shape == index.shape == (len(small),) and np.isin(side, range(len(SIDES))).all()
    if not fits or not known:
        raise RunError(f"{path} is damaged: its small pictures do not fit; run again")
    return small, tuple((SIDES[s], i) for s, i in zip(side.tolist(), index.tolist(), strict=True))


@dataclass(frozen=True)
class Disputes:
    """Images on which rulers differ, those that divide them most evenly first.

    Attributes
    ----------
    index
        int64 (n,): the generated image.
    generated, nearest
        uint8 (n, H, W, C), and (n, spaces, H, W, C) of its nearest training image in each space.
    nearest_index
        int64 (n, spaces).
    memorized
        bool (n, rulers).
    tiles
        float (n, 4, 4): RMS difference of each tile to the nearest in the space `patch`; None without it.
    """

    index: NDArray[np.int64]
    generated: NDArray[np.uint8]
    nearest_index: NDArray[np.int64]
    nearest: NDArray[np.uint8]
    memorized: NDArray[np.bool_]
    tiles: NDArray[Any] | None


def read_disputes(path: Path, *, rulers: int, most: int) -> Disputes:
    """Read the first ``most`` disputes.

    Raises
    ------
    RunError
        If an array is missing, or if they do not fit together.
    """
    names = ("generated_index", "generated", "nearest_index", "nearest", "memorized")
    arrays = read_arrays(path, names, ("tiles",))
    index, generated, near, nearest, memorized = (arrays[name][:most] for name in names)
    fits = (
        generated.ndim == 4
        and generated.dtype == nearest.dtype == np.uint8
        and nearest.shape == (*near.shape, *generated.shape[1:])
        and len(generated) == len(near) == len(index)
        and memorized.shape == (len(index), rulers)
    )
    if not fits:
        raise RunError(f"{path} is damaged: its pictures do not fit audit.json; audit again")
    return Disputes(index, generated, near, nearest, memorized, arrays.get("tiles"))
