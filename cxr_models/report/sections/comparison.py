"""Section that compares and pools the runs of a page with classes.

Runs with the same classes and test images are compared. Runs with equal settings and different test
images are pooled. A sentence names each run that can be neither compared nor pooled.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from cxr_models._counts import counted
from cxr_models.evaluation.bootstrap import LEVEL
from cxr_models.evaluation.comparable_sets import at_root
from cxr_models.evaluation.compare_runs import compare_pairs, differing, pool
from cxr_models.evaluation.shared_patients import with_shared_patients
from cxr_models.report.blocks import Block, Section, Table, Text
from cxr_models.report.formatting import NONE, listed, number, p_value, signed, value
from cxr_models.report.sections.run_groups import (
    find_pools,
    grouped,
    images_key,
    method_of,
    named_settings,
    settings_key,
    test_images_key,
    why_alone,
)
from cxr_models.report.sections.seeds import seed_tables
from cxr_models.report.sections.values import class_table, confusion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cxr_models.evaluation.compare_runs import Poolable
    from cxr_models.evaluation.comparisons import AreaDifference, Comparison
    from cxr_models.evaluation.results import Interval, Measured
    from cxr_models.report.read.finding_results import AnyResults
    from cxr_models.report.read.results import Results

    Runs = Sequence[Results]

# Up to 6 runs are compared in all pairs. More runs are compared only with the first run: 12 runs
# then make 11 pairs instead of 66.
MOST_IN_PAIRS = 6


def comparison_section(runs: Runs) -> Section | None:
    """Return the section that compares and pools runs; None for a single run.

    The section also names the runs that can be neither compared nor pooled.

    Parameters
    ----------
    runs : sequence of Results
        Results of all runs of the page.
    """
    if len(runs) < 2:
        return None
    groups = grouped(runs, test_images_key)
    compared = [
        group for group in groups if len(group) > 1 and test_images_key(group[0]) is not None
    ]
    pools = list(find_pools(runs))
    used = {run.name for group in compared for run in group}
    used |= {run.name for pool in pools if pool.poolable for run in pool.runs}
    alone = [run for run in runs if run.name not in used]
    blocks = [
        *(Text(text=f"Not compared: {why_alone(run, runs)}.") for run in alone),
        *(Text(text=_not_pooled(pool.runs)) for pool in pools if not pool.poolable),
    ]
    if len(compared) > 1:
        text = (
            f"Runs are compared within {len(compared)} groups: runs of two groups have different "
            "classes, or were tested on different images."
        )
        blocks.insert(0, Text(text=text))
    return Section(
        title="Compared with each other",
        blocks=tuple(blocks),
        sections=(
            *map(_comparison, compared),
            *(_pooled(pool.runs, pool.poolable) for pool in pools if pool.poolable),
        ),
    )


# --- Compared ------------------------------------------------------------------------------------


def _comparison(runs: Runs) -> Section:
    first, names = runs[0], [run.name for run in runs]
    images = counted(len(first.sets["test"].manifest.records), first.evaluation.unit)
    pairs = list(itertools.combinations(names, 2))
    in_pairs = "" if len(names) == 2 else " in pairs, each run with each"
    text = f"{listed(names)} are compared{in_pairs}."
    if len(names) > MOST_IN_PAIRS:
        pairs = [(name, names[0]) for name in names[1:]]
        text = (
            f"{listed(names[1:])} are compared with {names[0]}, the first run that was named: all "
            "pairs of so many runs would fill the page."
        )
    blocks: list[Block] = [
        differing_settings(runs),
        Text(text=text),
        *_spread(runs),
        *seed_tables(runs, settings_key, images_key),
    ]
    for name in dict.fromkeys(name for run in runs for name in run.tested):
        blocks += _compared_on(name, runs, pairs)
    if len({run.facts.split_sha256 for run in runs if run.facts is not None}) > 1:
        text = "The runs were tested on the same images, but are of different splits."
        blocks.append(Text(text=text, tone="note"))
    blocks.append(
        Text(
            text="Intervals come from the bootstrap over patients, with the same draws for both "
            "runs. McNemar's exact test and DeLong's test, as Obuchowski extended it, take "
            "patients as the unit too. Holm's p allows for all tests of its table; each interval "
            "is for one difference alone. Intervals and tests show the chance of the images, not "
            "that of training: another seed gives another run.",
            tone="note",
        )
    )
    title = f"{len(runs)} runs, {listed(first.class_names)}, {images} of test"
    return Section(title=title, blocks=tuple(blocks))


def differing_settings(runs: Sequence[AnyResults]) -> Block:
    """Return a table of the settings in which runs differ, which can explain different values.

    If no setting differs, or if settings are unknown, return a sentence instead.
    """
    by_run = {run.name: named_settings(run) for run in runs}
    configs = {name: config for name, config in by_run.items() if config is not None}
    if len(configs) < len(runs):
        return _settings_unknown(runs)
    settings = differing(configs)
    rows = [
        (name, *(NONE if values[run.name] is None else str(values[run.name]) for run in runs))
        for name, values in settings.items()
    ]
    splits = [run.split_sha256[:8] for run in runs]
    if len(set(splits)) > 1:
        rows.append(("split", *splits))
    if not rows:
        return Text(text="The runs have equal settings and one split: they differ by chance alone.")
    return Table(
        caption="Settings in which the runs differ",
        head=("setting", *(run.name for run in runs)),
        rows=tuple(rows),
        notes=("All other settings are equal.",),
        words=True,
    )


def _settings_unknown(runs: Sequence[AnyResults]) -> Block:
    """Return a sentence that names the third-party models, whose settings are unknown."""
    others = [run.name for run in runs if run.config is None]
    return Text(text=f"Third-party models, whose settings are not known: {listed(others)}.")


def _compared_on(name: str, runs: Runs, pairs: Sequence[tuple[str, str]]) -> Iterator[Block]:
    """Yield the comparisons of runs on the set `name`.

    Runs are compared if their sets have the same images.
    """
    runs_with_set = [run for run in runs if name in run.tested]
    groups = grouped(runs_with_set, lambda run: images_key(run.sets[name]))
    for group in groups:
        sets_by_run = {
            run.name: [at_root(run.sets[name], group[0].sets[name].manifest.root)] for run in group
        }
        pairs_of_group = [
            pair for pair in pairs if pair[0] in sets_by_run and pair[1] in sets_by_run
        ]
        if pairs_of_group and images_key(group[0].sets[name]) is not None:
            sets = {run: one for run, (one,) in with_shared_patients(sets_by_run).items()}
            temperatures = {run.name: run.evaluation.calibration.temperature for run in group}
            compared = compare_pairs(
                sets, pairs_of_group, method_of(group), temperatures=temperatures
            )
            yield from _tables(name, compared, group[0])
    if len(groups) > 1:
        text = f"Runs whose sets named {name} hold different images are not compared on that set."
        yield Text(text=text, tone="note")


def _tables(name: str, comparisons: Sequence[Comparison], run: Results) -> Iterator[Block]:
    images = counted(comparisons[0].images, run.evaluation.unit)
    yield Text(text=f"On {name}, {images}: {_clear_differences(comparisons)}.")
    differences: list[tuple[str, Measured]] = []
    for pair in comparisons:
        differences.append(("accuracy", pair.accuracy))
        differences.append(("balanced accuracy", pair.balanced_accuracy))
    adjusted = ("Holm's p",) if comparisons[0].mcnemar.p_holm is not None else ()
    yield Table(
        caption=f"Accuracy on {name}: differences",
        head=(
            "first less second",
            "accuracy",
            "balanced accuracy",
            "right: first alone",
            "right: second alone",
            "McNemar's p",
            *adjusted,
        ),
        rows=tuple(
            (
                f"{pair.first} less {pair.second}",
                signed(pair.accuracy.value, pair.accuracy.interval),
                signed(pair.balanced_accuracy.value, pair.balanced_accuracy.interval),
                f"{pair.mcnemar.only_first:,}",
                f"{pair.mcnemar.only_second:,}",
                p_value(pair.mcnemar.p_value),
                *([p_value(pair.mcnemar.p_holm)] if adjusted else []),
            )
            for pair in comparisons
        ),
        notes=_reasons(differences),
    )
    # Both classes of a binary task have the same ROC-AUC.
    classes = run.class_names[1:] if len(run.class_names) == 2 else run.class_names
    yield Table(
        caption=f"ROC-AUC on {name}: differences",
        head=("first less second", *(f"{label}; DeLong's p" for label in classes)),
        rows=tuple(
            (
                f"{pair.first} less {pair.second}",
                *(_area(pair.roc_auc[label]) for label in classes),
            )
            for pair in comparisons
        ),
        notes=_reasons((label, pair.roc_auc[label]) for pair in comparisons for label in classes),
    )


def _area(area: AreaDifference) -> str:
    if area.difference is None:
        return NONE
    p = p_value(area.p_value)
    if area.p_holm is not None:
        p += f" (Holm {p_value(area.p_holm)})"
    return f"{signed(area.difference, area.interval)}; {p}"


def _spread(runs: Runs) -> Iterator[Block]:
    """Yield a table of the mean and the range of accuracy of runs that differ only in seed."""
    kinds = [kind for kind in grouped(runs, settings_key) if len(kind) > 1]
    if not kinds:
        return
    names = list(dict.fromkeys(name for run in runs for name in run.tested))
    rows = []
    for kind in kinds:
        cells = []
        for name in names:
            sets = [run.tested[name] for run in kind if name in run.tested]
            accuracies = [values.overall.accuracy.value or 0.0 for values in sets]
            cells.append(_mean_and_ends(accuracies) if len(accuracies) > 1 else NONE)
        rows.append((", ".join(run.name for run in kind), *cells))
    yield Table(
        caption="Runs of equal settings but for the seed: mean accuracy (lowest to highest)",
        head=("runs", *names),
        rows=tuple(rows),
        notes=(
            "Runs differ so much by the chance of training alone: a difference between other runs "
            "that is no larger may be chance too.",
        ),
    )


def _mean_and_ends(values: Sequence[float]) -> str:
    return f"{number(float(np.mean(values)))} ({number(min(values))} to {number(max(values))})"


def _clear_differences(comparisons: Sequence[Comparison]) -> str:
    """Return a clause on the number of accuracy differences whose interval excludes 0."""
    clear = sum(_leaves_out_0(pair.accuracy.interval) for pair in comparisons)
    if len(comparisons) == 1:
        return f"the interval of the difference of accuracy {'leaves out' if clear else 'holds'} 0"
    return (
        f"{clear} of {len(comparisons)} differences of accuracy have an interval that leaves out "
        f"0; were all runs equal, chance would make about {(1 - LEVEL) * len(comparisons):.1g}"
    )


def _leaves_out_0(interval: Interval | None) -> bool:
    return interval is not None and not interval[0] <= 0.0 <= interval[1]


def _reasons(cells: Iterable[tuple[str, Measured | AreaDifference]]) -> tuple[str, ...]:
    """Return notes on cells without a value, an interval or a test, or with few patients.

    Cells with the same name and reason share a note, which states their number.
    """
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for name, cell in cells:
        if cell.reason or cell.remark:
            counts[name, cell.reason or f"read with care, {cell.remark}"] += 1
    return tuple(
        f"{name}, {counted(count, 'row')}: {reason}." for (name, reason), count in counts.items()
    )


# --- Pooled --------------------------------------------------------------------------------------


def _not_pooled(runs: Runs) -> str:
    names = listed([run.name for run in runs])
    return f"Not pooled: {names}, whose test sets share images, but not all."


def _pooled(runs: Runs, poolable: Poolable) -> Section:
    pooled = pool(poolable, method_of(runs))
    images = "on the sources it left out" if poolable.of else "on its own test images"
    unit, units = runs[0].evaluation.unit, runs[0].evaluation.units
    drawn = "patients, tied ones once" if unit == "patient" else "patients"
    sizes = [(name, run.images, run.patients, run) for name, run in pooled.runs.items()]
    tables = (
        Table(
            caption=f"Each run {images}, and all runs together",
            head=("run", units, drawn, "accuracy", "balanced accuracy"),
            rows=tuple(
                (
                    name,
                    f"{num_images:,}",
                    f"{num_patients:,}",
                    value(overall.accuracy),
                    value(overall.balanced_accuracy),
                )
                for name, num_images, num_patients, overall in (
                    *sizes,
                    ("all", pooled.images, pooled.patients, pooled.overall),
                )
            ),
        ),
        Table(
            caption="Pooled: overall values",
            head=("value", "pooled"),
            rows=tuple((title, value(measured)) for title, measured in pooled.overall.titled()),
        ),
        dataclasses.replace(
            class_table("Pooled: each class against the rest", pooled.classes, units),
            notes=_reasons(
                (f"{title} of {name}", measured)
                for name, of_class in pooled.classes.items()
                for title, measured in of_class.titled()
            ),
        ),
        dataclasses.replace(
            confusion(pooled.confusion, runs[0].class_names),
            caption=f"Pooled confusion: {units} (share of the true class)",
        ),
    )
    text = (
        "were tested on different images. Below, these images are one set, each image predicted "
        "by the run that was tested on it"
    )
    if poolable.of:
        text = (
            "left different sources out of training. The runs were tested on images of known "
            "sources too; below, the images of left-out sources alone are one set, each image "
            "predicted by the run that left its source out"
        )
    text = (
        f"{listed([run.name for run in runs])} have equal settings and {text}, with logits divided "
        "by that run's own temperature."
    )
    title = f"{len(runs)} runs pooled, {counted(pooled.images, unit)}"
    return Section(title=title, blocks=(Text(text=text), *tables))
