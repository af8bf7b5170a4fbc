"""An audit for continuous integration: a summary in Markdown, and the gate as a JUnit test."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence

from rote.core.console import one_line
from rote.core.errors import ConfigError
from rote.memorization.audit.result import Findings
from rote.memorization.presentation.summary import DECIDED, copied_pairs, headline, sentences

MOST_PAIRS = 10
_PLAIN = set(" -,.;:%()")


def markdown_summary(found: Findings, *, words: Callable[[str], str] = str) -> str:
    """Return a few lines of Markdown: the gate, the verdict, what it rests on, the most copied pairs.

    Parameters
    ----------
    found
        The audit.
    words
        What its sentences go through, such as one that turns arguments into flags.

    >>> _escaped("a|b`c")
    'a&#124;b&#96;c'
    """
    gate = "" if found.gate is None else f" **{DECIDED[found.gate.decision]}**."
    first, *rest = [_escaped(words(line)) for line in sentences(found)]
    lines = [f"### Memorization{'' if found.gate is None else ' gate'}", "", f"{first}.{gate}", ""]
    lines += [f"- {line}" for line in rest]
    pairs = copied_pairs(found)
    if pairs:
        lines += ["", "| generated | copies | ratio |", "|---|---|---:|"]
        lines += [
            f"| {_escaped(p.generated_name)} | {_escaped(p.training_name)} | {p.ratio:.2g} |"
            for p in pairs[:MOST_PAIRS]
        ]
    if len(pairs) > MOST_PAIRS:
        lines += ["", f"and {len(pairs) - MOST_PAIRS:,} more"]
    return "\n".join(lines) + "\n"


def junit_xml(found: Findings, *, words: Callable[[str], str] = str) -> str:
    """Return the gate as a JUnit file of one test, which fails unless the gate is passed.

    Parameters
    ----------
    found, words
        As `markdown_summary` takes them.

    Raises
    ------
    ConfigError
        If the audit was asked for no gate.
    """
    gate = found.gate
    if gate is None:
        raise ConfigError(
            "this audit has no gate to write as a test; give it a limit, `fail_above`"
        )
    lines = [words(line) for line in sentences(found)]
    problem = None
    if gate.exit_code:
        problem = ("failure", gate.decision, f"{headline(found)}; {words(gate.sentence)}")
    name = f"memorization rate by {gate.criterion} is below {gate.limit:g}"
    return _suite(name, problem, lines, seconds=sum(found.seconds.values()))


def junit_error(message: str) -> str:
    """Return a JUnit file of one test that could not be run."""
    return _suite("memorization rate", ("error", "error", message), (), seconds=0.0)


def _suite(
    name: str, problem: tuple[str, str, str] | None, lines: Sequence[str], *, seconds: float
) -> str:
    kind = None if problem is None else problem[0]
    about = {
        "name": "rote audit",
        "tests": "1",
        "failures": str(int(kind == "failure")),
        "errors": str(int(kind == "error")),
        "skipped": "0",
        "time": f"{seconds:.3f}",
    }
    suite = ET.Element("testsuite", about)
    case = ET.SubElement(suite, "testcase", classname="rote", name=name, time=about["time"])
    text = "\n".join(one_line(line) for line in lines)
    if problem is None:
        ET.SubElement(case, "system-out").text = text
    else:
        found = ET.SubElement(case, problem[0], type=problem[1], message=one_line(problem[2]))
        found.text = text
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _escaped(text: str) -> str:
    """Return text that Markdown takes as it stands, names of files included."""
    plain = "".join(
        char if char.isalnum() or char in _PLAIN else f"&#{ord(char)};" for char in one_line(text)
    )
    return plain.replace("www.", "www&#46;")  # which would be a link by itself
