"""Choice of the function that builds a page: for runs with classes or for runs with findings."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from cxr_models.report.findings_page import page_of_findings
from cxr_models.report.page import page_of
from cxr_models.report.read.finding_results import by_kind
from cxr_models.report.sections.comparison import comparison_section
from cxr_models.report.sections.finding_comparison import finding_comparison_section

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxr_models.report.blocks import Page
    from cxr_models.report.images.pictures import Pictures
    from cxr_models.report.read.finding_results import AnyResults


def builder(runs: Sequence[AnyResults]) -> Callable[[Pictures], Page]:
    """Return a function that builds the page about `runs`.

    The runs are compared here, once, so that repeated calls of the function are cheap.

    Parameters
    ----------
    runs : sequence of Results or FindingResults
        Results of the runs; at least one. All have classes, or all have findings.

    Raises
    ------
    ValueError
        If runs with classes and runs with findings are given.
    """
    of_findings, of_classes = by_kind(runs)
    if of_findings:
        compared = finding_comparison_section(of_findings)
        return functools.partial(page_of_findings, of_findings, compared=compared)
    return functools.partial(page_of, of_classes, compared=comparison_section(of_classes))
