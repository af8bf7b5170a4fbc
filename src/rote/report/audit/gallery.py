"""What the gallery of a page needs: every ratio, what is known of each image, pictures of some.

The pictures are one sprite with one row per card and three tiles in it: generated, nearest, second
nearest. Verdicts, rate and interval are those of the files; all ratios travel as little-endian float64,
for the page to count at any other threshold.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rote.report.audit.gallery_rows import other_than_pictures
from rote.report.audit.read import Audit
from rote.report.words import short
from rote.results.gallery import Gallery, shrink
from rote.results.neighbors import NONE, Neighbors
from rote.results.tables import Pairs

# Raw bytes of all tiles of a page. PNG makes them smaller, base64 a third larger.
PIXEL_BUDGET = 9_000_000
FEWEST_CARDS = 48
MOST_CARDS = 420
# Images beyond the pictured ones that a page tells about, one by one.
MOST_ROWS = 20_000
# Most pixels a small picture has each way: twice its size on the page.
SMALL = 128
# Of pictures that are smaller than what was measured.
JPEG_QUALITY = 90
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
    tile_bytes = int(np.prod(gallery.generated.shape[1:]))
    keep = _spread(len(gallery.index), _cards(tile_bytes, sets) if pictures else MOST_CARDS)
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
    return data | _sprite(gallery, keep, PIXEL_BUDGET // sets)


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
        moves = (pairs.mirrored, pairs.down, pairs.right)
        data["moves"] = np.stack([part[pictured].astype(int) for part in moves], axis=1).tolist()


def _told(name: str) -> str:
    """Return a name, empty where it is only the item's number."""
    return "" if name.startswith("#") and name[1:].isdecimal() else short(name)


def small_pictures(gallery: Gallery) -> dict[str, Any] | None:
    """Return one sprite of all small pictures, a row each, with its keys; None without any."""
    if gallery.small.ndim != 4 or not len(gallery.small):
        return None
    longest = max(gallery.small.shape[1:3])
    tiles = shrink(gallery.small[:, None], max(1, -(-longest // SMALL)))
    exact = tiles.shape[2:] == gallery.small.shape[1:] and gallery.shrunk == 1
    return sheet(tiles, exact=exact) | {
        "keys": [f"{side} {index}" for side, index in gallery.small_keys]
    }


def _cards(tile_bytes: int, sets: int) -> int:
    """Return how many cards a set may have so that the page stays within its budget."""
    fit = PIXEL_BUDGET // (sets * 3 * tile_bytes)
    return max(FEWEST_CARDS, min(MOST_CARDS, fit))


def _spread(rows: int, most: int) -> NDArray[np.int64]:
    """Return at most ``most`` of the rows, evenly spread, both ends included."""
    return np.unique(np.linspace(0, max(rows - 1, 0), min(rows, most)).round()).astype(np.int64)


def _sprite(gallery: Gallery, keep: NDArray[np.int64], budget: int) -> dict[str, Any]:
    """Return one PNG of all tiles, made smaller by a whole factor where they exceed the budget."""
    tiles = np.stack([gallery.generated[keep], gallery.nn1[keep], gallery.nn2[keep]], axis=1)
    cards, _, height, width, _ = tiles.shape
    factor = 1
    while (
        tiles.size > budget * factor * factor or cards * (height // factor) > SPRITE_HEIGHT
    ) and min(height, width) // (factor + 1) >= 16:
        factor += 1
    whole = factor * gallery.shrunk
    return sheet(shrink(tiles, factor), exact=whole == 1) | {"factor": whole}


def sheet(tiles: NDArray[np.uint8], *, exact: bool = True) -> dict[str, Any]:
    """Return tiles (rows, columns, H, W, C) as one PNG, or as a JPEG where they need not be exact."""
    from PIL import Image

    rows, columns, height, width, channels = tiles.shape
    sheet = tiles.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
    buffer = io.BytesIO()
    picture = sheet[:, :, 0] if channels == 1 else sheet
    if sheet.size:
        image = Image.fromarray(np.ascontiguousarray(picture))
        if exact:
            image.save(buffer, "PNG", optimize=True)
        else:
            image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    kind = "png" if exact else "jpeg"
    return {
        "sprite": f"data:image/{kind};base64," + _base64(buffer.getvalue()),
        "width": width,
        "height": height,
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
