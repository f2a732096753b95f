"""Build a page from results: its sections and their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models._outputs import Kind
from cxr_models.backbones import backbone_title
from cxr_models.report.blocks import Block, Charts, Page, Section, Text
from cxr_models.report.formatting import counted
from cxr_models.report.sections import cards, overview
from cxr_models.report.sections import values as tables
from cxr_models.report.sections.charts import set_charts, training_charts
from cxr_models.report.sections.clinic import clinic_section
from cxr_models.report.sections.study import study_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cxr_models.report.images.pictures import Pictures
    from cxr_models.report.read.results import Results

_TITLE = "Report on"


def page_of(runs: Sequence[Results], pictures: Pictures, compared: Section | None = None) -> Page:
    """Build the report of one run or several.

    Parameters
    ----------
    runs : sequence of Results
        At least one.
    pictures : Pictures
        Makes the galleries.
    compared : Section, optional
        The section that `cxr_models.report.sections.together.together` returns. A caller that
        builds a page several times computes this section once.
    """
    study = study_table(runs)
    title = f"{_TITLE} {runs[0].name}" if len(runs) == 1 else f"{_TITLE} {len(runs)} runs"
    return Page(
        title=title,
        sections=(
            overview.summary(runs),
            *([study] if study is not None else []),
            overview.side_by_side(runs),
            *([compared] if compared is not None else []),
            *(_run(run, pictures, folded=len(runs) >= overview.MANY) for run in runs),
            cards.model_card(),
        ),
    )


def _run(run: Results, pictures: Pictures, *, folded: bool) -> Section:
    model, data = run.config.model, run.config.data
    text = (
        f"{backbone_title(model.backbone)}, {' or '.join(run.class_names)}, images "
        f"{overview.arm(run)}, {data.image_size[0]} x {data.image_size[1]} pixels, recipe "
        f"{run.config.training.recipe}."
    )
    charts = training_charts(run.history)
    training: Block = Charts(charts=charts) if charts else Text(text="No epoch was trained.")
    return Section(
        title=f"Run {run.name}",
        folded=f"Everything about {run.name}" if folded else "",
        blocks=(Text(text=text),),
        sections=(
            Section(title="Audit", blocks=tuple(cards.audit_blocks(run))),
            Section(title="Values", blocks=tuple(tables.overall(run))),
            *(
                _set(run, name, pictures)
                for name, values in run.evaluation.sets.items()
                if values.kind != "train"
            ),
            Section(
                title=f"Training, {counted(len(run.history), 'epoch')}",
                blocks=(training,),
            ),
            cards.data_card(run),
            cards.settings(run),
        ),
    )


def _set(run: Results, name: str, pictures: Pictures) -> Section:
    evaluation = run.evaluation.sets[name]
    blocks = [*tables.shared(evaluation), *tables.of_classes(run, evaluation)]
    title = tables.heading(name, evaluation, run.evaluation.unit)
    if evaluation.kind == "val":
        return Section(title=title, blocks=tuple(blocks))
    if run.evaluation.aggregate is not None:
        text = f"Of each {run.evaluation.unit} one image stands below, that whose name comes first."
        blocks.append(Text(text=text, tone="note"))
    sections = clinic_section(name, evaluation.clinic)
    sections.append(Section(title="Worst mistakes", blocks=tuple(pictures.mistakes(run, name))))
    if evaluation.kind == "test":
        samples = tuple(pictures.samples(run, name))
        sections.append(Section(title="Sample predictions", blocks=samples))
    means = pictures.means(run, name)
    if means:
        sections.append(Section(title="Where the network looks", blocks=tuple(means)))
    return Section(
        title=title,
        blocks=(
            *blocks,
            Charts(charts=set_charts(name, evaluation)),
            *tables.groups(evaluation, run.class_names, run.evaluation.units),
        ),
        sections=tuple(sections),
    )


def _is_html(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    parts = (f"<title>{_TITLE} ", "Content-Security-Policy", f">{cards.MODEL_CARD}<")
    return all(part in text for part in parts)


def _is_markdown(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    return text.startswith(f"# {_TITLE} ") and f"\n## {cards.MODEL_CARD}\n" in text


PAGES = {
    ".html": Kind("a page that cxr-models report wrote", _is_html),
    ".md": Kind("a page that cxr-models report wrote", _is_markdown),
}
