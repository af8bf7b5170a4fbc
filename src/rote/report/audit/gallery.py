"""What the gallery of a page needs: every ratio, what is known of each image, pictures of some.

The pictures are one sprite with one row per card and three tiles in it: generated, nearest, second
nearest. Images of up to 64 pixels are shown as they are, larger ones as thumbnails; large pictures of
their pairs lie beside the page. Verdicts, rate and interval are those of the files; all ratios travel as
little-endian float64, for the page to count at any other threshold.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rote.report.audit.gallery_rows import other_than_pictures
from rote.report.audit.read import Audit
from rote.report.words import caption, short
from rote.results.gallery import (
    EXACT,
    LARGE,
    LARGE_FOLDER,
    Gallery,
    factor_of,
    picture_of,
    shrink,
)
from rote.results.neighbors import NONE, Neighbors
from rote.results.tables import Pairs

if TYPE_CHECKING:
    from PIL import Image

# Raw bytes of all tiles of a page. PNG makes them smaller, base64 a third larger. The page of one set,
# which tells of every image, stays below 5 MB.
PIXEL_BUDGET = 9_000_000
ONE_SET_BUDGET = 2_600_000
FEWEST_CARDS = 48
MOST_CARDS = 420
# Images beyond the pictured ones that a page tells about, one by one.
MOST_ROWS = 20_000
# Pixels that a thumbnail has each way at most, as wide as it is on the page, and cards that have some.
THUMBNAIL = 96
THUMBNAIL_CARDS = 220
# Pairs that the first screen of an audit shows.
WORST = 6
# Of thumbnails.
JPEG_QUALITY = 85
# A browser refuses pictures that are much higher than this.
SPRITE_HEIGHT = 16_000


def gallery_data(
    audits: Sequence[tuple[str, Audit]],
    *,
    chosen: int,
    labels: Sequence[str],
) -> dict[str, Any]:
    """Return the plain data of a page's gallery.

    Parameters
    ----------
    audits
        The name and the audit of every set of generated images that can be looked at.
    chosen
        Which of them is shown first.
    labels
        Names of the classes, may be empty.
    """
    first = audits[0][1].file
    confidence = first.rate.confidence
    return {
        "chosen": chosen,
        "threshold": first.criterion.ratio_threshold,
        "confidence": confidence,
        # The normal quantile of the Wilson interval, so that the page needs no inverse of erf.
        "z": NormalDist().inv_cdf(0.5 + confidence / 2),
        "classes": list(labels),
        "kinds": [],
        "sets": [_set_data(name, audit, len(audits)) for name, audit in audits],
    }


def _set_data(name: str, audit: Audit, sets: int) -> dict[str, Any]:
    gallery, neighbors = audit.gallery, audit.neighbors
    pictures = gallery.generated.ndim == 4
    budget = ONE_SET_BUDGET if sets == 1 else PIXEL_BUDGET // sets
    most = _cards(gallery, budget, sets) if pictures else MOST_CARDS
    keep = np.union1d(worst_rows(audit), _spread(len(gallery.index), most))
    data: dict[str, Any] = {
        "name": name,
        "total": audit.file.rate.total,
        "rate": asdict(audit.file.rate),
        "memorized": _base64(np.packbits(neighbors.memorized).tobytes()),
        "ratios": _base64(neighbors.ratios.astype("<f8").tobytes()),
        "index": gallery.index[keep].tolist(),
        "nearest": gallery.nearest[keep].tolist(),
        "labels": gallery.labels[keep].tolist(),
        "repeated": neighbors.repeated[gallery.index[keep]].astype(int).tolist(),
    }
    # Items beyond the cards' own have no picture; `add_rows` may put them behind these.
    data["pictures"] = len(keep)
    if not pictures:
        return data | other_than_pictures(gallery, keep)
    near = audit.file.duplicates.near
    if gallery.tiles is not None and near is not None:
        apart = gallery.tiles[keep].reshape(len(keep), -1)
        data |= {
            "matching": near.rms,
            "tiles": [
                None if np.isnan(row).any() else row.astype(np.float64).round(1).tolist()
                for row in apart
            ],
        }
    return data | _sprite(gallery, keep, budget)


def worst_rows(audit: Audit) -> NDArray[np.int64]:
    """Return the rows of the gallery with the lowest ratios, at most `WORST`, the lowest first."""
    ratios = audit.neighbors.ratios[audit.gallery.index]
    return np.argsort(ratios, kind="stable")[:WORST].astype(np.int64)


def data_url(pixels: NDArray[np.uint8]) -> str:
    """Return one picture (H, W, C) as a data URL: exact up to 64 pixels each way, else compressed."""
    return _encoded(picture_of(pixels), exact=max(pixels.shape[:2]) <= EXACT)


def _encoded(picture: Image.Image, *, exact: bool) -> str:
    buffer = io.BytesIO()
    if exact:
        picture.save(buffer, "PNG", optimize=True)
    else:
        picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/{'png' if exact else 'jpeg'};base64,{_base64(buffer.getvalue())}"


def all_rows(data: dict[str, Any], total: int) -> list[int]:
    """Return the generated images that a set tells about: those with pictures first, then the rest.

    The rest is left out where it is too many for one page.
    """
    pictured: list[int] = data["index"]
    if total > MOST_ROWS:
        return pictured
    others = np.setdiff1d(np.arange(total), pictured)
    return [*pictured, *others.tolist()]


def add_rows(
    data: dict[str, Any],
    rows: Neighbors,
    wanted: Sequence[int],
    pairs: Pairs | None,
    *,
    sizes: Mapping[int, int],
) -> None:
    """Extend the data of one set by what is known of the ``wanted`` images.

    Parameters
    ----------
    data
        Of one set; its items become the wanted ones.
    rows
        Of the audit.
    wanted
        As `all_rows` returns them.
    pairs
        Names and transforms of all generated images, where they are known.
    sizes
        Images in each duplicate group of the training side.
    """
    at = np.asarray(wanted, np.int64)
    data["index"] = list(wanted)
    data["nearest"] = rows.index[at].tolist()
    data["repeated"] = rows.repeated[at].astype(int).tolist()
    labels = data["labels"]
    data["labels"] = rows.label[at].tolist()
    data["labels"][: len(labels)] = labels
    for name, column in (("kinds", rows.kind), ("groups", rows.group), ("twins", rows.twin)):
        if (column != NONE).any():
            data[name] = column[at].tolist()
    hit = set(rows.group[at].tolist())
    data["duplicated"] = {str(number): size for number, size in sizes.items() if number in hit}
    if pairs is not None:
        data["names"] = [[_told(pairs.names[i]), _told(pairs.nearest[i])] for i in wanted]
        pictured = at[: data["pictures"]]
        if pairs.captions and pairs.nearest_captions:
            told = (pairs.captions, pairs.nearest_captions)
            data["captions"] = [[caption(side[i]) for side in told] for i in pictured.tolist()]
        moves = (pairs.mirrored, pairs.down, pairs.right)
        data["moves"] = np.stack([part[pictured].astype(int) for part in moves], axis=1).tolist()


def _told(name: str) -> str:
    """Return a name, empty where it is only the item's number."""
    return "" if name.startswith("#") and name[1:].isdecimal() else short(name)


