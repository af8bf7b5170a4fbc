"""What was special about the images of a source, counted, and what was done about it, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rote.core.errors import DataError
from rote.data.account import Treated, first_names
from rote.data.files.decode import (
    DEEP_COLOR,
    DEEP_GREY,
    OTHER_COLOR,
    OUTSIDE,
    PALETTE,
    PROFILE,
    TRANSPARENT,
    TURNED,
)
from rote.data.messages import shown
from rote.data.options import Range, ReadOptions, Resize

_MANY_MASKS = 0.05
_MANY_PAIRS = 0.2
_DARK = 64
"""16-bit color whose upper 8 bits stay below this uses 14 bits at most."""


@dataclass(frozen=True)
class Noted:
    """Of one image: facts, size (H, W), channels, frames, values of deep grey, level of deep color."""

    facts: tuple[int, ...]
    size: tuple[int, ...]
    channels: int
    frames: int
    values: Range
    brightest: int


def treatments(
    noted: Sequence[tuple[str, Noted]], options: ReadOptions, window: Range | None, *, where: str
) -> tuple[Treated, ...]:
    """Say what was special about images, by name, and what was done.

    Raises
    ------
    DataError
        If all 16-bit color files use few of their bits, the upper of which are all that is read.
    """
    found: list[Treated] = []

    def tell(
        what: str, names: Sequence[str], done: str, *, said: bool = True, option: str = ""
    ) -> None:
        if names:
            found.append(Treated(what, len(names), done, first_names(names), said, option))

    def with_fact(fact: int) -> list[str]:
        return [name for name, one in noted if fact in one.facts]

    under = {"drop": "alpha dropped, so the hidden colors show"}
    tell(
        "with transparency",
        with_fact(TRANSPARENT),
        under.get(options.alpha, f"laid over {options.alpha}"),
        option="alpha",
    )
    turned = {"apply": "turned as the camera noted", "ignore": "left as stored"}[options.exif]
    tell("turned by EXIF", with_fact(TURNED), turned, option="exif")
    if options.resolution is not None:
        side = options.resolution
        uneven = [name for name, one in noted if one.size[0] != one.size[1]]
        if uneven:
            found.append(not_square(uneven, options.resize))
        scaled = [name for name, one in noted if one.size != (side, side)]
        tell("of another size", scaled, f"scaled to {side}x{side}", said=False)
    if options.frames == "first":
        several = [(name, one.frames) for name, one in noted if one.frames > 1]
        more = sum(frames - 1 for _, frames in several)
        tell(
            "of several frames or pages",
            [name for name, _ in several],
            f"{more:,} after the first not read",
            option="frames",
        )
    else:
        pages = [name for name, one in noted if one.frames > 1]
        tell("pages or frames of files with several", pages, "all read", said=False)
    deep = [one for _, one in noted if DEEP_GREY in one.facts]
    if deep and window is not None:
        low, high = min(one.values[0] for one in deep), max(one.values[1] for one in deep)
        tell(
            "of 16 or more bits",
            with_fact(DEEP_GREY),
            f"values from {low:g} to {high:g}; {window[0]:g} is black, {window[1]:g} white",
            option="window",
        )
        cut = options.window != "percentile"
        tell("with values outside of that", with_fact(OUTSIDE), "cut to black or white", said=cut)
    colors = [(name, one) for name, one in noted if DEEP_COLOR in one.facts]
    if colors:
        brightest = max(one.brightest for _, one in colors)
        if brightest < _DARK and len(colors) > 1:
            raise DataError(
                f"{where}: the upper 8 bits of {len(colors):,} 16-bit color files (such as "
                f"{shown(colors[0][0])}) hold values up to {brightest} of 255, so they use "
                f"{8 + brightest.bit_length()} bits; scale them to 16 bits, or save them with 8"
            )
        tell("in 16-bit color", [name for name, _ in colors], "upper 8 bits read")
    tell("in CMYK, YCbCr or Lab", with_fact(OTHER_COLOR), "turned to RGB")
    tell("with a color profile other than sRGB", with_fact(PROFILE), "not applied")
    tell("with a palette", with_fact(PALETTE), "turned to RGB", said=False)
    if options.channels is not None:
        others = [name for name, one in noted if one.channels != options.channels]
        to = "grey" if options.channels == 1 else "RGB"
        tell("with other channels", others, f"turned to {to}", said=False)
    return tuple(found)


def not_square(names: Sequence[str], how: Resize) -> Treated:
    """Say what became of pictures that are not square."""
    done = {"crop": "sides cut off", "squeeze": "squeezed", "pad": "black bars added"}[how]
    return Treated("not square", len(names), done, first_names(names), option="resize")


def masks(names: Sequence[str], flat: Sequence[str]) -> tuple[str, ...]:
    """Say that many of the files look like masks, or like another picture of the same thing.

    Masks have two grey levels; side files are named after the file that they belong to. A source
    that holds
    nothing else is taken as it is.

    Parameters
    ----------
    names
        Of all images.
    flat
        Of those that have at most two grey levels.
    """
    ending, paired = _pairs(names)
    said = []
    if max(3, _MANY_MASKS * len(names)) <= len(flat) < len(names):
        said.append(
            f"{len(flat):,} of {len(names):,} images have at most two grey levels, such as "
            f"{shown(flat[0])}"
        )
    if len(paired) >= max(3, _MANY_PAIRS * len(names)):
        said.append(
            f"{len(paired):,} of {len(names):,} are named after another and end in {shown(ending)}, "
            "such as "
            f"{shown(paired[0])}"
        )
    if not said:
        return ()
    pattern = f" '*{shown(ending)}.*'" if len(said) == 2 or "named" in said[0] else ""
    return (
        f"{' and '.join(said)}; if these are masks or other side files, leave them out with "
        f"`exclude`{pattern}",
    )


def _pairs(names: Sequence[str]) -> tuple[str, list[str]]:
    """Return the commonest ending of a name that is another's but for it ("_mask"), and those names."""
    stems = {name.rpartition(".")[0] or name: name for name in names if "#" not in name}
    endings: Counter[str] = Counter()
    whole: dict[str, list[str]] = {}
    for stem, name in stems.items():
        for mark in "_-.":
            first, found, last = stem.rpartition(mark)
            if found and first in stems and not last.isdigit():
                endings[mark + last] += 1
                whole.setdefault(mark + last, []).append(name)
    if not endings:
        return "", []
    ending, _ = endings.most_common(1)[0]
    return ending, whole[ending]
