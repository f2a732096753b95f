"""Saved results of runs as one page that needs nothing else: HTML, or Markdown.

From the evaluation folders of runs alone; knows no framework. A page is put together as blocks
(`blocks`) by `page` and its helpers, and written down by `html` or `markdown`, which therefore show
the same figures.
"""

from __future__ import annotations

from cxr_models.report.read.results import Results, read_results
from cxr_models.report.render.html import html_page
from cxr_models.report.render.markdown import markdown_page

__all__ = ["Results", "html_page", "markdown_page", "read_results"]
