"""Shows the examples of docstrings as code: griffe knows them under a heading, ours stand without one."""

from __future__ import annotations

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"(?:^>>>.*(?:\n(?!\n).+)*)(?:\n\n>>>.*(?:\n(?!\n).+)*)*", re.MULTILINE)


class FencedExamples(griffe.Extension):
    """Puts every paragraph that begins with ``>>>`` between fences."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of one object."""
        if obj.docstring:
            text = obj.docstring.value
            obj.docstring.value = EXAMPLE.sub(lambda m: f"```pycon\n{m[0]}\n```", text)
