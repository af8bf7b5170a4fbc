"""What `rote audit` leaves behind: its folder, and what continuous integration reads."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rote.cli import options
from rote.cli.flags import as_flags

if TYPE_CHECKING:
    from rote.memorization.audit.audit import Audit


@dataclass(frozen=True)
class AuditOutputs:
    """Files that an audit writes."""

    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for audit.json, its tables and the report.")
    ] = None
    spreadsheet: options.Spreadsheet = False
    summary_md: Annotated[
        Path | None,
        typer.Option(
            "--summary-md",
            metavar="FILE",
            help="Add a summary in Markdown to this file, such as $GITHUB_STEP_SUMMARY.",
        ),
    ] = None
    junit: Annotated[
        Path | None,
        typer.Option(
            "--junit", metavar="FILE", help="Write the gate of --fail-above as a JUnit test."
        ),
    ] = None

    def check(self, *, gate: bool) -> None:
        """Refuse what could not be written, before hours of work and not after.

        Raises
        ------
        ConfigError, RunError
            Naming what is in the way.
        """
        from rote.core.errors import ConfigError
        from rote.core.run_folder import check_writable

        if self.out is not None:
            options.check_folder(self.out)
        if self.junit is not None and not gate:
            raise ConfigError("--junit writes a gate as a test; give its limit, --fail-above")
        for flag, file in (("--summary-md", self.summary_md), ("--junit", self.junit)):
            if file is not None and file.exists() and not file.is_file():
                raise ConfigError(f"{flag} {file} is no file; give the name of one")
            if file is not None:
                check_writable(file.parent, name=flag)

    def save(self, found: Audit) -> float:
        """Save the audit with its report, where a folder is given; return the seconds that took."""
        from rote.core.console import say
        from rote.core.progress.work import work
        from rote.report import write_report

        start = time.perf_counter()
        if self.out is not None:
            with work("report"):
                found.save(self.out, spreadsheet=self.spreadsheet)
                say(f"report: {write_report(self.out)}")
        return time.perf_counter() - start

    def tell(self, found: Audit) -> None:
        """Write what continuous integration reads."""
        from rote.core.atomic_files import write_text
        from rote.memorization.presentation.ci import junit_xml, markdown_summary

        if self.junit is not None:
            write_text(self.junit, junit_xml(found, words=as_flags))
        if self.summary_md is not None:
            there = self.summary_md.is_file()
            before = self.summary_md.read_text(encoding="utf-8") if there else ""
            text = f"{before}{markdown_summary(found, words=as_flags)}"
            write_text(self.summary_md, text)

    @contextlib.contextmanager
    def errors_told(self) -> Iterator[None]:
        """Let an error stand in the JUnit file, where a test of an earlier run may say "passed"."""
        from rote.core.errors import RoteError

        try:
            yield
        except RoteError as error:
            if self.junit is not None:
                from rote.core.atomic_files import write_text
                from rote.memorization.presentation.ci import junit_error

                write_text(self.junit, junit_error(as_flags(str(error))))
            raise
