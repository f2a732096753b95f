"""Pages about runs with several findings: their sections and the order of the sections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models.report.blocks import Charts, Page, Section, Text
from cxr_models.report.formatting import listed
from cxr_models.report.images.finding_pictures import mistakes
from cxr_models.report.page import network_sentence, title_of, training
from cxr_models.report.sections import cards, finding_overview, finding_values, overview
from cxr_models.report.sections import values as tables
from cxr_models.report.sections.clinic import finding_clinic_section
from cxr_models.report.sections.finding_robustness import finding_robustness_sections
from cxr_models.report.sections.finding_subgroups import finding_subgroup_sections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.report.images.pictures import Pictures
    from cxr_models.report.read.finding_results import FindingResults


def page_of_findings(
    runs: Sequence[FindingResults], pictures: Pictures, compared: Section | None = None
) -> Page:
    """Build the page about one run or several runs with several findings.

    Parameters
    ----------
    runs : sequence of FindingResults
        Results of the runs; at least one.
    pictures : Pictures
        Reader of the images.
    compared : Section, optional
        The result of
        `cxr_models.report.sections.finding_comparison.finding_comparison_section`. None leaves the
        section out.
    """
    return Page(
        title=title_of([run.name for run in runs]),
        sections=(
            finding_overview.summary(runs),
            finding_overview.side_by_side(runs),
            *([compared] if compared is not None else []),
            *(_run(run, pictures, folded=len(runs) >= overview.MANY) for run in runs),
            cards.model_card(runs),
        ),
    )


def _run(run: FindingResults, pictures: Pictures, *, folded: bool) -> Section:
    return Section(
        title=f"Run {run.name}",
        folded=f"Everything about {run.name}" if folded else "",
        blocks=(
            Text(text=network_sentence(run.config, f"the findings {listed(run.findings)}")),
            *cards.remarks(run),
        ),
        sections=(
            Section(title="Audit", blocks=tuple(finding_overview.audit_blocks(run))),
            *finding_robustness_sections(run),
            Section(title="Values", blocks=tuple(finding_values.means(run))),
            *(
                _set(run, name, pictures)
                for name, values in run.evaluation.sets.items()
                if values.kind != "train"
            ),
            *training(run),
            finding_overview.data_card(run),
            cards.settings(run),
        ),
    )


def _set(run: FindingResults, name: str, pictures: Pictures) -> Section:
    values = run.evaluation.sets[name]
    title = tables.heading(name, values, run.evaluation.unit)
    blocks = [*tables.shared(values), *finding_values.of_findings(run, values)]
    if values.kind == "val":
        return Section(title=title, blocks=tuple(blocks))
    if run.evaluation.aggregate is not None:
        blocks.append(tables.one_image_note(run.evaluation.unit))
    chosen = bool(run.evaluation.operating_points.chosen_on)
    curves = finding_values.finding_curve_charts(name, values)
    reliability = Section(
        title="Reliability",
        blocks=(Charts(charts=finding_values.reliability_charts(name, values)),),
        folded="A chart for each finding",
    )
    return Section(
        title=title,
        blocks=(
            *blocks,
            *([Charts(charts=curves)] if curves else []),
            *finding_values.groups(values, run.evaluation.units),
        ),
        sections=(
            *((reliability,) if values.reliability else ()),
            *finding_clinic_section(name, values.clinic, run.findings, chosen=chosen),
            *finding_subgroup_sections(name, values, run.evaluation.units),
            Section(title="Worst mistakes", blocks=tuple(mistakes(pictures, run, name))),
        ),
    )
