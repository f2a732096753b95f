"""`cxr-models report`: write one page about evaluated runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models._outputs import check_output, replaces_output
from cxr_models.cli import _console
from cxr_models.cli._evaluate import names_of
from cxr_models.cli._framework import load_framework

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_FORMATS = (".html", ".md")


def report(
    runs: Sequence[Path],
    out: Path,
    *,
    audits: Sequence[Path],
    explain: bool,
    images: bool,
    overwrite: bool,
) -> int:
    """Write the page about `runs` to `out`, as HTML or Markdown by the suffix of `out`.

    With `explain`, the overlays of all runs are drawn first. The exit status is 0.
    """
    with _console.errors_exit_with(_console.WRONG_USAGE):
        if out.suffix not in _FORMATS:
            raise ValueError(f"`--out` must end in {' or '.join(_FORMATS)}; got {str(out)!r}.")
        if out.suffix == ".md" and (explain or not images):
            option = "--explain" if explain else "--no-images"
            raise ValueError(
                f"`{option}` is only allowed with an --out that ends in .html; got {str(out)!r}."
            )
        if explain and not images:
            raise ValueError("`--explain` is only allowed without --no-images; got both.")
        names = names_of(runs)
    with _console.errors_exit_with(_console.FAILED):
        from cxr_models.evaluation.stored import is_foreign
        from cxr_models.report import html_page, markdown_page, read_any_results
        from cxr_models.report.page import PAGES
        from cxr_models.report.read.finding_results import FindingResults, by_kind
        from cxr_models.report.read.results import check_evaluated, read_audit
    page_kind = PAGES[out.suffix]
    with _console.errors_exit_with(_console.WRONG_USAGE):
        for run in runs:
            check_evaluated(run)
            if explain and is_foreign(run):
                raise ValueError(
                    f"`--explain` is only allowed with runs of cxr-models train; got {str(run)!r}, "
                    "predictions of a third-party model."
                )
        check_output(out, page_kind, overwrite=overwrite, inputs=audits)
    with _console.errors_exit_with(_console.FAILED):
        audit_records = tuple(map(read_audit, audits))
        read = [
            read_any_results(path, name=name, audits=audit_records)
            for name, path in zip(names, runs, strict=True)
        ]
        for path, audit in zip(audits, audit_records, strict=True):
            if not any(results.audit == audit for results in read):
                raise ValueError(
                    f"`--audit` must be of the split, classes and weights of a run that has none "
                    f"of its own; got {str(path)!r}, which is not."
                )
        if explain:
            by_kind(read)  # refuses mixed runs before minutes of work
            load_framework()
            from cxr_models.explain.report_overlays import draw_finding_overlays, draw_overlays

            for results in read:
                _console.note_on_terminal(f"{results.name}: drawing overlays")
                if isinstance(results, FindingResults):
                    done = f"drew {draw_finding_overlays(results).overlays} overlays"
                else:
                    drawn = draw_overlays(results)
                    done = f"drew {drawn.overlays} overlays, {drawn.means} means"
                _console.complain(f"{_console.printable(results.name)}: {done}")
        page = html_page(read, images=images) if out.suffix == ".html" else markdown_page(read)
        with replaces_output(out, page_kind, overwrite=overwrite, inputs=audits) as temporary:
            temporary.write_bytes(page.encode())
    _console.say(f"wrote {_console.printable(str(out))}: {len(page.encode()):,} bytes")
    return 0
