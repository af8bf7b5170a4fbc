"""What was special about volumes, counted, and what was done about it, in words."""

from __future__ import annotations

from collections.abc import Sequence

from rote.data.account import Treated, first_names
from rote.data.options import Range, ReadOptions
from rote.data.volumes.volume import Volumes, form_of

_FACTS = {
    "unplaced": ("without an orientation of their own", "turned as the format assumes", True),
    "inverted": ("with their largest number as black (MONOCHROME1)", "turned to white", False),
    "without-positions": (
        "without positions of their slices",
        "in the order of their numbers, then of their names, and not turned",
        True,
    ),
    "uneven": ("with slices unevenly apart", "read as if they were even", True),
}


def told(
    volumes: Sequence[Volumes],
    deep: Sequence[tuple[str, tuple[float, float]]],
    options: ReadOptions,
    window: Range | None,
) -> tuple[Treated, ...]:
    """Say what was special about volumes.

    Parameters
    ----------
    volumes
        All of a source.
    deep
        Names of those of more than 8 bits, with their smallest and largest value.
    window
        What became black and white in these.
    """
    found = []
    for fact, (what, done, said) in _FACTS.items():
        names = [one.names[0] for one in volumes if fact in one.facts]
        if names:
            found.append(Treated(what, len(names), done, first_names(names), said))
    several = [one for one in volumes if one.unread]
    if several:
        more = sum(one.unread for one in several)
        names = [one.names[0] for one in several]
        done = f"{more:,} after the first not read"
        found.append(
            Treated("of several volumes", len(names), done, first_names(names), option="frames")
        )
    if deep and window is not None:
        names = [name for name, _ in deep]
        low, high = min(ends[0] for _, ends in deep), max(ends[1] for _, ends in deep)
        done = f"values from {low:g} to {high:g}; {window[0]:g} is black, {window[1]:g} white"
        found.append(
            Treated("of more than 8 bits", len(names), done, first_names(names), option="window")
        )
    for option in ("spacing", "crop"):
        if getattr(options, option) is None:
            continue
        alone = ReadOptions(
            spacing=options.spacing, crop=options.crop if option == "crop" else None
        )
        before = ReadOptions(spacing=options.spacing if option == "crop" else None)
        names = [o.names[0] for o in volumes if form_of(o, alone) != form_of(o, before)]
        if names:
            wanted = "x".join(f"{size:g}" for size in getattr(options, option))
            what, done = {
                "spacing": ("of another spacing", f"resampled to {wanted} mm"),
                "crop": ("of another size", f"cropped or padded to {wanted}"),
            }[option]
            found.append(Treated(what, len(names), done, first_names(names), said=False))
    return tuple(found)
