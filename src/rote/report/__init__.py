"""The report: one page that shows a finished audit or EMM search, from its result files alone.

Nothing is computed here that a result file does not hold; a page can be rebuilt years later. The
plotting libraries are imported when a page is written, not before.
"""

from rote.report.page import write_report

__all__ = ["write_report"]