def large_pictures(folder: Path, gallery: Gallery, keep: Sequence[int]) -> dict[str, Any] | None:
    """Return which of the pictured images have a large picture beside the page; None if none has."""
    have = {path.stem for path in (folder / LARGE_FOLDER).glob("*.jpg")}
    rows = [int(str(index) in have) for index in keep]
    if not any(rows):
        return None
    height, width = (size * gallery.shrunk for size in gallery.generated.shape[1:3])
    factor = factor_of(height, width, longest=LARGE)
    return {"folder": LARGE_FOLDER, "rows": rows, "count": sum(rows), "factor": factor}


def voxel_sheets(gallery: Gallery, keep: Sequence[int]) -> dict[str, Any]:
    """Return a sheet for each pair of volumes that the page looks through, by its row.

    Slices stand below each other from the feet to the head, the nearest ones right of the generated ones.
    """
    assert gallery.voxels is not None
    places = {int(index): place for place, index in enumerate(gallery.index[: len(gallery.voxels)])}
    depth, height, width = gallery.voxels.shape[2:5]
    sheets = {}
    for row, index in enumerate(keep):
        if (place := places.get(int(index))) is not None:
            pair = gallery.voxels[place].swapaxes(0, 1)  # (D, 2, H, W, C)
            whole = pair.transpose(0, 2, 1, 3, 4).reshape(depth * height, 2 * width, -1)
            sheets[row] = _encoded(picture_of(whole), exact=True)
    return {
        "sheets": sheets,
        "depth": depth,
        "height": height,
        "width": width,
        "factor": gallery.voxels_shrunk,
    }


