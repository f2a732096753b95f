"""Runs beside each other: compared where tested on the same images, pooled where on others.

What neither fits is said in a sentence.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from cxr_models.evaluation.compare_runs import compare_pairs, differing, pool
from cxr_models.evaluation.evaluate import Method
from cxr_models.report.blocks import Block, Section, Table, Text
from cxr_models.report.formatting import NONE, counted, listed, number, p_value, signed, value
from cxr_models.report.sections.belonging import (
    grouped,
    images_of,
    kind_of,
    pools,
    tested,
    why_alone,
)
from cxr_models.report.sections.values import CLASS_COLUMNS, confusion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cxr_models.evaluation.compare_runs import Poolable
    from cxr_models.evaluation.predictions import Predictions
    from cxr_models.report.read.results import Results

    Runs = Sequence[Results]

MOST_IN_PAIRS = 6  # of more runs each is compared with the first alone: 12 make 11 pairs, not 66
_POOLED = (
    ("accuracy", "accuracy"),
    ("balanced accuracy", "balanced_accuracy"),
    ("macro F1", "macro_f1"),
    ("macro ROC-AUC", "macro_roc_auc"),
    ("log loss", "log_loss"),
    ("calibration error", "ece"),
)


def together(runs: Runs) -> Section | None:
    """Compare and pool what can be compared and pooled, and say what cannot; None for one run.

    Parameters
    ----------
    runs : sequence of Results
        Those of a page.
    """
    if len(runs) < 2:
        return None
    groups = grouped(runs, tested)
    compared = [group for group in groups if len(group) > 1 and tested(group[0]) is not None]
    found = list(pools(runs))
    used = {run.name for group in compared for run in group}
    used |= {run.name for one in found if one.taken for run in one.runs}
    blocks = [
        *(Text(text=f"Not compared: {why_alone(run, runs)}.") for run in runs
          if run.name not in used),
        *(Text(text=_not_pooled(one.runs)) for one in found if not one.taken),
    ]  # fmt: skip
    if len(compared) > 1:
        text = (
            f"Compared are {len(compared)} groups of runs, each within itself: runs of two groups "
            "tell other classes apart, or were tested on other images."
        )
        blocks.insert(0, Text(text=text))
    return Section(
        title="Compared with each other",
        blocks=tuple(blocks),
        sections=(
            *map(_comparison, compared),
            *(_pooled(one.runs, one.taken) for one in found if one.taken),
        ),
    )


# --- Compared ------------------------------------------------------------------------------------


def _comparison(runs: Runs) -> Section:
    first, names = runs[0], [run.name for run in runs]
    images = counted(len(first.sets["test"].manifest.records), "image")
    pairs = list(itertools.combinations(names, 2))
    every_two = "" if len(names) == 2 else ", every two of them"
    text = f"{listed(names)} are compared{every_two}."
    if len(names) > MOST_IN_PAIRS:
        pairs = [(name, names[0]) for name in names[1:]]
        text = (
            f"{listed(names[1:])} are compared with {names[0]}, the first that was named: of so "
            "many, pairs would fill the page."
        )
    blocks: list[Block] = [_differences(runs), Text(text=text), *_spread(runs)]
    for name in dict.fromkeys(name for run in runs for name in run.judged):
        blocks += _compared_on(name, runs, pairs)
    if len({run.facts.get("split_sha256") for run in runs}) > 1:
        text = "They were tested on the same images, but are of different splits."
        blocks.append(Text(text=text, tone="note"))
    blocks.append(
        Text(
            text="Intervals come from the bootstrap over patients, the same draws for both; "
            "McNemar's exact test and DeLong's, as Obuchowski extended it, take patients as the "
            "unit too. All of them know the chance of the images, none that of training: another "
            "seed gives another run.",
            tone="note",
        )
    )
    title = f"{len(runs)} runs, {listed(list(first.class_names))}, {images} of test"
    return Section(title=title, blocks=tuple(blocks))


def _differences(runs: Runs) -> Block:
    """Show in what runs differ: what a difference of their values can come of."""
    found = differing({run.name: run.config for run in runs})
    rows = [
        (name, *(NONE if values[run.name] is None else str(values[run.name]) for run in runs))
        for name, values in found.items()
    ]
    splits = [str(run.facts.get("split_sha256", NONE))[:8] for run in runs]
    if len(set(splits)) > 1:
        rows.append(("split", *splits))
    if not rows:
        return Text(text="The runs have equal settings and one split: they differ by chance alone.")
    return Table(
        caption="In what the runs differ",
        head=("setting", *(run.name for run in runs)),
        rows=tuple(rows),
        notes=("All other settings are equal.",),
        words=True,
    )


def _compared_on(name: str, runs: Runs, pairs: Sequence[tuple[str, str]]) -> Iterator[Block]:
    """Compare runs on a set that at least two of them have with the same images."""
    having = [run for run in runs if name in run.judged]
    groups = grouped(having, lambda run: images_of(run.sets[name]))
    for group in groups:
        sets = {run.name: _at_one_root(run.sets[name], group[0].sets[name]) for run in group}
        here = [pair for pair in pairs if pair[0] in sets and pair[1] in sets]
        if here and images_of(group[0].sets[name]) is not None:
            warmth = {run.name: run.evaluation["calibration"]["temperature"] for run in group}
            told = compare_pairs(sets, here, _method(group), temperatures=warmth)
            yield from _tables(name, told, group[0])
    if len(groups) > 1:
        text = f"Sets named {name} hold other images in some runs; those are not compared on it."
        yield Text(text=text, tone="note")


def _tables(name: str, told: Sequence[dict[str, Any]], run: Results) -> Iterator[Block]:
    rows = [f"{one['first']} less {one['second']}" for one in told]
    images = counted(told[0]["images"], "image")
    yield Text(text=f"On {name}, {images}: {_clear(told)}.")
    columns = ("accuracy", "balanced_accuracy")
    yield Table(
        caption=f"Accuracy on {name}: differences",
        head=(
            "first less second",
            "accuracy",
            "balanced accuracy",
            "right: first alone",
            "right: second alone",
            "McNemar's p",
        ),
        rows=tuple(
            (
                row,
                *(signed(one[column]["value"], one[column]["interval"]) for column in columns),
                f"{one['mcnemar']['only_first']:,}",
                f"{one['mcnemar']['only_second']:,}",
                p_value(one["mcnemar"]["p_value"]),
            )
            for row, one in zip(rows, told, strict=True)
        ),
        notes=_reasons((c.replace("_", " "), one[c]) for one in told for c in columns),
    )
    # Of two classes the areas are the same.
    classes = run.class_names[1:] if len(run.class_names) == 2 else run.class_names
    yield Table(
        caption=f"ROC-AUC on {name}: differences",
        head=("first less second", *(f"{one}; DeLong's p" for one in classes)),
        rows=tuple(
            (
                row,
                *(
                    f"{signed(area['difference'], area['interval'])}; {p_value(area['p_value'])}"
                    if area["difference"] is not None
                    else NONE
                    for area in (one["roc_auc"][k] for k in classes)
                ),
            )
            for row, one in zip(rows, told, strict=True)
        ),
        notes=_reasons((k, one["roc_auc"][k]) for one in told for k in classes),
    )


def _spread(runs: Runs) -> Iterator[Block]:
    """Show how far runs lie apart that differ by their seed alone."""
    kinds = [kind for kind in grouped(runs, kind_of) if len(kind) > 1]
    if not kinds:
        return
    names = list(dict.fromkeys(name for run in runs for name in run.judged))
    rows = []
    for kind in kinds:
        cells = []
        for name in names:
            having = [run.judged[name] for run in kind if name in run.judged]
            found = [one["overall"]["accuracy"]["value"] for one in having]
            cells.append(_mean_and_ends(found) if len(found) > 1 else NONE)
        rows.append((", ".join(run.name for run in kind), *cells))
    yield Table(
        caption="Runs of equal settings but for the seed: mean accuracy (lowest to highest)",
        head=("runs", *names),
        rows=tuple(rows),
        notes=(
            "Runs lie so far apart by the chance of training alone: a difference between others "
            "that is no larger may be nothing else.",
        ),
    )


def _mean_and_ends(found: Sequence[float]) -> str:
    return f"{number(float(np.mean(found)))} ({number(min(found))} to {number(max(found))})"


def _clear(told: Sequence[dict[str, Any]]) -> str:
    """Say how many differences of accuracy are more than the chance of the images."""
    clear = sum(_leaves_out_0(one["accuracy"]["interval"]) for one in told)
    if len(told) == 1:
        return f"the interval of the difference of accuracy {'leaves out' if clear else 'holds'} 0"
    return (
        f"{clear} of {len(told)} differences of accuracy have an interval that leaves out 0; were "
        f"all runs equal, chance would make about {0.05 * len(told):.1g}"
    )


def _leaves_out_0(interval: list[float] | None) -> bool:
    return interval is not None and not interval[0] <= 0.0 <= interval[1]


def _reasons(told: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[str, ...]:
    """Say why cells lack a value, an interval or a test, each reason once."""
    found: dict[tuple[str, str], int] = defaultdict(int)
    for what, one in told:
        if "reason" in one:
            found[what, one["reason"]] += 1
        elif "remark" in one:
            found[what, f"read with care, {one['remark']}"] += 1
    return tuple(
        f"{what}, {counted(count, 'row')}: {reason}." for (what, reason), count in found.items()
    )


def _at_one_root(predictions: Predictions, first: Predictions) -> Predictions:
    """Return predictions as if the images lay where those of `first` do, the same by record."""
    manifest = dataclasses.replace(predictions.manifest, root=first.manifest.root)
    return dataclasses.replace(predictions, manifest=manifest)


def _method(runs: Runs) -> Method:
    """Return as many draws as the first run was evaluated with, of the same seed."""
    told = runs[0].evaluation["bootstrap"]
    return Method(draws=told["draws"], seed=told["seed"])


# --- Pooled --------------------------------------------------------------------------------------


def _not_pooled(runs: Runs) -> str:
    names = listed([run.name for run in runs])
    return f"Not pooled: {names}, whose test sets share images, but not all."


def _pooled(runs: Runs, taken: Poolable) -> Section:
    told = pool(taken.sets, _method(runs))
    overall = told["overall"]
    own = "on the sources it left out" if taken.of else "on its own test images"
    tables = (
        Table(
            caption=f"Each run {own}, and all together",
            head=("run", "images", "patients", "accuracy", "balanced accuracy"),
            rows=tuple(
                (
                    name,
                    f"{one['images']:,}",
                    f"{one['patients']:,}",
                    value(one["accuracy"]),
                    value(one["balanced_accuracy"]),
                )
                for name, one in (*told["runs"].items(), ("all", {**told, **overall}))
            ),
        ),
        Table(
            caption="Pooled: overall values",
            head=("value", "pooled"),
            rows=tuple((title, value(overall[key])) for title, key in _POOLED),
        ),
        Table(
            caption="Pooled: each class against the rest",
            head=("class", "images", *(title for title, _ in CLASS_COLUMNS)),
            rows=tuple(
                (name, f"{one['images']:,}", *(value(one[key]) for _, key in CLASS_COLUMNS))
                for name, one in told["classes"].items()
            ),
            notes=_reasons(
                (f"{title} of {name}", one[key])
                for name, one in told["classes"].items()
                for title, key in CLASS_COLUMNS
            ),
        ),
        dataclasses.replace(
            confusion(told, runs[0].class_names),
            caption="Pooled confusion: images (share of the true class)",
        ),
    )
    text = (
        "were tested on different images. Below they are one set, each image judged by the run "
        "that was tested on it"
    )
    if taken.of:
        text = (
            "left different sources out of training. They were tested on images of known sources "
            "too; below, those of left-out sources alone are one set, each image judged by the run "
            "that left its source out"
        )
    text = (
        f"{listed([run.name for run in runs])} have equal settings and {text}, with logits divided "
        "by that run's own temperature."
    )
    title = f"{len(runs)} runs pooled, {counted(told['images'], 'image')}"
    return Section(title=title, blocks=(Text(text=text), *tables))
