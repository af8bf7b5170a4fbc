"""A written report as a test reads it, and result files changed by hand."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from rote.report import write_report


class Page(HTMLParser):
    """The visible text of a page, its elements and the JSON it embeds."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text, self.tags, self.data, self._inside = "", [], {}, None
        self.feed(path.read_text(encoding="utf-8"))
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside = dict(attrs).get("id", tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside is None:
            self.text += data
        elif self._inside in ("chart-data", "gallery-data"):
            self.data[self._inside] = json.loads(data)


def report(run_dir: Path) -> Page:
    return Page(write_report(run_dir))


def edit(path: Path, change: Any) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
