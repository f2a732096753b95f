"""Pages about runs with classes: their sections and the order of the sections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models._counts import counted
from cxr_models._outputs import Kind
from cxr_models.backbones import backbone_title
from cxr_models.report.blocks import Block, Charts, Page, Section, Text
from cxr_models.report.sections import cards, overview
from cxr_models.report.sections import values as tables
from cxr_models.report.sections.charts import set_charts, training_charts
from cxr_models.report.sections.clinic import clinic_section
from cxr_models.report.sections.robustness import robustness_sections
from cxr_models.report.sections.study import study_table
from cxr_models.report.sections.subgroups import subgroup_sections

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cxr_models.config import RunConfig
    from cxr_models.report.images.pictures import Pictures
    from cxr_models.report.read.finding_results import AnyResults
    from cxr_models.report.read.results import Results

_TITLE = "Report on"


def page_of(runs: Sequence[Results], pictures: Pictures, compared: Section | None = None) -> Page:
    """Build the page about one run or several runs with classes.

    Parameters
    ----------
    runs : sequence of Results
        Results of the runs; at least one.
    pictures : Pictures
        Builder of the galleries of images.
    compared : Section, optional
        The result of `cxr_models.report.sections.comparison.comparison_section`. A caller that
        builds a page several times computes this section once. None leaves the section out.
    """
    study = study_table(runs)
    return Page(
        title=title_of([run.name for run in runs]),
        sections=(
            overview.summary(runs),
            *([study] if study is not None else []),
            overview.side_by_side(runs),
            *([compared] if compared is not None else []),
            *(_run(run, pictures, folded=len(runs) >= overview.MANY) for run in runs),
            cards.model_card(runs),
        ),
    )


def title_of(names: Sequence[str]) -> str:
    """Return the title of the page about the runs with these names."""
    return f"{_TITLE} {names[0]}" if len(names) == 1 else f"{_TITLE} {len(names)} runs"


def _run(run: Results, pictures: Pictures, *, folded: bool) -> Section:
    return Section(
        title=f"Run {run.name}",
        folded=f"Everything about {run.name}" if folded else "",
        blocks=(
            Text(text=network_sentence(run.config, " or ".join(run.class_names))),
            *cards.remarks(run),
        ),
        sections=(
            Section(title="Audit", blocks=tuple(cards.audit_blocks(run))),
            *robustness_sections(run),
            Section(title="Values", blocks=tuple(tables.overall(run))),
            *(
                _set(run, name, pictures)
                for name, values in run.evaluation.sets.items()
                if values.kind != "train"
            ),
            *training(run),
            cards.data_card(run),
            cards.settings(run),
        ),
    )


def network_sentence(config: RunConfig | None, outputs: str) -> str:
    """Return a sentence about the network of a run, its outputs and its images.

    `outputs` names the classes or findings that the network predicts.
    """
    if config is None:
        return f"A third-party model: no settings known; {outputs}."
    return (
        f"{backbone_title(config.model.backbone)}, {outputs}, images {overview.arm(config)}, "
        f"{config.data.image_size[0]} x {config.data.image_size[1]} pixels, recipe "
        f"{config.training.recipe}."
    )


def training(run: AnyResults) -> list[Section]:
    """Return a list of the section with the curves of the training.

    The list is empty for a third-party model, whose training is unknown.
    """
    if run.config is None:
        return []
    charts = training_charts(run.history)
    block: Block = Charts(charts=charts) if charts else Text(text="No epoch was trained.")
    blocks: list[Block] = [block]
    if charts and run.config.model.task == "multilabel":
        text = (
            "Means over the known labels of an epoch, losses without positive weights. Accuracy is "
            "the share of these labels on the right side of 0.5; weights are kept by the loss."
        )
        blocks.append(Text(text=text, tone="note"))
    return [Section(title=f"Training, {counted(len(run.history), 'epoch')}", blocks=tuple(blocks))]


def _set(run: Results, name: str, pictures: Pictures) -> Section:
    evaluation = run.evaluation.sets[name]
    blocks = [*tables.shared(evaluation), *tables.of_classes(run, evaluation)]
    title = tables.heading(name, evaluation, run.evaluation.unit)
    if evaluation.kind == "val":
        return Section(title=title, blocks=tuple(blocks))
    if run.evaluation.aggregate is not None:
        blocks.append(tables.one_image_note(run.evaluation.unit))
    chosen = bool(run.evaluation.operating_points.chosen_on)
    sections = clinic_section(name, evaluation.clinic, chosen=chosen)
    sections += subgroup_sections(name, evaluation, run.evaluation.units)
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
