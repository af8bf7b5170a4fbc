"""Results that show themselves: a card in a notebook, their sentences anywhere else."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from rote.core.console import one_line, print_text

CARD = (
    "font-family:system-ui,sans-serif;border:1px solid #8886;border-radius:8px;"
    "padding:12px 16px;max-width:760px;line-height:1.5"
)


class Shown:
    """Base of results that show themselves; a result says its `sentences`, and draws what it likes."""

    def sentences(self) -> Sequence[str]:
        """Return the answer in one sentence, then what it rests on."""
        raise NotImplementedError

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
        return f'<div style="{CARD}">{head}{lines}{self.figure_html()}</div>'


def in_notebook() -> bool:
    """Say whether this runs where cards can be shown: in IPython."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return get_ipython() is not None


def _marked(text: str) -> str:
    """Return a sentence as HTML, with the names of arguments as code."""
    return re.sub(r"`([a-z_]+)`", r"<code>\1</code>", html.escape(one_line(text)))
