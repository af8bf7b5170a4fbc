"""What a person sees of an audit by caption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rote.core.console import console, say, table

if TYPE_CHECKING:
    from rote.memorization.captions.rates import CaptionRates, PromptSet

MOST = 10
MEANINGS = {
    "trained": "in training",
    "control": "not in training",
    "empty": "empty",
}


def show_captions(found: CaptionRates) -> None:
    """Print the rates of the prompt sets, by times in training, and of the captions copied most."""
    if not found.training_captions:
        say(
            "the training side has no captions, so none of the generated side's can be told trained: "
            "rates by caption are in captions.csv and with --cluster-by caption"
        )
        return
    rows = [[MEANINGS[kind], *_cells(part)] for kind, part in found.sets.items()]
    for low, high, part in found.by_times if len(found.by_times) > 1 else ():
        times = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        rows.append([f"in training {times}x", *_cells(part)])
    columns = ["captions", "different", "memorized, the caption as the unit", "of its own image"]
    console.print(table("by caption", columns, rows))
    shown = [
        [one.text or "(empty)", str(one.rate), f"{one.own:,}", f"{one.times:,}"]
        for one in found.captions[:MOST]
    ]
    title = f"the captions copied most, of {len(found.captions):,}"
    console.print(table(title, ["caption", "rate", "own", "times in training"], shown))
    if found.without:
        say(f"{found.without:,} generated items have no caption, and are in no rate by caption")


def _cells(found: PromptSet) -> list[str]:
    return [f"{found.captions:,}", str(found.rate), f"{found.own:,} of {found.rate.count:,}"]
