"""Summary, audit and data card of a page about runs with several findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_models._counts import counted
from cxr_models.evaluation.bootstrap import LEVEL
from cxr_models.report.blocks import Block, Section, Table, Text
from cxr_models.report.formatting import NONE, listed, value
from cxr_models.report.sections.overview import audit_command, rows_of, sources_command
from cxr_models.report.sections.values import _joined, _merged, shared_sentences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cxr_models.audit.findings_results import FindingReached
    from cxr_models.evaluation.finding_predictions import FindingPredictions
    from cxr_models.evaluation.findings_results import FindingsSet
    from cxr_models.report.read.finding_results import FindingResults

    Runs = Sequence[FindingResults]


def summary(runs: Runs) -> Section:
    """Return the section with the mean ROC-AUC of the runs and the limits of these values."""
    return Section(
        title="Summary",
        blocks=(
            *(Text(text=text, tone="verdict") for run in runs for text in verdict(run)),
            Text(
                text="Research software, not a medical device: nothing here is fit for diagnosis.",
                tone="note",
            ),
        ),
    )


def verdict(run: FindingResults) -> Iterator[str]:
    """Yield sentences on the mean ROC-AUC of a run, on shortcuts, and on other sources."""
    if run.test is None:
        yield f"Run {run.name} has no test set: what it reaches is unknown."
    else:
        images = rows_of(run, run.test)
        yield f"Run {run.name} reaches {_reached(run.test)} on its test set ({images}). " + (
            f"{run.audit.verdict[:1].upper()}{run.audit.verdict[1:]}."
            if run.audit is not None
            else "It was not audited: how much of this can be read from the source instead of the "
            f"lungs is unknown ({audit_command(run)})."
        )
    for name, values in run.externals.items():
        yield (
            f"On the set {name}, another source, run {run.name} reaches {_reached(values)} "
            f"({counted(values.images, run.evaluation.unit)})."
            + "".join(f" {text}." for text in shared_sentences(values))
        )
    if not run.externals:
        yield (
            f"Run {run.name} was not tested on images of another source, so what it reaches there "
            f"is unknown ({sources_command(run)})."
        )


def _reached(values: FindingsSet) -> str:
    means = values.means
    if not means.over:
        return "no mean over findings, for none has enough patients with it and without it,"
    left_out = f" ({listed(list(means.left_out))} left out)" if means.left_out else ""
    return (
        f"a mean ROC-AUC of {value(means.roc_auc)} over "
        f"{counted(len(means.over), 'finding')}{left_out}"
    )


def side_by_side(runs: Runs) -> Section:
    """Return a section with a table of the means of each run on its test set and other sources."""
    externals = sorted({name for run in runs for name in run.externals})

    def mean(values: FindingsSet | None) -> str:
        return NONE if values is None else value(values.means.roc_auc)

    rows = [
        (
            run.name,
            f"{len(run.findings)}",
            mean(run.test),
            NONE if run.test is None else value(run.test.means.pr_auc),
            *(mean(run.externals.get(name)) for name in externals),
        )
        for run in runs
    ]
    table = Table(
        caption="Means over findings of each run, and on other sources",
        head=(
            "run",
            "findings",
            "test: mean ROC-AUC",
            "test: mean PR-AUC",
            *(f"{name}, another source: mean ROC-AUC" for name in externals),
        ),
        rows=tuple(rows),
        notes=(f"{100 * LEVEL:g} % intervals. A dash: not evaluated.",),
    )
    blocks: list[Block] = [table]
    if len({run.facts.split_sha256 for run in runs if run.facts is not None}) > 1:
        blocks.append(
            Text(
                text="The runs were trained and tested on different splits: their values must not "
                "be compared.",
                tone="note",
            )
        )
    return Section(title="Side by side", blocks=tuple(blocks))


def audit_blocks(run: FindingResults) -> list[Block]:
    """Return the verdict of the audit and a table of the ROC-AUC values of shortcut models.

    For a run without an audit, return a note that there is no audit.
    """
    audit = run.audit
    if audit is None:
        return [
            Text(
                text="The run was not audited, or not on this split: what models reach that see no "
                f"lungs is unknown. {audit_command(run)} keeps its result for this page.",
                tone="note",
            )
        ]
    shown = {name: shortcuts.titled() for name, shortcuts in audit.findings.items()}
    undefined = _undefined_for_all(shown)
    titles = list(dict.fromkeys(title for models in shown.values() for title, _ in models))
    titles = [title for title in titles if title not in undefined]
    rows = []
    notes = [f"{title}: undefined for every finding, {why}." for title, why in undefined.items()]
    for name, models in shown.items():
        reached = dict(models)
        rows.append(
            (
                name,
                *(value(reached[t].roc_auc) if t in reached else NONE for t in titles),
            )
        )
        areas = ((title, reached[title].roc_auc) for title in titles if title in reached)
        notes += _merged(f"{name}, ", areas)
    if "the run, border blanked" in titles:
        notes.append("A blanked region is replaced by the image's mean before any other step.")
    return [
        Text(text=f"{audit.verdict[:1].upper()}{audit.verdict[1:]}.", tone="verdict"),
        Table(
            caption="ROC-AUC of models that see no lungs, or hardly, on the same known test images",
            head=("finding", *titles),
            rows=tuple(rows),
            notes=_joined(notes),
        ),
    ]


def _undefined_for_all(
    shown: Mapping[str, tuple[tuple[str, FindingReached], ...]],
) -> dict[str, str]:
    """Return the models whose ROC-AUC is undefined for every finding, with their common reason."""
    reasons: dict[str, set[str | None]] = {}
    for models in shown.values():
        for title, reached in models:
            area = reached.roc_auc
            why = (area.reason or None) if area.value is None else None
            reasons.setdefault(title, set()).add(why)
    return {
        title: why
        for title, of_title in reasons.items()
        if len(of_title) == 1 and (why := next(iter(of_title))) is not None
    }


def data_card(run: FindingResults) -> Section:
    """Return a section with the counts of images and patients of each finding.

    The counts are images with the finding, patients with it, images without it, and images of
    unknown label. The section also states the hash and the seed of the split.
    """
    rows = [
        (finding, *(_counts(predictions, k) for predictions in run.sets.values()))
        for k, finding in enumerate(run.findings)
    ]
    everyone = (
        f"{len(predictions.targets):,} ({len(np.unique(predictions.patients)):,})"
        for predictions in run.sets.values()
    )
    units = run.evaluation.units
    split = [("hash of the records (SHA-256)", run.split_sha256)]
    if run.facts is not None:
        seed = run.facts.split_seed
        split = [
            ("hash of the split (SHA-256)", run.facts.split_sha256),
            ("seed of the split", NONE if seed is None else str(seed)),
        ]
    return Section(
        title="Data card",
        blocks=(
            Table(
                caption=f"{units.capitalize()} with a finding, without it, and of unknown label, "
                "in each part",
                head=("finding", *run.sets),
                rows=(*rows, (f"all {units} (patients)", *everyone)),
                notes=(
                    f"Each cell: {units} with the finding (patients with it), {units} without it, "
                    f"{units} of unknown label. {units.capitalize()} tied by patient or by "
                    "duplicates count as one patient.",
                    *_uncertain(run),
                ),
            ),
            Table(
                caption="Split",
                head=("property", "value"),
                rows=tuple(split),
                words=True,
            ),
        ),
    )


def _uncertain(run: FindingResults) -> tuple[str, ...]:
    if run.config is None:
        return ()
    trained = run.config.model.uncertain
    if trained == "unknown":
        return ("Labels that the records call uncertain count as unknown.",)
    return (
        "Labels that the records call uncertain count as unknown here. In training they counted as "
        f"{trained}.",
    )


def _counts(predictions: FindingPredictions, k: int) -> str:
    targets = predictions.targets[:, k]
    patients = len(np.unique(predictions.patients[targets == 1]))
    present, absent, unknown = (int((targets == target).sum()) for target in (1, 0, -1))
    return f"{present:,} ({patients:,}), {absent:,}, {unknown:,}"
