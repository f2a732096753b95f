"""Reports: the saved results of runs on one self-contained page, in HTML or Markdown.

The package reads the folders of runs and imports no framework. `read` checks the results. `page`
builds a page of `blocks` from the results, with `sections` and `images`. `render` writes the page
as HTML or Markdown, so both forms show the same values.
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