def small_pictures(gallery: Gallery) -> dict[str, Any] | None:
    """Return one sprite of all small pictures, a row each, with its keys; None without any."""
    if gallery.small.ndim != 4 or not len(gallery.small):
        return None
    return thumbnails(gallery.small[:, None], shrunk=gallery.shrunk) | {
        "keys": [f"{side} {index}" for side, index in gallery.small_keys]
    }


def thumbnails(tiles: NDArray[np.uint8], *, shrunk: int) -> dict[str, Any]:
    """Return one sprite of tiles (rows, columns, H, W, C): as they are, or as thumbnails.

    ``shrunk`` is how many times smaller they are than the images.
    """
    from PIL import Image

    rows, columns, height, width, _ = tiles.shape
    longest = max(height, width)
    if longest * shrunk <= EXACT:
        return sheet(tiles) | {"factor": 1}
    factor = max(1.0, longest / THUMBNAIL)
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    small = [
        np.asarray(picture_of(one).resize(size, Image.Resampling.BOX))
        for one in tiles.reshape(-1, *tiles.shape[2:])
    ]
    made = np.array(small, np.uint8).reshape(rows, columns, size[1], size[0], -1)
    return sheet(made, exact=False) | {"factor": round(shrunk * factor, 2)}


def _cards(gallery: Gallery, budget: int, sets: int) -> int:
    """Return how many cards a set may have so that the page stays within its budget."""
    if max(gallery.generated.shape[1:3]) * gallery.shrunk > EXACT:
        return max(FEWEST_CARDS, THUMBNAIL_CARDS // sets)
    fit = budget // (3 * int(np.prod(gallery.generated.shape[1:])))
    return max(FEWEST_CARDS, min(MOST_CARDS, fit))


def _spread(rows: int, most: int) -> NDArray[np.int64]:
    """Return at most ``most`` of the rows, evenly spread, both ends included."""
    return np.unique(np.linspace(0, max(rows - 1, 0), min(rows, most)).round()).astype(np.int64)


def _sprite(gallery: Gallery, keep: NDArray[np.int64], budget: int) -> dict[str, Any]:
    """Return the tiles of all cards; exact ones are made smaller where even few exceed the budget."""
    tiles = np.stack([gallery.generated[keep], gallery.nn1[keep], gallery.nn2[keep]], axis=1)
    height, width = tiles.shape[2:4]
    factor = 1
    if max(height, width) * gallery.shrunk <= EXACT:
        while tiles.size > budget * factor * factor and min(height, width) // (factor + 1) >= 16:
            factor += 1
    if factor > 1:
        return sheet(shrink(tiles, factor), exact=False) | {"factor": factor}
    return thumbnails(tiles, shrunk=gallery.shrunk)


def sheet(tiles: NDArray[np.uint8], *, exact: bool = True) -> dict[str, Any]:
    """Return tiles (rows, columns, H, W, C) as one PNG, or as a JPEG where they need not be exact.

    Rows stand below each other, ``per`` of them; the next ones stand right of these.
    """
    rows, columns, height, width, channels = tiles.shape
    per = max(1, min(rows, SPRITE_HEIGHT // height))
    stacks = -(-rows // per)
    filled = np.zeros((stacks * per, *tiles.shape[1:]), np.uint8)
    filled[:rows] = tiles
    whole = filled.reshape(stacks, per, *tiles.shape[1:]).transpose(1, 3, 0, 2, 4, 5)
    whole = whole.reshape(per * height, stacks * columns * width, channels)
    return {
        "sprite": _encoded(picture_of(whole), exact=exact) if whole.size else "data:,",
        "width": width,
        "height": height,
        "columns": columns,
        "per": per,
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
