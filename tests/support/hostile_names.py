"""Two hundred hostile kinds of names: of files, classes, columns, captions, labels and sources."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

RUN = "window.pwned=1"
OUT = "http://evil.test/x"

CONTROLS = [f"a{chr(code)}b" for code in (*range(32), *range(127, 160))]
TERMINAL = [
    *(
        "\x1b[2J",
        "\x1b[31mred\x1b[0m",
        "\x1b]0;title\x07",
        "\x1b]8;;http://evil.test\x1b\\link\x1b]8;;\x1b\\",
    ),
    *(
        "\x1b]52;c;cm0gLXJm\x07",
        "\x1bP$q\x1b\\",
        "\x1b[6n",
        "\x1bc",
        "\x1b[?1049h",
        "\x9b2J",
        "\x9d0;t\x9c",
    ),
    *("a\rb", "a\x08\x08b", "a\x07", "\x1b[1A\x1b[2Kerror: none", "\x0e", "\x1b(0", "\x1b[8m"),
]
MARKUP = [
    *("[bold]x[/bold]", "[/]", "[/bold]", "[red]", "[link=http://evil.test]x[/link]", "[@click=x]"),
    *("[[", "\\[", "[]", ":warning:", "[not closed", "[bold][/red]", "\\[/]", "[blink]"),
]
SCRIPT = [
    *(f"<script>{RUN}</script>", f"</script><script>{RUN}</script>", f"<img src=x onerror={RUN}>"),
    *(f"<svg onload={RUN}>", f"<svg><script>{RUN}</script></svg>", f'"><img src=x onerror={RUN}>'),
    *(
        f"' onmouseover='{RUN}",
        f'" autofocus onfocus="{RUN}',
        f"javascript:{RUN}",
        f"<!--<script>{RUN}",
    ),
    *(
        f"';{RUN};'",
        f'";{RUN};"',
        f"`;{RUN};`",
        "${" + RUN + "}",
        f"\\';{RUN}//",
        f"</style><script>{RUN}</script>",
    ),
    *(
        "<iframe srcdoc='<script>parent.pwned=1</script>'>",
        f"<img src={OUT}>",
        f"<link rel=stylesheet href={OUT}>",
    ),
    *(
        f"<a href='javascript:{RUN}'>x</a>",
        f"<base href={OUT}>",
        f"<form action={OUT}><input>",
        f"<object data={OUT}>",
    ),
    *(
        f"<style>*{{background:url({OUT})}}</style>",
        f"}}*{{background:url({OUT})}}",
        f"expression({RUN})",
    ),
    *(
        f"<meta http-equiv=refresh content='0;{OUT}'>",
        f"<body onload={RUN}>",
        f"<details open ontoggle={RUN}>",
    ),
    *(
        f"<math><mtext><script>{RUN}</script>",
        f"<template><script>{RUN}</script>",
        f"</title><script>{RUN}</script>",
    ),
    *(
        f"</textarea><script>{RUN}</script>",
        f"&lt;script&gt;{RUN}",
        f"\\u003cscript\\u003e{RUN}",
        f"<ScRiPt>{RUN}</sCrIpT>",
    ),
    *(
        f"<scr\0ipt>{RUN}</scr\0ipt>",
        f"<img src='x'onerror={RUN}//",
        f"<video src={OUT} onerror={RUN}>",
        f"]]><script>{RUN}</script>",
    ),
    *(
        f"<?xml-stylesheet href='{OUT}'?>",
        f"<!ENTITY x SYSTEM '{OUT}'>",
        "&xxe;",
        "&#x3c;b&#x3e;",
        "--><b>",
        "<![CDATA[",
    ),
]
TEMPLATES = [
    *(
        "{{7*7}}",
        "{% raw %}",
        "{{config}}",
        "${7*7}",
        "#{7*7}",
        "<%= 7*7 %>",
        "{{''.__class__}}",
        "{0}",
        "%s%n",
    ),
    *(
        "%(x)s",
        "{x!r}",
        "$(touch executed)",
        "`touch executed`",
        "${HOME}",
        "~root",
        "datum.x",
        "{{{",
        "{#",
        "%%",
    ),
]
MARKDOWN = [
    *(
        f"[x]({OUT})",
        f"![x]({OUT})",
        "# x",
        "| a | b |",
        "```",
        "- x",
        "> x",
        "**x**",
        "<br>",
        "---",
        f"<{OUT}>",
    ),
]
FORMULAS = [
    *(
        "=1+1",
        "=cmd|' /C calc'!A0",
        "+1",
        "-1+1",
        "@SUM(1)",
        "\t=1",
        f'=HYPERLINK("{OUT}")',
        "＝1",
        "=1,2",
        ' "=1"',
    ),
]
TABLES = [
    *(
        '"',
        '""',
        '","',
        "a,b",
        "a;b",
        "a\tb",
        "a\nb",
        "a\r\nb",
        "\r",
        "a\n0,x,yes,0,0,y,0,0,z,1,memorized",
        "'",
        "NA",
    ),
    *(
        "null",
        "nan",
        "",
        " ",
        "1",
        "01",
        "1e5",
        "True",
        "#N/A",
        "\ufeffa",
        "a\u2028b",
        "a\u2029b",
        "a\x85b",
        "\\N",
    ),
]
UNICODE = [
    *(
        "\u202egnp.exe",
        "\u2066x\u2069",
        "\u200b",
        "a\u200db",
        "\u2060",
        "\u00ad",
        "\u061c",
        "\ufffe",
        "\U000e0041",
    ),
    *(
        "e\u0301",
        "é",
        "раураl",
        "／etc／passwd",
        "․․",
        "\ud800",
        "\udcff",
        "\udc80\udc81",
        "\ue000",
        "Z\u0335\u0354" * 9,
    ),
    *(
        "\U0001f468\u200d\U0001f469",
        "א",
        "ﷺ",
        "\u115f",
        "\u3164",
        "\u2800",
        "ı",
        "ß",
        "\u034f",
        "\x7f",
    ),
]
PATHS = [
    *(
        "-rf",
        "--help",
        "--",
        "-",
        "..",
        "...",
        "../../x",
        "/etc/passwd",
        "C:\\x",
        "\\\\host\\x",
        "CON",
        "nul",
        "a/b",
    ),
    *(
        ".hidden",
        "x.",
        "x ",
        "~",
        "*",
        "?",
        "file:///etc/passwd",
        "a" * 240,
        "画" * 80,
        "a%00b",
        "%2e%2e%2f",
    ),
]
NAMES = tuple(
    dict.fromkeys(
        [
            *(*CONTROLS, *TERMINAL, *MARKUP, *SCRIPT, *TEMPLATES),
            *(*MARKDOWN, *FORMULAS, *TABLES, *UNICODE, *PATHS),
        ]
    )
)


def file_names() -> dict[str, str]:
    """Return those that can name a file or a folder, with how a Dataset calls them."""
    fit = {}
    for name in NAMES:
        try:
            size = len(name.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError:
            continue
        if 0 < size <= 250 and not set(name) & {"/", "\0"} and name not in (".", ".."):
            fit[name] = name.encode("utf-8", "backslashreplace").decode()
    return fit


def as_written(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def member(name: str) -> str:
    """Return how a Dataset calls the file of a class of that name."""
    return f"{name}/{name}.png"


def readable() -> list[str]:
    """Return those of `file_names`, as they lie on disk, whose files and folders are not hidden."""
    return [
        name
        for name in file_names()
        if not any(part.startswith(".") for part in member(name).replace("\\", "/").split("/"))
    ]


def fill(folder: Path) -> Path:
    """Write two sides of pictures in classes of these names, half of them copies, and captions."""
    digits = (load_digits().data * 255 / 16).round().astype(np.uint8).reshape(-1, 8, 8)
    for number, name in enumerate(file_names()):
        for side, image in (("seen", digits[number]), ("made", digits[number // 2 * 2])):
            held = folder / side / name
            held.mkdir(parents=True)
            Image.fromarray(image).save(held / f"{name}.png", "PNG")
    with (folder / "captions.jsonl").open("w") as lines:
        for number, name in enumerate(file_names().values()):
            row = {"file_name": member(name), "text": NAMES[number]}
            if (
                name != "e\u0301"
            ):  # the same file as another by the rules of Unicode, which is refused
                lines.write(json.dumps(row) + "\n")
    return folder
