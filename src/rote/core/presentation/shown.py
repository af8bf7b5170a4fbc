"""Results that show themselves: a card in a notebook, their sentences anywhere else."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

from rote.core.console import one_line, print_text
from rote.core.presentation.figures import svg_html

CARD = (
    "font-family:system-ui,sans-serif;border:1px solid #8886;border-left:6px solid {color};"
    "border-radius:8px;padding:12px 16px;margin:4px 0;max-width:760px;line-height:1.5"
)
COLORS = {"": "#8886", "good": "#2e9e5b", "bad": "#d64545", "doubtful": "#d9a02b"}
"""Of the left edge, by what a result is for whoever asked."""


class Shown:
    """Base of results that show themselves; a result says its `sentences`, and draws what it likes."""

    def sentences(self) -> Sequence[str]:
        """Return the answer in one sentence, then what it rests on."""
        raise NotImplementedError

    @property
    def tone(self) -> str:
        """Whether the answer is "good", "bad" or "doubtful" for whoever asked; "" where none of it."""
        return ""

    def figure_html(self) -> str:
        """Return what a card shows below the sentences, as HTML."""
        return ""

    def summary(self) -> str:
        """Return the answer and what it rests on, a line each."""
        return "\n".join(self.sentences())

    def show(self) -> None:
        """Show the card in a notebook, and print the summary anywhere else."""
        if in_notebook():
            from IPython.display import display

            display(self)
            return
        for line in self.sentences():
            print_text(line)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {one_line(self.sentences()[0])}>"

    def _repr_html_(self) -> str:
        first, *rest = map(_marked, self.sentences())
        lines = "".join(f"<div>{line}</div>" for line in rest)
        head = f'<div style="font-size:1.2em;font-weight:600">{first}</div>'
        style = CARD.format(color=COLORS[self.tone])
        return f'<div style="{style}">{head}{lines}{self.figure_html()}</div>'


class ShownFile(Shown):
    """Base of results that are what a result file holds, with a chart of it."""

    json: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the content of the result file."""
        return self.json

    def plot(self) -> Any:
        """Return an Altair chart; a notebook draws it."""
        raise NotImplementedError

    def figure_html(self) -> str:
        """Return the chart."""
        return svg_html(self.plot())


def in_notebook() -> bool:
    """Say whether this runs where cards can be shown: in IPython."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return get_ipython() is not None


def _marked(text: str) -> str:
    """Return a sentence as HTML: names of arguments are code, and no line ends within an interval."""
    named = re.sub(r"`([a-z_]+)`", r"<code>\1</code>", html.escape(one_line(text)))
    return re.sub(r"[\d.]+ %|\[[^\]<]*\]", lambda hit: hit[0].replace(" ", "&nbsp;"), named)
