"""Choose how the page of runs is built: runs with classes and runs with findings differ."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from cxr_models.report.findings_page import page_of_findings
from cxr_models.report.page import page_of
from cxr_models.report.read.finding_results import by_kind
from cxr_models.report.sections.finding_together import findings_together
from cxr_models.report.sections.together import together

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxr_models.report.blocks import Page
    from cxr_models.report.images.pictures import Pictures
    from cxr_models.report.read.finding_results import AnyResults


def builder(runs: Sequence[AnyResults]) -> Callable[[Pictures], Page]:
    """Return what builds the page of runs; runs are compared once, however often it is called.

    Parameters
    ----------
    runs : sequence of Results or FindingResults
        At least one; all with classes, or all with findings.

    Raises
    ------
    ValueError
        If runs with classes and with findings are given.
    """
    of_findings, of_classes = by_kind(runs)
    if of_findings:
        compared = findings_together(of_findings)
        return functools.partial(page_of_findings, of_findings, compared=compared)
    return functools.partial(page_of, of_classes, compared=together(of_classes))
