"""Section that compares and pools the runs of a page with several findings.

Runs with the same findings and test images are compared. Runs with equal settings whose test sets
have no image in common, such as runs of folds, are pooled.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from pathlib import PurePath
from typing import TYPE_CHECKING

from cxr_models._counts import counted
from cxr_models.evaluation.compare_findings import compare_finding_pairs, pool_findings
from cxr_models.evaluation.shared_patients import with_shared_patients
from cxr_models.report.blocks import Block, Section, Table, Text
from cxr_models.report.formatting import NONE, listed, p_value, signed, value
from cxr_models.report.sections.comparison import MOST_IN_PAIRS, differing_settings
from cxr_models.report.sections.finding_values import left_out
from cxr_models.report.sections.run_groups import grouped, method_of, named_settings
from cxr_models.report.sections.seeds import seed_tables

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from cxr_models.evaluation.finding_predictions import FindingPredictions
    from cxr_models.evaluation.findings_results import FindingsComparison
    from cxr_models.report.read.finding_results import FindingResults

    Runs = Sequence[FindingResults]


def finding_comparison_section(runs: Runs) -> Section | None:
    """Return the section that compares and pools runs; None for a single run.

    The section also names the runs that can be neither compared nor pooled.

    Parameters
    ----------
    runs : sequence of FindingResults
        Results of all runs of the page.
    """
    if len(runs) < 2:
        return None
    groups = grouped(runs, _tested)
    compared = [group for group in groups if len(group) > 1 and _tested(group[0]) is not None]
    pools = _pools(runs)
    used = {run.name for group in (*compared, *pools) for run in group}
    alone = [run.name for run in runs if run.name not in used]
    why = "no other run here has the same findings and was tested on the same images and labels"
    blocks = [Text(text=f"Not compared: {listed(alone)}; {why}.")] if alone else []
    return Section(
        title="Compared with each other",
        blocks=tuple(blocks),
        sections=(*map(_comparison, compared), *map(_pooled, pools)),
    )


def _pools(runs: Runs) -> list[list[FindingResults]]:
    """Return groups of runs with equal settings whose test sets have no image in common.

    The seeds of a group may differ.
    """
    groups = grouped([run for run in runs if run.test is not None], _kind)
    return [group for group in groups if len(group) > 1 and _disjoint(group)]


def _kind(run: FindingResults) -> tuple[Hashable, ...]:
    """Return a key of the findings and settings of a run, without `cache_dir` and the seed.

    A third-party model has unknown settings, so its key contains its name and equals the key of no
    other run.
    """
    config = named_settings(run)
    if config is None:
        return run.findings, run.name
    data = dataclasses.replace(config.data, cache_dir=None)
    training = dataclasses.replace(config.training, seed=0)
    return run.findings, dataclasses.replace(config, data=data, training=training)


def _disjoint(runs: Runs) -> bool:
    files = [
        tuple(part for part in PurePath(record.file).parts if part not in ("..", "."))
        for run in runs
        for record in run.sets["test"].manifest.records
    ]
    return len(set(files)) == len(files)


def _pooled(runs: Runs) -> Section:
    pooled = pool_findings({run.name: list(run.sets.values()) for run in runs}, method_of(runs))
    groups = (*pooled.runs.items(), ("all", pooled))
    mean = (
        f"mean of {counted(len(pooled.means.over), 'finding')}",
        value(pooled.means.roc_auc),
        value(pooled.means.pr_auc),
        value(pooled.means.brier),
        *(NONE,) * 2,
    )
    unit, units = runs[0].evaluation.unit, runs[0].evaluation.units
    drawn = "patients, tied ones once" if unit == "patient" else "patients"
    return Section(
        title=f"{len(runs)} runs pooled, {counted(pooled.images, unit)}",
        blocks=(
            Text(
                text=f"{listed([run.name for run in runs])} have equal settings and were tested on "
                "different images. Below, these images are one set, each image predicted by the "
                "run that was tested on it, with logits divided by that run's own temperatures."
            ),
            Table(
                caption="Each run on its own test images, and all runs together",
                head=("run", units, drawn, "mean ROC-AUC", "mean PR-AUC"),
                rows=tuple(
                    (
                        name,
                        f"{group.images:,}",
                        f"{group.patients:,}",
                        value(group.means.roc_auc),
                        value(group.means.pr_auc),
                    )
                    for name, group in groups
                ),
                notes=tuple(n for name, group in groups for n in left_out(name, group.means)),
            ),
            Table(
                caption="Pooled: each finding, over the images whose label for it is known",
                head=("finding", "ROC-AUC", "PR-AUC", "Brier score", f"{units} known", "with it"),
                rows=(
                    *(
                        (
                            finding,
                            value(of.roc_auc),
                            value(of.pr_auc),
                            value(of.brier),
                            f"{of.images:,}",
                            f"{of.present:,}",
                        )
                        for finding, of in pooled.findings.items()
                    ),
                    mean,
                ),
            ),
        ),
    )


def _tested(run: FindingResults) -> tuple[Hashable, ...] | None:
    """Return a key of the findings, test images and labels; runs with equal keys are compared.

    The key is None for a run without a test set, or if its test set contains a file twice.
    """
    images = None if run.test is None else images_key(run.sets["test"])
    return None if images is None else (tuple(sorted(run.findings)), images)


def images_key(predictions: FindingPredictions) -> Hashable:
    """Return a key of the files and labels of a set; None if a file occurs twice.

    The key does not depend on the folder of the files, nor on the order of files and findings. It
    does not depend on patient ids either, because a third-party table may lack some of them; the
    comparison takes patients from all compared tables.
    """
    predictions = predictions.in_order(sorted(predictions.findings))
    records, targets = predictions.manifest.records, predictions.targets.tolist()
    images = [(record.file, *labels) for record, labels in zip(records, targets, strict=True)]
    return frozenset(images) if len({image[0] for image in images}) == len(images) else None


def _comparison(runs: Runs) -> Section:
    names = [run.name for run in runs]
    pairs = list(itertools.combinations(names, 2))
    text = f"{listed(names)} are compared{'' if len(names) == 2 else ', each run with each'}."
    if len(names) > MOST_IN_PAIRS:
        pairs = [(name, names[0]) for name in names[1:]]
        text = f"{listed(names[1:])} are compared with {names[0]}, the first run that was named."
    blocks: list[Block] = [
        differing_settings(runs),
        Text(text=text),
        *seed_tables(runs, _kind, images_key),
    ]
    for name in dict.fromkeys(name for run in runs for name in run.tested):
        blocks += _compared_on(name, runs, pairs)
    blocks.append(
        Text(
            text="Intervals come from the bootstrap over patients, with the same draws for both "
            "runs. DeLong's test, as Obuchowski extended it, takes patients as the unit too; its "
            "p-values are adjusted by Holm's method for all findings of all pairs on a set. "
            "Intervals and tests show the chance of the images, not that of training: another seed "
            "gives another run.",
            tone="note",
        )
    )
    images = counted(len(runs[0].sets["test"].targets), runs[0].evaluation.unit)
    title = f"{len(runs)} runs, {counted(len(runs[0].findings), 'finding')}, {images} of test"
    return Section(title=title, blocks=tuple(blocks))


def _compared_on(name: str, runs: Runs, pairs: Sequence[tuple[str, str]]) -> Iterator[Block]:
    """Yield the comparisons of runs on the set `name`.

    Runs are compared if their sets have the same images and labels.
    """
    having = [run for run in runs if name in run.tested]
    groups = grouped(having, lambda run: images_key(run.sets[name]))
    for group in groups:
        sets_by_run = {
            run.name: [_with_root_and_order_of(run.sets[name], group[0].sets[name])]
            for run in group
        }
        pairs_of_group = [
            pair for pair in pairs if pair[0] in sets_by_run and pair[1] in sets_by_run
        ]
        if pairs_of_group and images_key(group[0].sets[name]) is not None:
            sets = {run: one for run, (one,) in with_shared_patients(sets_by_run).items()}
            temperatures = {
                run.name: tuple(run.evaluation.temperatures[f] for f in group[0].findings)
                for run in group
            }
            yield from (
                _table(name, comparison, group[0].evaluation.units)
                for comparison in compare_finding_pairs(
                    sets, pairs_of_group, temperatures, method_of(group)
                )
            )
    if len(groups) > 1:
        text = f"Runs whose sets named {name} hold different images are not compared on that set."
        yield Text(text=text, tone="note")


def _with_root_and_order_of(
    predictions: FindingPredictions, first: FindingPredictions
) -> FindingPredictions:
    """Return predictions with the root folder and the order of findings of `first`.

    Both have the same records.
    """
    manifest = dataclasses.replace(predictions.manifest, root=first.manifest.root)
    return dataclasses.replace(predictions, manifest=manifest).in_order(first.findings)


def _table(name: str, pair: FindingsComparison, units: str) -> Table:
    mean = (
        f"mean of {counted(len(pair.over), 'finding')}",
        signed(pair.mean_roc_auc.value, pair.mean_roc_auc.interval),
        NONE,
        NONE,
        signed(pair.mean_pr_auc.value, pair.mean_pr_auc.interval),
        signed(pair.mean_brier.value, pair.mean_brier.interval),
        NONE,
    )
    untested: dict[str, list[str]] = defaultdict(list)
    for finding, of in pair.findings.items():
        if of.reason or of.remark:
            untested[of.reason or f"read with care, {of.remark}"].append(finding)
    return Table(
        caption=f"{pair.first} less {pair.second}, on {name}",
        head=(
            "finding",
            "ROC-AUC",
            "DeLong's p",
            "p by Holm",
            "PR-AUC",
            "Brier score, calibrated",
            f"{units} known",
        ),
        rows=(
            *(
                (
                    finding,
                    signed(of.difference, of.interval),
                    p_value(of.p_value),
                    p_value(of.p_holm),
                    signed(of.pr_auc.value, of.pr_auc.interval),
                    signed(of.brier.value, of.brier.interval),
                    f"{of.images:,}",
                )
                for finding, of in pair.findings.items()
            ),
            mean,
        ),
        notes=tuple(f"{listed(names)}: {reason}." for reason, names in untested.items()),
    )
