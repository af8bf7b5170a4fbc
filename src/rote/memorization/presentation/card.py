"""The pictures of an audit in Python: its most copied pairs, and the distance ratios."""

from __future__ import annotations

import base64
import html
import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from rote.memorization.audit.result import Findings
from rote.memorization.presentation.summary import Pair, copied_pairs

MOST_PAIRS = 6
SIDE = 96
"""Pixels of a picture's longer side on the card."""
_ROW = "display:flex;flex-wrap:wrap;gap:16px;margin-top:4px"


def pairs_html(found: Findings) -> str:
    """Return the six most copied pairs as HTML of some kilobytes; nothing where there are no pictures."""
    pairs = copied_pairs(found)[:MOST_PAIRS]
    if found.training.kind != "image" or not pairs:
        return ""
    shown = "".join(_figure(found, pair) for pair in pairs)
    told = "<small>the most copied pairs: generated, then its training image</small>"
    return f'<div style="margin-top:10px">{told}</div><div style="{_ROW}">{shown}</div>'


def _figure(found: Findings, pair: Pair) -> str:
    pictures = " ".join(
        (
            _picture(found.generated.items[pair.generated], pair.generated_name),
            _picture(found.training.items[pair.training], pair.training_name),
        )
    )
    title = html.escape(f"{pair.generated_name} copies {pair.training_name}", quote=True)
    return f'<div title="{title}">{pictures}<br><small>ratio {pair.ratio:.2g}</small></div>'


def _picture(item: npt.NDArray[Any], name: str) -> str:
    pixels = np.asarray(item, np.uint8)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    scale = SIDE / max(image.size)
    size = f'width="{image.width * scale:.0f}" height="{image.height * scale:.0f}"'
    told = f'alt="{html.escape(name, quote=True)}" {size}'
    return f'<img {told} style="image-rendering:pixelated" src="data:image/png;base64,{data}">'


def ratio_figure(found: Findings) -> Any:
    """Return an Altair chart: how many generated items have which ratio, and the threshold."""
    import altair

    counts, edges = np.histogram(found.ratio, bins=40, range=(0, 1))
    bars = [
        {"from": float(low), "to": float(high), "items": int(count)}
        for count, low, high in zip(counts, edges, edges[1:], strict=False)
    ]
    title = "distance to the nearest training item / to the second nearest"
    drawn = (
        altair.Chart(altair.InlineData(values=bars))
        .mark_bar()
        .encode(
            x=altair.X("from:Q", title=title, scale=altair.Scale(domain=[0, 1])),
            x2="to:Q",
            y=altair.Y("items:Q", title="generated items"),
        )
    )
    line = altair.Chart(altair.InlineData(values=[{"ratio": found.criterion.threshold}])).mark_rule(
        color="firebrick", strokeDash=[4, 4]
    )
    return (drawn + line.encode(x="ratio:Q")).properties(width=480, height=220)
