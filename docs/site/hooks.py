"""What the site needs beyond Markdown; `mkdocs.yml` names this file.

- Notebooks become pages, with their stored outputs (nbconvert).
- The pages of commands and of Python names are filled from the parser and from `rote/__init__.pyi`.
- A picture ``figures/NAME.svg`` becomes the moving figure of ``figures/NAME.json``; without the site the
  picture stands as it is.
- Formulas between dollars become MathML, which browsers draw themselves, with a font that ziamath brings.
- A line with a star in the list of pages stands for those that no other line names.
- Links to files outside docs/ become their names, since a site has no checkout to link to.
"""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
FIGURE = re.compile(r"^!\[([^\]]+)\]\((?:\.\./)*figures/([\w-]+)\.svg\)$", re.MULTILINE)
LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#]+)\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Name headings as GitHub does, so that one link is right in both, and list all pages."""
    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")
    config.nav = _filled(config.nav, set(_listed(config.nav)))
    return config


def _listed(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
        return
    for inner in entry.values() if isinstance(entry, dict) else entry:
        yield from _listed(inner)


def _filled(entry: Any, named: set[str]) -> Any:
    """Put the pages that a line with a star stands for in its place."""
    if isinstance(entry, dict):
        return {title: _filled(inner, named) for title, inner in entry.items()}
    if not isinstance(entry, list):
        return entry
    filled = []
    for inner in entry:
        if isinstance(inner, str) and "*" in inner:
            found = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.glob(inner))
            filled += [page for page in found if page not in named]
        else:
            filled.append(_filled(inner, named))
    return filled


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add pages made of notebooks and of files at the root, and the font."""
    for file in list(files):
        if file.src_uri.endswith(".ipynb"):
            files.remove(file)
            _add_notebook(files, Path(str(file.abs_src_path)), config)
    for name in ("CHANGELOG", "CONTRIBUTING"):
        text = (ROOT / f"{name}.md").read_text(encoding="utf-8").replace("](docs/", "](")
        text = re.sub(r"\[([^\]]+)\]\(CHANGELOG\.md\)", r"[\1](changelog.md)", text)
        files.append(File.generated(config, f"{name.lower()}.md", content=text))
    package = find_spec("ziamath")
    assert package
    assert package.origin
    font = Path(package.origin).parent / "fonts" / "STIXTwoMath-Regular.ttf"
    files.append(File.generated(config, f"site/{font.name}", abs_src_path=str(font)))
    return files


def _add_notebook(files: Files, path: Path, config: MkDocsConfig) -> None:
    from nbconvert import MarkdownExporter

    text, found = MarkdownExporter().from_filename(str(path))
    place = path.relative_to(DOCS).with_suffix("")
    for name, data in found["outputs"].items():
        text = text.replace(f"({name})", f"({place.name}-{name})")
        uri = f"{place}-{name}"
        files.append(File.generated(config, uri, content=data))
    files.append(File.generated(config, f"{place}.md", content=text))


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill what is generated, put figures in, and take links out that lead out of the docs."""
    markdown = re.sub(r"^<!-- commands: .*-->$", lambda _: commands(), markdown, flags=re.MULTILINE)
    markdown = re.sub(
        r"^<!-- python: .*-->$", lambda _: python_names(), markdown, flags=re.MULTILINE
    )
    markdown = FIGURE.sub(_figure, markdown)
    folder = (DOCS / page.file.src_uri).parent

    def inside(match: re.Match[str]) -> str:
        target = (folder / match[2]).resolve()
        return match[0] if target.is_relative_to(DOCS) else match[1]

    return LINK.sub(inside, re.sub(r"\]\(([^)\s]+)\.ipynb\)", r"](\1.md)", markdown))


def on_page_content(content: str, **_: Any) -> str:
    """Turn the formulas of a page into MathML."""
    return FORMULA.sub(_formula, content)


def _formula(match: re.Match[str]) -> str:
    shown = "block" if match[1] == "div" else "inline"
    made = convert(html.unescape(match[2]), display=shown)
    # A wide formula is scrolled, by the keyboard too.
    return made.replace("<math ", '<math tabindex="0" ', 1) if shown == "block" else made


def on_post_build(*, config: MkDocsConfig) -> None:
    """Take out the page of missing pages: its links are those of a server's root."""
    Path(config.site_dir, "404.html").unlink(missing_ok=True)


def _figure(match: re.Match[str]) -> str:
    alt, name = html.escape(match[1], quote=True), match[2]
    data = json.loads((DOCS / "figures" / f"{name}.json").read_text(encoding="utf-8"))
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<figure class="moving" data-figure="{name}" data-alt="{alt}">'
        f'<script type="application/json">{text}</script></figure>'
    )


def commands() -> str:
    """Return every command with its options, as Markdown."""
    import typer

    import rote.cli  # its modules add their commands to the app
    from rote.cli.app import app
    from rote.cli.help import sections

    assert rote.cli.main
    group = typer.main.get_command(app)
    parts = []
    for name, command in sorted(_flat("rote", group)):
        context = typer.Context(command, info_name=name)
        command.get_help(context)  # fills the names of criteria and spaces in
        parts.append(f"## {name}\n\n{_prose(command.help or '')}\n")
        if command.epilog:
            parts.append("".join(f"    {line}\n" for line in command.epilog.splitlines()))
        for title, rows in sections(command, context).items():
            cells = [f"| `{_line(flags)}` | {_cell(text)} |" for flags, text in rows]
            parts += [f"**{title}**\n", "| | |\n|---|---|", *cells, ""]
    return "\n".join(parts)


def _flat(name: str, command: Any) -> list[tuple[str, Any]]:
    found = [(name, command)]
    for short, inner in getattr(command, "commands", {}).items():
        found += _flat(f"{name} {short}", inner)
    return found


def _prose(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.replace("\b", "").split("\n\n"))


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _cell(text: str) -> str:
    return html.escape(_line(text), quote=False).replace("[", "\\[")


def python_names() -> str:
    """Return a directive for each public name, in the order of the list of names."""
    stub = ast.parse((ROOT / "src" / "rote" / "__init__.pyi").read_text(encoding="utf-8"))
    names = [
        alias.name for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
    return "\n\n".join(f"::: rote.{name}" for name in names)
