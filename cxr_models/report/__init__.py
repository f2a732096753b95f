"""Saved results of runs as one self-contained page, in HTML or Markdown.

Reads the folders of runs alone; knows no framework. `read` checks the results, `page` builds a page
of `blocks` from them with `sections` and `images`, and `render` writes the page as HTML or
Markdown. Both forms therefore show the same figures.
"""

from __future__ import annotations

from cxr_models.report.read.finding_results import FindingResults, read_any_results
from cxr_models.report.read.results import Results, read_results
from cxr_models.report.render.html import html_page
from cxr_models.report.render.markdown import markdown_page

__all__ = [
    "FindingResults",
    "Results",
    "html_page",
    "markdown_page",
    "read_any_results",
    "read_results",
]
